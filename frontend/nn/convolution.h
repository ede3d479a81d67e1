// frontend/nn/convolution.h -- convolutions and pooling over one or two axes, channels last.
//
//   Tensor x = gelu(conv1d(p / "conv1", mel, 384, 3, {.padding = 1}));              // [B,S,384]
//   Tensor y = gelu(conv1d(p / "conv2", x, 384, 3, {.stride = 2, .padding = 1}));   // [B,(S+1)/2,384]
//   Tensor patches = conv2d(p / "patches", image, 768, 16, {.stride = 16});         // [B,H/16,W/16,768]
//
// Sizes may be numbers or symbols: a strided axis of S elements has floordiv(S + low + high -
// dilation*(window-1) - 1, stride) + 1 positions. What stands in a batch's padding is an element
// like any other: mask x where it is not zero.
#pragma once
#include "frontend/language/scope.h"

#include <optional>

namespace weft {

// A number for every axis, or one for all.
struct PerAxis {
  PerAxis(int64_t all) : list{all} {}                           // NOLINT
  PerAxis(int all) : list{all} {}                               // NOLINT
  PerAxis(std::initializer_list<int64_t> each) : list(each) {}  // NOLINT
  ir::Integers list;
};

// Zeros (for max_pool: nothing) before and behind every axis.
struct Padding {
  Padding(int64_t both) : low(both), high(both) {}  // NOLINT
  Padding(int both) : low(both), high(both) {}      // NOLINT
  Padding(PerAxis low, PerAxis high) : low(std::move(low)), high(std::move(high)) {}
  // As many positions as a stride of `stride` makes of the elements: ceil(S / stride). Of an odd
  // number of zeros the last one stands behind. Where stride is not 1 the size must be a number.
  static Padding same() { return {Kind::same}; }
  // Position t sees elements up to t * stride only.
  static Padding causal() { return {Kind::causal}; }

  enum class Kind : uint8_t { given, same, causal };
  Kind kind = Kind::given;
  PerAxis low = 0, high = 0;

 private:
  Padding(Kind kind) : kind(kind) {}  // NOLINT
};

struct ConvOptions {
  PerAxis stride = 1;
  Padding padding = 0;
  PerAxis dilation = 1;
  int64_t groups = 1;  // as many as channels: depthwise
  bool bias = true;    // where parameters are made for it
  Initializer weight = init::glorot_uniform();
};

// y[b,o,j] = bias[j] + sum_k,c x[b, o*stride + k*dilation - low, c] w[k,c,j]
// x: T[B,S,C], w: T[K,C/groups,N], bias: T[N] -> T[B,positions,N]
Tensor conv1d(const Tensor& x, const Tensor& w, const std::optional<Tensor>& bias = std::nullopt,
              const ConvOptions& options = {}, SourceLoc loc = SourceLoc::here());
// x: T[B,H,W,C], w: T[Kh,Kw,C/groups,N], bias: T[N] -> T[B,positions,positions,N]
Tensor conv2d(const Tensor& x, const Tensor& w, const std::optional<Tensor>& bias = std::nullopt,
              const ConvOptions& options = {}, SourceLoc loc = SourceLoc::here());

// The same with parameters W [window,C/groups,N] and b [N] at p (without bias W is at p itself).
// x: T[B,S,C] -> T[B,positions,N]
Tensor conv1d(const Scope& p, const Tensor& x, const Dim& n, int64_t window,
              const ConvOptions& options = {}, SourceLoc loc = SourceLoc::here());
// x: T[B,H,W,C] -> T[B,positions,positions,N]
Tensor conv2d(const Scope& p, const Tensor& x, const Dim& n, const PerAxis& window,
              const ConvOptions& options = {}, SourceLoc loc = SourceLoc::here());

// The adjoint of conv1d and conv2d in x, which makes as many elements as a convolution of these
// options makes positions of: (S-1)*stride + dilation*(window-1) + 1 - low - high + more.
// x: T[B,S,C], w: T[K,N/groups,C] -> T[B,elements,N]
Tensor conv_transpose1d(const Tensor& x, const Tensor& w, const ConvOptions& options = {},
                        int64_t more = 0, SourceLoc loc = SourceLoc::here());
// x: T[B,H,W,C], w: T[Kh,Kw,N/groups,C] -> T[B,elements,elements,N]
Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const ConvOptions& options = {},
                        int64_t more = 0, SourceLoc loc = SourceLoc::here());

struct PoolOptions {
  std::optional<PerAxis> stride = std::nullopt;  // the window's size where none is given
  Padding padding = 0;                           // less than a window
  bool count_padding = false;                    // as zeros, in means
};

// The greatest element of each window, channel by channel; padding is never the greatest.
// x: T[B,S,C] -> T[B,positions,C]
Tensor max_pool1d(const Tensor& x, int64_t window, const PoolOptions& options = {},
                  SourceLoc loc = SourceLoc::here());
// x: T[B,H,W,C] -> T[B,positions,positions,C]
Tensor max_pool2d(const Tensor& x, const PerAxis& window, const PoolOptions& options = {},
                  SourceLoc loc = SourceLoc::here());
// The mean of each window, of the elements that are there (or with zeros for padding).
// x: T[B,S,C] -> T[B,positions,C]
Tensor avg_pool1d(const Tensor& x, int64_t window, const PoolOptions& options = {},
                  SourceLoc loc = SourceLoc::here());
// x: T[B,H,W,C] -> T[B,positions,positions,C]
Tensor avg_pool2d(const Tensor& x, const PerAxis& window, const PoolOptions& options = {},
                  SourceLoc loc = SourceLoc::here());

}  // namespace weft
