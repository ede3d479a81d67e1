// backends/onednn/machine/compat.h -- the one file that knows which oneDNN it is: 2.6 (Debian 12) or 3.x
// (13).
#pragma once
#include <dnnl.h>
#include <dnnl.hpp>

#include <optional>
#include <string>

namespace weft::onednn::compat {

inline constexpr bool kVersion3 = DNNL_VERSION_MAJOR >= 3;

inline dnnl::memory::dims dims_of(const dnnl::memory::desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  return desc.get_dims();
#else
  return desc.dims();
#endif
}

inline dnnl::memory::data_type type_of(const dnnl::memory::desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  return desc.get_data_type();
#else
  return desc.data_type();
#endif
}

inline void append_eltwise(dnnl::post_ops& ops, dnnl::algorithm algorithm, float alpha = 0,
                           float beta = 0) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(algorithm, alpha, beta);
#else
  ops.append_eltwise(1.0F, algorithm, alpha, beta);
#endif
}

// Strides of the axes (between blocks where there are some), and the blocks inside: how many
// elements of which axis, outer ones first.
struct Blocking {
  dnnl::memory::dims strides, blocks, axes;
};

inline Blocking blocking(const dnnl::memory::desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  return {desc.get_strides(), desc.get_inner_blks(), desc.get_inner_idxs()};
#else
  const dnnl_blocking_desc_t& b = desc.data.format_desc.blocking;
  return {{b.strides, b.strides + desc.data.ndims},
          {b.inner_blks, b.inner_blks + b.inner_nblks},
          {b.inner_idxs, b.inner_idxs + b.inner_nblks}};
#endif
}

// Does oneDNN put elements in wrong places here? The reorder "jit:uni" of 3.7.2 does, where it transposes
// f32 into blocks that are not full (of 16 x 70 into BA16a64b 72 elements).
inline bool reorder_misplaces(const dnnl::memory::desc& from, const dnnl::memory::desc& to) {
  if (!kVersion3 || type_of(from) != dnnl::memory::data_type::f32) return false;
  const Blocking blocks = blocking(to);
  if (blocks.blocks.empty()) return false;
  dnnl::memory::dims left = dims_of(to);
  for (size_t i = 0; i < blocks.blocks.size(); ++i) {
    dnnl::memory::dim& n = left[static_cast<size_t>(blocks.axes[i])];
    if (n % blocks.blocks[i] == 0) {
      n /= blocks.blocks[i];
      continue;
    }
    const auto fastest = static_cast<size_t>(blocks.axes.back());
    return blocking(from).strides[fastest] != 1 || dims_of(from)[fastest] == 1;
  }
  return false;
}

// brgemm of 3.7.2 takes the elements of a single row of its left operand, and those of a single column
// of its result, for neighbours wherever they lie.
inline bool misreads_row(int64_t rows, int64_t columns, int64_t column_stride) {
  return kVersion3 && rows == 1 && columns > 1 && column_stride != 1;
}
inline bool miswrites_column(int64_t rows, int64_t columns, int64_t row_stride) {
  return kVersion3 && columns == 1 && rows > 1 && row_stride != 1;
}

inline dnnl::matmul::primitive_desc matmul_desc(const dnnl::engine& engine,
                                                const dnnl::memory::desc& a,
                                                const dnnl::memory::desc& b,
                                                const std::optional<dnnl::memory::desc>& bias,
                                                const dnnl::memory::desc& c,
                                                const dnnl::primitive_attr& attr) {
#if DNNL_VERSION_MAJOR >= 3
  return bias ? dnnl::matmul::primitive_desc(engine, a, b, *bias, c, attr)
              : dnnl::matmul::primitive_desc(engine, a, b, c, attr);
#else
  return bias ? dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, *bias, c), attr, engine)
              : dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, c), attr, engine);
#endif
}

#if DNNL_VERSION_MAJOR >= 3
using Softmax = dnnl::softmax_forward;
#else
using Softmax = dnnl::softmax_v2_forward;
#endif

