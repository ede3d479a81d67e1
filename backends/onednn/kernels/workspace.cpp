// backends/onednn/kernels/workspace.cpp -- how much workspace each kernel needs.
//
// Per-thread parts count omp_get_max_threads() at the time of asking: ask again if that changes.
#include "backends/onednn/kernels/additive_attention_sizes.h"
#include "backends/onednn/kernels/cross_entropy.h"
#include "backends/onednn/kernels/dot_attention_sizes.h"
#include "backends/onednn/kernels/gemm.h"
#include "backends/onednn/kernels/gemm_sizes.h"
#include "backends/onednn/kernels/norm.h"
#include "backends/onednn/kernels/optimizer.h"
#include "backends/onednn/kernels/reduce_chunks.h"
#include "backends/onednn/kernels/sort.h"
#include "backends/onednn/kernels/top_k_parts.h"

#include <omp.h>

namespace weft::onednn::kernels {

size_t reduce_workspace_bytes(const Reduce& args) {
  const int64_t chunks = reduce_chunks(args.n, args.inner);
  if (chunks <= 1) return 0;
  const DType sums = args.dtype == DType::bf16 ? DType::f32 : args.dtype;
  return static_cast<size_t>(args.outer * chunks * args.inner * bytes(sums));
}

size_t sum_of_squares_workspace_bytes(const SumOfSquares& args) {
  int64_t chunks = 0;
  for (int64_t i = 0; i < args.count; ++i)
    chunks += (args.tensors[i].n + kSumOfSquaresChunk - 1) / kSumOfSquaresChunk;
  return static_cast<size_t>(chunks) * sizeof(double);
}

// Two sums of each chunk, a mean of each plane, then floats: of a factored tensor the sums of each
// chunk's columns, and a factor of each column.
size_t adafactor_workspace_bytes(const Adafactor& args) {
  int64_t doubles = 0, floats = 0;
  for (int64_t i = 0; i < args.count; ++i) {
    const FactoredTensor& t = args.tensors[i];
    const int64_t step = adafactor_chunk(t), chunks = t.planes * ((t.rows + step - 1) / step);
    doubles += 2 * chunks + t.planes;
    if (t.c != nullptr) floats += (chunks + t.planes) * t.columns;
  }
  return static_cast<size_t>(doubles) * sizeof(double) +
         static_cast<size_t>(floats) * sizeof(float);
}

size_t norm_grad_workspace_bytes(const NormGrad& args) {
  const int64_t chunks = (args.rows + kNormChunk - 1) / kNormChunk;
  return static_cast<size_t>(2 * chunks * args.n) * sizeof(float);
}

// A row of exponentials for each thread.
size_t cross_entropy_workspace_bytes(const CrossEntropy& args) {
  return static_cast<size_t>(args.classes * omp_get_max_threads()) * sizeof(float);
}

size_t additive_attention_workspace_bytes(const AdditiveAttention& args) {
  return static_cast<size_t>(thread_floats(args) * omp_get_max_threads() + shared_floats(args)) *
         sizeof(float);
}

size_t additive_attention_grad_workspace_bytes(const AdditiveAttentionGrad& args) {
  return static_cast<size_t>(thread_floats(args) * omp_get_max_threads() + shared_floats(args)) *
         sizeof(float);
}

size_t packed_weights_bytes(int64_t depth, int64_t columns, DType dtype) {
  const int64_t panel = packed_weights_panel({}), words = gemm_words(depth, dtype);
  return static_cast<size_t>((columns + panel - 1) / panel * panel * words) * sizeof(float);
}

bool gemm_sums_in_pieces(const Gemm& args) {
  return gemm_words(args.depth, args.dtype) > kGemmDepth;
}

size_t gemm_workspace_bytes(const Gemm& args) {
  return static_cast<size_t>(gemm_thread_floats(args, packed_weights_panel({})) *
                             omp_get_max_threads()) *
         sizeof(float);
}

size_t sort_workspace_bytes(const Sort& args) {
  return static_cast<size_t>(sort_thread_bytes(args) * omp_get_max_threads());
}

size_t top_k_workspace_bytes(const TopK& args) {
  const int64_t parts = top_k_parts(args, omp_get_max_threads());
  return static_cast<size_t>(top_k_candidates(args, parts) + top_k_sums(args, parts)) * 8;
}

size_t dot_attention_workspace_bytes(const DotAttention& args) {
  return static_cast<size_t>(thread_floats(args) * omp_get_max_threads() + shared_floats(args)) *
         sizeof(float);
}

size_t dot_attention_grad_workspace_bytes(const DotAttentionGrad& args) {
  return static_cast<size_t>(thread_floats(args) * omp_get_max_threads() + shared_floats(args)) *
         sizeof(float);
}

}  // namespace weft::onednn::kernels
