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

inline void append_eltwise(dnnl::post_ops& ops, dnnl::algorithm algorithm, float alpha = 0,
                           float beta = 0) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(algorithm, alpha, beta);
#else
  ops.append_eltwise(1.0F, algorithm, alpha, beta);
#endif
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