inline Softmax::primitive_desc softmax_desc(const dnnl::engine& engine, bool log,
                                            const dnnl::memory::desc& x,
                                            const dnnl::memory::desc& y, int axis,
                                            const dnnl::primitive_attr& attr) {
  const auto how = log ? dnnl::algorithm::softmax_log : dnnl::algorithm::softmax_accurate;
  const auto kind = dnnl::prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR >= 3
  return {engine, kind, how, x, y, axis, attr};
#else
  return {Softmax::desc(kind, how, x, y, axis), attr, engine};
#endif
}

inline dnnl::primitive_desc softmax_grad_desc(const dnnl::engine& engine,
                                              const dnnl::memory::desc& d,
                                              const dnnl::memory::desc& y, int axis,
                                              const dnnl::primitive_attr& attr) {
  const auto forward = softmax_desc(engine, false, y, y, axis, attr);
  const auto how = dnnl::algorithm::softmax_accurate;
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::softmax_backward::primitive_desc(engine, how, d, d, y, axis, forward, attr);
#else
  using Grad = dnnl::softmax_v2_backward;
  return Grad::primitive_desc(Grad::desc(how, d, d, y, axis), attr, engine, forward);
#endif
}

// `statistics`: mean and variance of the rows are results.
inline dnnl::layer_normalization_forward::primitive_desc norm_desc(
    const dnnl::engine& engine, const dnnl::memory::desc& x, const dnnl::memory::desc& y,
    bool statistics, float eps, dnnl::normalization_flags flags, const dnnl::primitive_attr& attr) {
  const auto kind =
      statistics ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR >= 3
  return {engine, kind, x, y, eps, flags, attr};
#else
  return {dnnl::layer_normalization_forward::desc(kind, x, eps, flags), attr, engine};
#endif
}

inline dnnl::layer_normalization_backward::primitive_desc norm_grad_desc(
    const dnnl::engine& engine, const dnnl::memory::desc& d, const dnnl::memory::desc& x, float eps,
    dnnl::normalization_flags flags, const dnnl::primitive_attr& attr) {
  const auto forward = norm_desc(engine, x, x, true, eps, flags, attr);
  const auto kind = dnnl::prop_kind::backward;
#if DNNL_VERSION_MAJOR >= 3
  return {engine, kind, d, d, x, eps, flags, forward, attr};
#else
  return {dnnl::layer_normalization_backward::desc(kind, d, x, eps, flags), attr, engine, forward};
#endif
}

inline dnnl::binary::primitive_desc binary_desc(const dnnl::engine& engine, dnnl::algorithm how,
                                                const dnnl::memory::desc& a,
                                                const dnnl::memory::desc& b,
                                                const dnnl::memory::desc& y,
                                                const dnnl::primitive_attr& attr) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, how, a, b, y, attr};
#else
  return {dnnl::binary::desc(how, a, b, y), attr, engine};
#endif
}

inline dnnl::eltwise_forward::primitive_desc eltwise_desc(const dnnl::engine& engine,
                                                          dnnl::algorithm how,
                                                          const dnnl::memory::desc& x, float alpha,
                                                          float beta,
                                                          const dnnl::primitive_attr& attr) {
  const auto kind = dnnl::prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR >= 3
  return {engine, kind, how, x, x, alpha, beta, attr};
#else
  return {dnnl::eltwise_forward::desc(kind, how, x, alpha, beta), attr, engine};
#endif
}

inline dnnl::reduction::primitive_desc reduction_desc(const dnnl::engine& engine,
                                                      dnnl::algorithm how,
                                                      const dnnl::memory::desc& x,
                                                      const dnnl::memory::desc& y,
                                                      const dnnl::primitive_attr& attr) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, how, x, y, 0, 0, attr};
#else
  return {dnnl::reduction::desc(how, x, y, 0, 0), attr, engine};
#endif
}

#if DNNL_VERSION_MAJOR >= 3
using Pooling = dnnl::pooling_forward;
using PoolingGrad = dnnl::pooling_backward;
#else
using Pooling = dnnl::pooling_v2_forward;
using PoolingGrad = dnnl::pooling_v2_backward;
#endif

// Means of windows.
struct AvgPool {
  dnnl::memory::desc x, y;
  dnnl::memory::dims strides, window, low, high;
  bool count_padding;

