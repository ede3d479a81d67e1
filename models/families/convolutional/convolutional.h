// models/families/convolutional/convolutional.h -- convolutional sequence to sequence (Gehring et al.
// 2017).
//
// Blocks of a convolution to twice the width, a gated linear unit and a residual; the decoder's see
// their own and earlier positions, and each of its blocks attends to the source. What is attended to
// are the encoder's output (keys) and that with the embeddings it began with (values).
//
// The paper's normalisation of weights and its scaling of the encoder's gradients are left out; sums
// of two are scaled by the root of 1/2, weights start as in its section 3.5.
#pragma once
#include "frontend/weft.h"
#include "models/families/batch_inputs.h"
#include "models/families/family.h"
#include "models/families/spec_augment.h"
#include "models/families/training_loss.h"
#include "models/search/step_graph.h"

#include <vector>

namespace weft::convolutional {

enum class PositionKind { learned, sinusoidal };

struct Config {
  data::Source source;
  int64_t target_vocabulary = 0;
  int64_t embedding = 256;
  int64_t hidden = 256;
  int64_t kernel = 3;
  int64_t encoder_layers = 4, decoder_layers = 3;
  PositionKind positions = PositionKind::learned;
  int64_t max_positions = 1024;
  double dropout = 0;
  double source_word_dropout = 0, target_word_dropout = 0;
  double label_smoothing = 0;
  seq2seq::SpecAugment spec_augment;
  seq2seq::ImageEncoder image;
  seq2seq::GuidedAlignment guided;  // of the mean of the layers' attention
  bool weighted = false;            // the loss weighs rows by row_weights
  bool by_token = false;            // when it is measured, it shows what each token loses
  uint64_t seed = 1;                // of dropout's masks

  bool operator==(const Config&) const = default;
};

extern const seq2seq::Family kFamily;
inline const seq2seq::Family& family_of(const Config&) { return kFamily; }

// What recipes say, with ranges and meanings.
void fields(Config& config, settings::Fields& f);
// Throws GraphError where a field is out of range or fields do not go together, saying which.
void check(const Config& config);
inline bool has_attention(const Config&) { return true; }
inline int64_t most_positions(const Config& config) {
  return config.positions == PositionKind::learned ? config.max_positions : 0;
}
inline int64_t window(const Config&) { return 0; }

// What the decoder looks at.
struct Memory {
  Tensor keys, values;  // T[B,S,M]
  Tensor lengths;       // s32[B]
};

struct Decoded {
  Tensor logits;   // T[B,T,V]
  Tensor weights;  // T[B,T,S], the mean over the layers
};

// source: of config.source's kind, lengths: s32[B]
Memory encode(const Scope& p, const Config& config, const Tensor& source, const Tensor& lengths,
              const Noise& noise = {}, SourceLoc loc = SourceLoc::here());
// All positions at once, each seeing those before it. target: s32[B,T]
Decoded decode(const Scope& p, const Config& config, const Memory& memory, const Tensor& target,
               const Noise& noise = {}, SourceLoc loc = SourceLoc::here());
// One position of K beams of each sentence; what convolutions read before is in states past.<layer>.
// -> logits T[B,K,V], weights T[B,K,S]
Decoded decode_step(search::StepGraph& step, const Config& config, const Memory& memory,
                    SourceLoc loc = SourceLoc::here());

// --- whole graphs. Inputs are named as the fields of data::Batch.

// As those of the other families: loss f32[], tokens f32[]; encode: keys, values f32[B,S,M]; step:
// memory source_lengths, keys, values, states past.<layer>; attention: weights f32[B,T,S].
ir::Graph loss_graph(const Config& config, bool training = true);
ir::Graph encode_graph(const Config& config);
ir::Graph step_graph(const Config& config, const search::StepOptions& options = {});
ir::Graph attention_graph(const Config& config);

}  // namespace weft::convolutional
