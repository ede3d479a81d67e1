// backends/onednn/kernels/dot_attention.cpp -- the softmax between the two products of dot
// attention.
#include "backends/onednn/kernels/dot_attention.h"

#include "backends/onednn/kernels/columns.h"
#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/mask_row.h"
#include "backends/onednn/kernels/math.h"
#include "backends/onednn/kernels/parallel.h"

#include <math.h>

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

struct Row {
  float* x;
  int64_t n, visible;  // columns; those that lengths and diagonal leave
  MaskRow mask;
  const float* bias;
  int64_t bias_column;
};

// The scaled, biased scores of one vector; -inf where the row may not look.
template <bool Masked>
WEFT_INLINE Vec scores(const Row& row, Vec scale, int64_t j, int64_t lanes) {
  Vec e = lanes == kWidth ? load(row.x + j) * scale : load(row.x + j, lanes) * scale;
  if (row.bias != nullptr) {
    Vec bias = splat(0);
    if (row.bias_column == 1) {
      bias = lanes == kWidth ? load(row.bias + j) : load(row.bias + j, lanes);
    } else {
      for (int64_t i = 0; i < lanes; ++i) bias[i] = row.bias[(j + i) * row.bias_column];
    }
    e += bias;
  }
  if (Masked) return select(allowed(row.mask, j, lanes), e, -infinity());
  return lanes == kWidth ? e : select(first(lanes), e, -infinity());
}

template <bool Masked>
float softmax_row(const Row& row, Vec scale) {
  const int64_t n = row.visible;
  Vec top = -infinity();
  for (int64_t j = 0; j < n; j += kWidth) {
    const int64_t lanes = smaller(kWidth, n - j);
    const Vec e = scores<Masked>(row, scale, j, lanes);
    top = maximum(e, top);
    lanes == kWidth ? store(row.x + j, e) : store(row.x + j, e, lanes);
  }
  const float max = largest(top);
  if (max == -__builtin_inff()) {
    for_columns(row.n, [&](int64_t j, auto at) { at.put(row.x + j, splat(0)); });
    return max;
  }
  const Vec shift = splat(max);
  Vec total = splat(0);
  for (int64_t j = 0; j < n; j += kWidth) {
    const int64_t lanes = smaller(kWidth, n - j);
    const Vec x = lanes == kWidth ? load(row.x + j)
                                  : select(first(lanes), load(row.x + j, lanes), -infinity());
    const Vec e = exp_negative(x - shift);
    total += e;
    lanes == kWidth ? store(row.x + j, e) : store(row.x + j, e, lanes);
  }
  const float denominator = sum(total);
  const Vec factor = splat(1 / denominator);
  for_columns(n, [&](int64_t j, auto at) { at.put(row.x + j, at.get(row.x + j) * factor); });
  for_columns(row.n - n, [&](int64_t j, auto at) { at.put(row.x + n + j, splat(0)); });
  return max + logf(denominator);
}

}  // namespace

void attention_softmax(const AttentionSoftmax& args) {
  const Vec scale = splat(args.scale);
  const int64_t rows = args.batch * args.heads * args.queries;
  parallel_for(rows, args.keys * 4, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t t = r % args.queries, h = r / args.queries % args.heads,
                    b = r / args.queries / args.heads;
      Row row{args.scores + b * args.scores_batch + h * args.scores_head + t * args.scores_row,
              args.keys,
              args.keys,
              mask_row(args.mask, b, h, t),
              nullptr,
              0};
      if (args.lengths != nullptr) row.visible = smaller(row.visible, args.lengths[b]);
      row.visible = larger(0, smaller(row.visible, t + args.diagonal + 1));
      if (args.bias.data != nullptr) {
        row.bias = args.bias.data + b * args.bias.batch + h * args.bias.head + t * args.bias.row;
        row.bias_column = args.bias.column;
      }
      const float lse = row.mask.allowed == nullptr ? softmax_row<false>(row, scale)
                                                    : softmax_row<true>(row, scale);
      if (args.lse != nullptr) args.lse[r] = lse;
    }
  });
}

void attention_softmax_grad(const AttentionSoftmaxGrad& args) {
  const int64_t n = args.keys, rows = args.batch * args.heads * args.queries;
  const Vec scale = splat(args.scale);
  parallel_for(rows, n * 2, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t t = r % args.queries, h = r / args.queries % args.heads,
                    b = r / args.queries / args.heads;
      const float* a =
          args.weights + b * args.weights_batch + h * args.weights_head + t * args.weights_row;
      float* da = args.da + b * args.da_batch + h * args.da_head + t * args.da_row;
      // A weight of 0 hides its da, which may be anything (NaN in a masked value).
      const auto seen = [](Vec a_j, Vec da_j) {
        return select(equal(a_j, splat(0)), splat(0), da_j);
      };
      Vec total = splat(0);
      for_columns(n, [&](int64_t j, auto at) {
        const Vec a_j = at.get(a + j);
        total = fma(a_j, seen(a_j, at.get(da + j)), total);
      });
      const Vec dot = splat(sum(total));
      for_columns(n, [&](int64_t j, auto at) {
        const Vec a_j = at.get(a + j);
        at.put(da + j, a_j * (seen(a_j, at.get(da + j)) - dot) * scale);
      });
    }
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
