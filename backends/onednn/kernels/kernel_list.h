// backends/onednn/kernels/kernel_list.h -- every kernel that exists once per instruction set.
//
// KERNEL(result, function, arguments). The public function of that name (dispatch.cpp) calls the
// one in the namespace of the instruction set in use.
#pragma once
#include "backends/onednn/kernels/elementwise_plan.h"
#include "backends/onednn/kernels/isa_list.h"
#include "backends/onednn/kernels/kernels.h"

#define WEFT_KERNELS(KERNEL)                                   \
  KERNEL(void, adadelta, Adadelta)                             \
  KERNEL(void, adafactor, Adafactor)                           \
  KERNEL(void, adagrad, Adagrad)                               \
  KERNEL(void, adam, Adam)                                     \
  KERNEL(void, additive_attention, AdditiveAttention)          \
  KERNEL(void, additive_attention_grad, AdditiveAttentionGrad) \
  KERNEL(void, arg_max, ArgMax)                                \
  KERNEL(void, avg_pool, AvgPool)                              \
  KERNEL(void, avg_pool_grad, AvgPoolGrad)                     \
  KERNEL(void, copy_strided, CopyStrided)                      \
  KERNEL(int64_t, cross_entropy, CrossEntropy)                 \
  KERNEL(int64_t, cross_entropy_fused, CrossEntropy)           \
  KERNEL(int64_t, cross_entropy_grad, CrossEntropy)            \
  KERNEL(void, cumulative_sum, CumulativeSum)                  \
  KERNEL(void, dot_attention, DotAttention)                    \
  KERNEL(void, dot_attention_grad, DotAttentionGrad)           \
  KERNEL(void, elementwise_run, ElementwiseRun)                \
  KERNEL(void, fill, Fill)                                     \
  KERNEL(int64_t, gather_lanes, GatherLanes)                   \
  KERNEL(int64_t, gather_rows, GatherRows)                     \
  KERNEL(void, gemm, Gemm)                                     \
  KERNEL(void, gru_after, GruAfter)                            \
  KERNEL(void, gru_after_grad, GruAfterGrad)                   \
  KERNEL(void, gru_reset, GruReset)                            \
  KERNEL(void, gru_reset_grad, GruResetGrad)                   \
  KERNEL(void, gru_update, GruUpdate)                          \
  KERNEL(void, gru_update_grad, GruUpdateGrad)                 \
  KERNEL(void, iota, Iota)                                     \
  KERNEL(void, length_mask, LengthMask)                        \
  KERNEL(void, log_sum_exp, LogSumExp)                         \
  KERNEL(void, lstm_cell, LstmCell)                            \
  KERNEL(void, lstm_cell_grad, LstmCellGrad)                   \
  KERNEL(void, linear_recurrence, LinearRecurrence)            \
  KERNEL(void, lion, Lion)                                     \
  KERNEL(void, max_pool, MaxPool)                              \
  KERNEL(int64_t, max_pool_grad, MaxPoolGrad)                  \
  KERNEL(void, moving_average, MovingAverage)                  \
  KERNEL(void, norm, Norm)                                     \
  KERNEL(void, norm_grad, NormGrad)                            \
  KERNEL(void, one_hot, OneHot)                                \
  KERNEL(void, pack_weights, PackWeights)                      \
  KERNEL(int64_t, packed_weights_panel, PackWeights)           \
  KERNEL(void, pad, Pad)                                       \
  KERNEL(double, peak_run, PeakRun)                            \
  KERNEL(void, random, Random)                                 \
  KERNEL(void, reduce, Reduce)                                 \
  KERNEL(int64_t, scatter_add_lanes, ScatterAddLanes)          \
  KERNEL(int64_t, scatter_add_rows, ScatterAddRows)            \
  KERNEL(void, sgd, Sgd)                                       \
  KERNEL(void, softmax, Softmax)                               \
  KERNEL(void, softmax_grad, SoftmaxGrad)                      \
  KERNEL(void, sort, Sort)                                     \
  KERNEL(void, sum_of_squares, SumOfSquares)                   \
  KERNEL(void, top_k, TopK)

namespace weft::onednn::kernels {

#define WEFT_MEMBER(result, function, arguments) result (*function)(const arguments&);
struct KernelTable {
  WEFT_KERNELS(WEFT_MEMBER)
};
#undef WEFT_MEMBER

#define WEFT_DECLARE(result, function, arguments) result function(const arguments&);
#define WEFT_DECLARE_ALL(isa, flags, available, gemm, bf16) \
  namespace isa {                                           \
  WEFT_KERNELS(WEFT_DECLARE)                                \
  extern const KernelTable table;                           \
  }
WEFT_ISAS(WEFT_DECLARE_ALL)
#undef WEFT_DECLARE_ALL
#undef WEFT_DECLARE

}  // namespace weft::onednn::kernels
