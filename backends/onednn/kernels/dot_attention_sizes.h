// backends/onednn/kernels/dot_attention_sizes.h -- blocks and buffers of dot attention, in floats.
//
// A tile is kForwardKeys or kTileKeys keys by kTileQueries queries, keys in rows; all are multiples
// of the micro-kernel's rows (6, 12) and columns (16, 32). Block borders depend on positions only,
// so that hidden keys behind a sentence change no bit of it. Forward, where a tile is 16 queries at
// a time, 192 keys are 3 to 9 % faster than 96: sums of values are loaded and stored half as often.
#pragma once
#include "backends/onednn/kernels/dot_attention.h"

namespace weft::onednn::kernels {

inline constexpr int64_t kForwardKeys = 192, kTileKeys = 96, kTileQueries = 96;
inline constexpr int64_t kSmallTileQueries = 32;  // where there would be few blocks
inline constexpr int64_t kFewUnits = 16;          // less work than this is cut smaller
inline constexpr int64_t kSharedRanges = 4;       // of keys where many heads are one unit, at most
inline constexpr int64_t kFewQueries = 8;         // up to here no tiles: one query at a time
inline constexpr int64_t kFewQueriesGrad = 4;     // likewise
inline constexpr int64_t kKeyRange = 128;         // ... and keys are divided by this
inline constexpr int64_t kLaneLimit = 32;         // columns of a micro-kernel at most

constexpr int64_t rounded(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
// To whole cache lines, and off the 4 KB grid.
constexpr int64_t padded_row(int64_t n) {
  return rounded(n, 16) + (rounded(n, 16) % 256 == 0 ? 16 : 0);
}

constexpr bool few_queries(const DotAttention& args) { return args.queries <= kFewQueries; }
constexpr bool few_queries(const DotAttentionGrad& args) { return args.queries <= kFewQueriesGrad; }

constexpr int64_t tile_keys(const DotAttention&) { return kForwardKeys; }
constexpr int64_t tile_keys(const DotAttentionGrad&) { return kTileKeys; }

// --- forward

constexpr int64_t query_block(const DotAttention& args) {
  const int64_t blocks = (args.queries + kTileQueries - 1) / kTileQueries;
  return args.batch * args.heads * blocks < kFewUnits ? kSmallTileQueries : kTileQueries;
}
// With few queries: the keys that any of them may see, in ranges that each give an unfinished sum.
constexpr int64_t keys_of_few(const DotAttention& args) {
  return within(args.band, 0, args.queries, args.keys).end;
}
constexpr int64_t key_ranges(const DotAttention& args) {
  const int64_t keys = keys_of_few(args);
  return keys <= kKeyRange ? 1 : (keys + kKeyRange - 1) / kKeyRange;
}
constexpr int64_t partial_floats(const DotAttention& args) { return rounded(args.width, 16) + 16; }

constexpr int64_t thread_floats(const DotAttention& args) {
  if (few_queries(args)) return 0;
  const int64_t q = kTileQueries, k = kForwardKeys;
  return q * (args.hidden + args.width + 2) +          // transposed queries, sums; max and sum
         k * kLaneLimit * (args.dropout.on ? 2 : 1) +  // scores, what dropout keeps
         k * (padded_row(args.hidden) + padded_row(args.width)) + 64;  // a block of keys and values
}
constexpr int64_t shared_floats(const DotAttention& args) {
  if (!few_queries(args) || key_ranges(args) == 1) return 0;
  return args.batch * args.heads * args.queries * key_ranges(args) * partial_floats(args);
}

// --- gradient

// Ranges of keys that are done apart, all but the first with sums for dq of their own: of the sizes
// only. Heads that add to the same dbias are one unit of work.
constexpr int64_t key_ranges(const DotAttentionGrad& args) {
  const int64_t most = (args.keys + kTileKeys - 1) / kTileKeys;
  const bool biased = args.dbias.data != nullptr;
  // By distance all queries and keys add to the same.
  const bool summed_over_keys = biased && (args.dbias.column == 0 || args.dbias.row < 0);
  const int64_t units = (biased && args.dbias.batch == 0 ? args.batch > 0 : args.batch) *
                        (biased && args.dbias.head == 0 ? args.heads > 0 : args.heads);
  if (units == 0 || most <= 1 || summed_over_keys) return 1;
  int64_t wanted = units >= kFewUnits ? 1 : kFewUnits / units;
  if (units < args.batch * args.heads && wanted > kSharedRanges) wanted = kSharedRanges;
  return wanted < most ? wanted : most;
}
constexpr int64_t thread_floats(const DotAttentionGrad& args) {
  const int64_t q = kTileQueries, k = kTileKeys;
  const int64_t d = padded_row(args.hidden), e = padded_row(args.width);
  if (few_queries(args)) return 4 * rounded(args.keys, 16) + 64;
  return q * (args.hidden + args.width) +  // queries and dout transposed
         q * (2 * d + e) +                 // queries, sums for dq, dout
         k * (d + e) +                     // keys, values
         q * k * (args.dropout.on ? 3 : 2) + 4 * q +
         64;  // weights, ds, what dropout keeps; lse, terms
}
// Never less for more entries: a run may have fewer than were planned.
constexpr int64_t shared_floats(const DotAttentionGrad& args) {
  if (args.dq.data == nullptr) return 0;
  int64_t most = args.batch * args.heads * (key_ranges(args) - 1);
  DotAttentionGrad fewer = args;
  for (fewer.batch = 1; fewer.batch < args.batch && fewer.batch <= kFewUnits; ++fewer.batch) {
    const int64_t sums = fewer.batch * args.heads * (key_ranges(fewer) - 1);
    most = sums > most ? sums : most;
  }
  return most * args.queries * padded_row(args.hidden);
}

}  // namespace weft::onednn::kernels
