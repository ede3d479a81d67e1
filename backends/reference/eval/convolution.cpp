// backends/reference/eval/convolution.cpp -- what convolutions and their adjoints compute.
//
//   y[b,o,j] += x[b,i,c] * w[k,c',j]     for every i that position o sees at k, in j's group
//
// read as a sum into whichever of x, w and y is the result.
#include "ir/ops/convolution.h"

#include "backends/reference/eval/window.h"

namespace weft::backends::reference::eval {
namespace {

namespace ops = ir::ops;

Dims between(const Dims& dims) { return {dims.begin() + 1, dims.end() - 1}; }

// Calls f(element of x, element of w, element of y) for every product.
template <typename F>
void for_each_product(const Call& call, const Dims& x, const Dims& w, const Dims& y, F f) {
  const Dims kernel(w.begin(), w.end() - 2), sizes = between(x), positions = between(y);
  const ops::Window window = ops::window_of(call.op, ir::Shape(kernel.begin(), kernel.end()));
  const int64_t channels = x.back(), each = w[w.size() - 2], n = y.back();
  const int64_t in_group = n / call.op.integer("groups");
  for (int64_t b = 0; b < x[0]; ++b)
    for_each_in_windows(window, kernel, positions, sizes, [&](int64_t o, int64_t k, int64_t i) {
      const int64_t row_y = (b * ir::element_count(positions) + o) * n;
      const int64_t row_x = (b * ir::element_count(sizes) + i) * channels;
      for (int64_t j = 0; j < n; ++j)
        for (int64_t c = 0; c < each; ++c)
          f(row_x + j / in_group * each + c, (k * each + c) * n + j, row_y + j);
    });
}

}  // namespace

const Evaluation conv{&ops::conv, [](const Call& call) -> Tensor {
                        const Floats &x = call.in[0].floats(), &w = call.in[1].floats();
                        Floats y = filled<double>(call.dims(), 0);
                        for_each_product(call, dims_of(x), dims_of(w), dims_of(y),
                                         [&](int64_t at_x, int64_t at_w, int64_t at_y) {
                                           y.data()[at_y] += x.data()[at_x] * w.data()[at_w];
                                         });
                        if (call.op.has("bias")) y = y + call.in[2].floats();
                        return y;
                      }};

const Evaluation conv_input_grad{&ops::conv_input_grad, [](const Call& call) -> Tensor {
                                   const Floats &dy = call.in[0].floats(), &w = call.in[1].floats();
                                   Floats dx = filled<double>(call.dims(), 0);
                                   for_each_product(call, dims_of(dx), dims_of(w), dims_of(dy),
                                                    [&](int64_t at_x, int64_t at_w, int64_t at_y) {
                                                      dx.data()[at_x] +=
                                                          dy.data()[at_y] * w.data()[at_w];
                                                    });
                                   return dx;
                                 }};

const Evaluation conv_weight_grad{
    &ops::conv_weight_grad, [](const Call& call) -> Tensor {
      const Floats &x = call.in[0].floats(), &dy = call.in[1].floats();
      Floats dw = filled<double>(call.dims(), 0);
      for_each_product(call, dims_of(x), dims_of(dw), dims_of(dy),
                       [&](int64_t at_x, int64_t at_w, int64_t at_y) {
                         dw.data()[at_w] += x.data()[at_x] * dy.data()[at_y];
                       });
      return dw;
    }};

std::span<const Evaluation* const> of_convolution() {
  static const Evaluation* const kEvaluations[] = {&conv, &conv_input_grad, &conv_weight_grad};
  return kEvaluations;
}

}  // namespace weft::backends::reference::eval
