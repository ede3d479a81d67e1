// frontend/nn/transformer.h -- the layers of a transformer (Vaswani et al. 2017, section 3.1).
//
//   post-norm   x = norm(x + f(x))          as in the paper
//   pre-norm    x = x + f(norm(x))          Xiong et al. 2020; the stack ends with a norm
//
// f is attention, then the feed-forward network; dropout comes before the sum. Sequences are
// batch-major, T[B,T,M]. Training and decoding share `decoder_layer`: what it attends to of its own
// past are its own keys and values, or those of a cache that they are written to.
//
// Throws GraphError, at the line of the call, where shapes or settings do not go together.
#pragma once
#include "frontend/nn/multi_head.h"
#include "frontend/nn/norm.h"

#include <functional>

namespace weft {

enum class NormKind { layer, rms };
enum class FeedForwardKind {
  relu,
  gelu,
  gelu_tanh,
  silu,
  reglu,       // relu(x W) * (x V); this and what follows: Shazeer 2020
  geglu,       // gelu(x W) * (x V)
  geglu_tanh,  // the same, gelu by its approximation with tanh (T5 1.1)
  swiglu       // silu(x W) * (x V)
};
// Has it a second product, V?
bool is_gated(FeedForwardKind kind);

struct TransformerOptions {
  MultiHeadOptions attention;
  int64_t feed_forward = 2048;  // width between the two products
  FeedForwardKind activation = FeedForwardKind::relu;
  NormKind norm = NormKind::layer;
  double eps = 1e-5;               // of the norms
  bool pre_norm = false;           // else post-norm
  bool bias = true;                // of the feed-forward network
  double dropout = 0;              // of what is added to x, and between the two products
  double activation_dropout = -1;  // between them, where that is another one; below 0: it is not
  Noise noise;
};

// y = f(x W1 + b1) W2 + b2      x: T[...,M] -> T[...,M]
// Parameters in/W [M,F], in/b [F], out/W [F,M], out/b [M], gated: gate/W [M,F], gate/b [F]
Tensor feed_forward(const Scope& p, const Tensor& x, const TransformerOptions& options,
                    SourceLoc loc = SourceLoc::here());

// Of the options' kind.      x: T[...,M] -> T[...,M]
Tensor norm(const Scope& p, const Tensor& x, const TransformerOptions& options,
            SourceLoc loc = SourceLoc::here());

struct EncoderLayer {
  Tensor x;        // T[B,S,M]
  Tensor weights;  // of self-attention, T[B,heads,S,S]
};

// x: T[B,S,M], mask and bias as for multi_head_attention
// Parameters at p/self, p/feed_forward, p/self_norm, p/feed_forward_norm
EncoderLayer encoder_layer(const Scope& p, const Tensor& x, const Tensor& mask, const Tensor& bias,
                           const TransformerOptions& options, SourceLoc loc = SourceLoc::here());
// The same with self-attention of another kind: of its scope, p/self, and its input T[B,S,M].
using SelfAttention = std::function<MultiHeadAttended(const Scope&, const Tensor&)>;
EncoderLayer encoder_layer(const Scope& p, const Tensor& x, const SelfAttention& attend,
                           const TransformerOptions& options, SourceLoc loc = SourceLoc::here());

// What a decoder's layer attends to.
struct DecoderSources {
  KeysValues memory;   // of the source, from decoder_memory
  Tensor memory_mask;  // broadcasts to [B,heads,T,S], or none
  Tensor self_mask;    // broadcasts to [B,heads,T,T'], T' being the keys of its past
  Tensor self_bias;    // the same, or none
  Rotation rotation;   // of its own queries and keys, or none
  SelfAttention self;  // what stands in the place of self-attention, or none
  // Decoding: from the keys and values of x, T[B,T,heads,D], to those of its whole past,
  // T[B,T',heads,D]. None: x is all there is.
  std::function<KeysValues(const KeysValues&)> past;
};

struct DecoderLayer {
  Tensor x;             // T[B,T,M]
  Tensor weights;       // of attention to the source, T[B,heads,T,S]
  Tensor self_weights;  // of self-attention, T[B,heads,T,T']
};

// h: T[B,S,M], the encoder's output -> what a layer's attention to the source reads
KeysValues decoder_memory(const Scope& p, const Tensor& h, const TransformerOptions& options,
                          SourceLoc loc = SourceLoc::here());

// x: T[B,T,M] -> T[B,T,M]
// Parameters at p/self, p/cross, p/feed_forward and the norms p/self_norm, p/cross_norm,
// p/feed_forward_norm
DecoderLayer decoder_layer(const Scope& p, const Tensor& x, const DecoderSources& view,
                           const TransformerOptions& options, SourceLoc loc = SourceLoc::here());

}  // namespace weft
