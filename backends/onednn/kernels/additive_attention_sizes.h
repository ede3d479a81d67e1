// backends/onednn/kernels/additive_attention_sizes.h -- the buffers of additive attention, in
// floats.
//
// Every thread has a part of its own; with few batch entries the threads also share one, so that
// they can divide a row between them.
#pragma once
#include "backends/onednn/kernels/additive_attention.h"

namespace weft::onednn::kernels {

inline constexpr int64_t kQueryBlock = 4;    // queries that share each load of a value row
inline constexpr int64_t kKeyGroup = 4;      // keys whose tanh is kept in the L1 cache at a time
inline constexpr int64_t kPowerQueries = 8;  // from here on e^2k is made once for all of them
inline constexpr int64_t kSplitUnits = 64;   // fewer units than this may be divided
inline constexpr int64_t kSplitBatch = 16;   // gradient: fewer batch entries than this may be

// To whole cache lines, and off the 4 KB grid.
constexpr int64_t padded(int64_t n) { return (n + 15) / 16 * 16 + 16; }

constexpr int64_t query_blocks(const AdditiveAttention& args) {
  return (args.queries + kQueryBlock - 1) / kQueryBlock;
}

// e^2x of rows, and a mark for each (additive_powers.h).
constexpr int64_t power_floats(int64_t rows, int64_t columns) {
  return rows * padded(columns) + padded(rows);
}
template <class Args>
constexpr int64_t power_floats(const Args& args) {
  if (args.queries < kPowerQueries) return 0;
  return power_floats(args.keys, args.hidden) + power_floats(kQueryBlock, args.hidden);
}

// Room for something of every key that one query may see.
template <class Args>
constexpr int64_t listed(const Args& args) {
  return padded(most_within(args.band, 1, args.keys));
}

// Weights of a block of queries, the list of keys, words of dropout, powers.
constexpr int64_t thread_floats(const AdditiveAttention& args) {
  return (kQueryBlock + (args.dropout.on ? 2 : 1)) * listed(args) + power_floats(args);
}
// Scores of everything, where the work is divided. Never less for more entries: a run may have fewer
// than were planned.
constexpr int64_t shared_floats(const AdditiveAttention& args) {
  if (args.queries == 0) return 0;
  const int64_t divided = (kSplitUnits - 1) / query_blocks(args);  // entries, at most
  return (args.batch < divided ? args.batch : divided) * args.queries * listed(args);
}

// tanh of a group of keys and the sums for dq, weights and ds of a block of queries, the list of
// keys, what dropout keeps and its words, powers.
constexpr int64_t thread_floats(const AdditiveAttentionGrad& args) {
  return (kKeyGroup + kQueryBlock) * padded(args.hidden) +
         (2 * kQueryBlock + 1 + (args.dropout.on ? kQueryBlock + 1 : 0)) * listed(args) +
         power_floats(args);
}
// dva of each batch entry; weights and ds of everything, where the work is divided. Never less for
// more entries.
constexpr int64_t shared_floats(const AdditiveAttentionGrad& args) {
  const int64_t divided = args.batch < kSplitBatch ? args.batch : kSplitBatch - 1;
  return args.batch * padded(args.hidden) + 2 * divided * args.queries * listed(args);
}

}  // namespace weft::onednn::kernels
