// backends/onednn/kernels/top_k_parts.h -- how rows are cut where there are too few for the team.
#pragma once
#include "backends/onednn/kernels/top_k.h"

namespace weft::onednn::kernels {

inline constexpr int64_t kTopKChunk =
    2048;  // columns; three quarters of a cache of 32 KB stay free

constexpr int64_t top_k_chunks(const TopK& args) { return (args.n + kTopKChunk - 1) / kTopKChunk; }

// Pieces of a row, each of whole chunks: rows * pieces is at least four for every thread where the
// row is long enough, so that the team shares it evenly.
constexpr int64_t top_k_parts(const TopK& args, int64_t threads) {
  const int64_t wanted = args.rows > 0 ? 4 * threads / args.rows : 1;
  const int64_t most = top_k_chunks(args);
  return threads == 1 || wanted < 1 ? 1 : wanted < most ? wanted : most;
}

// In the workspace: the parts' candidates, then a maximum and a sum for every chunk.
constexpr int64_t top_k_candidates(const TopK& args, int64_t parts) {
  return parts == 1 ? 0 : args.rows * parts * args.k;
}
constexpr int64_t top_k_sums(const TopK& args, int64_t parts) {
  return parts == 1 || !args.log_softmax ? 0 : args.rows * top_k_chunks(args);
}

}  // namespace weft::onednn::kernels
