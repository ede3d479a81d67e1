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
inline constexpr int64_t kSmallTileQueries = 32;      // where there would be few blocks
inline constexpr int64_t kFewUnits = 16;              // less work than this is cut smaller
inline constexpr int64_t kRangeKeys = 3 * kTileKeys;  // summed for dq apart, at least
inline constexpr int64_t kMostRanges = 4;             // of them
inline constexpr int64_t kFewQueries = 8;             // up to here no tiles: one query at a time
inline constexpr int64_t kFewQueriesGrad = 4;         // likewise
inline constexpr int64_t kKeyRange = 128;             // ... and keys are divided by this
inline constexpr int64_t kLaneLimit = 32;             // columns of a micro-kernel at most

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

// dq is the sum of so many sums, each over a range of a sentence's keys, added in order. `keys`: those
// up to the last that is seen, which know neither the batch nor its padding.
constexpr int64_t key_ranges(const DotAttentionGrad& args, int64_t keys) {
  if (few_queries(args) || keys <= kRangeKeys) return 1;
  const int64_t ranges = (keys + kRangeKeys - 1) / kRangeKeys;
  return ranges < kMostRanges ? ranges : kMostRanges;
}
// Ranges that are units of work of their own, each with room for its sums, where there are few heads;
// 1: a head's ranges are done one after the other. Units that add to one dbias would have to have the
// same ranges.
constexpr int64_t ranges_apart(const DotAttentionGrad& args) {
  const BiasGrad& dbias = args.dbias;
  const bool shared = dbias.data != nullptr &&
                      (dbias.column == 0 || dbias.row < 0 || (dbias.batch == 0 && args.batch > 1) ||
                       (dbias.head == 0 && args.heads > 1));
  return shared || args.batch * args.heads >= kFewUnits ? 1 : key_ranges(args, args.keys);
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
  int64_t most = 0;
  DotAttentionGrad fewer = args;
  for (fewer.batch = 1; fewer.batch <= args.batch && fewer.batch <= kFewUnits; ++fewer.batch) {
    const int64_t sums = fewer.batch * args.heads * (ranges_apart(fewer) - 1);
    most = sums > most ? sums : most;
  }
  return most * args.queries * padded_row(args.hidden);
}

}  // namespace weft::onednn::kernels