  dnnl::algorithm how() const {
    return count_padding ? dnnl::algorithm::pooling_avg_include_padding
                         : dnnl::algorithm::pooling_avg_exclude_padding;
  }
  dnnl::memory::dims dilations() const { return dnnl::memory::dims(strides.size(), 0); }
};

inline Pooling::primitive_desc avg_pool_desc(const dnnl::engine& engine, const AvgPool& p,
                                             const dnnl::primitive_attr& attr) {
  const auto kind = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
  return {engine, kind, p.how(), p.x, p.y, p.strides, p.window, p.dilations(), p.low, p.high, attr};
#else
  return {Pooling::desc(kind, p.how(), p.x, p.y, p.strides, p.window, p.dilations(), p.low, p.high),
          attr, engine};
#endif
}

inline PoolingGrad::primitive_desc avg_pool_grad_desc(const dnnl::engine& engine, const AvgPool& p,
                                                      const dnnl::primitive_attr& attr) {
  const auto forward = avg_pool_desc(engine, p, attr);
#if DNNL_VERSION_MAJOR >= 3
  return {engine,        p.how(), p.x,    p.y,     p.strides, p.window,
          p.dilations(), p.low,   p.high, forward, attr};
#else
  return {PoolingGrad::desc(p.how(), p.x, p.y, p.strides, p.window, p.dilations(), p.low, p.high),
          attr, engine, forward};
#endif
}

// Of every convolution of one window: x, w and y as they lie, `dilations` counting elements left
// out.
struct Convolution {
  dnnl::memory::desc x, w, y;
  std::optional<dnnl::memory::desc> bias;
  dnnl::memory::dims strides, dilations, low, high;
};

inline dnnl::convolution_forward::primitive_desc conv_desc(const dnnl::engine& engine,
                                                           const Convolution& c,
                                                           const dnnl::primitive_attr& attr) {
  const auto kind = dnnl::prop_kind::forward_training;
  const auto how = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return c.bias
             ? dnnl::convolution_forward::primitive_desc(engine, kind, how, c.x, c.w, *c.bias, c.y,
                                                         c.strides, c.dilations, c.low, c.high,
                                                         attr)
             : dnnl::convolution_forward::primitive_desc(
                   engine, kind, how, c.x, c.w, c.y, c.strides, c.dilations, c.low, c.high, attr);
#else
  using Desc = dnnl::convolution_forward::desc;
  return {c.bias ? Desc(kind, how, c.x, c.w, *c.bias, c.y, c.strides, c.dilations, c.low, c.high)
                 : Desc(kind, how, c.x, c.w, c.y, c.strides, c.dilations, c.low, c.high),
          attr, engine};
#endif
}

inline dnnl::convolution_backward_data::primitive_desc conv_input_desc(
    const dnnl::engine& engine, const Convolution& c, const dnnl::primitive_attr& attr) {
  const auto how = dnnl::algorithm::convolution_direct;
  const auto forward = conv_desc(engine, c, attr);
#if DNNL_VERSION_MAJOR >= 3
  return {engine, how, c.x, c.w, c.y, c.strides, c.dilations, c.low, c.high, forward, attr};
#else
  return {dnnl::convolution_backward_data::desc(how, c.x, c.w, c.y, c.strides, c.dilations, c.low,
                                                c.high),
          attr, engine, forward};
#endif
}

inline dnnl::convolution_backward_weights::primitive_desc conv_weight_desc(
    const dnnl::engine& engine, const Convolution& c, const dnnl::primitive_attr& attr) {
  const auto how = dnnl::algorithm::convolution_direct;
  const auto forward = conv_desc(engine, c, attr);
#if DNNL_VERSION_MAJOR >= 3
  return {engine, how, c.x, c.w, c.y, c.strides, c.dilations, c.low, c.high, forward, attr};
#else
  return {dnnl::convolution_backward_weights::desc(how, c.x, c.w, c.y, c.strides, c.dilations,
                                                   c.low, c.high),
          attr, engine, forward};
#endif
}

}  // namespace weft::onednn::compat
