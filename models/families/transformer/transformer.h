// models/families/transformer/transformer.h -- encoder-decoder transformers.
//
// Vaswani et al. 2017 and what became of it: pre- and post-norm, layer norm or RMS norm, positions of
// five kinds, self-attention or what others put in its place, gated feed-forward networks, the
// vocabulary's scores tied to the target embedding. T5, BART and their kin are settings of it
// (models/published). Training (all target positions at once) and decoding (one position a step, its
// past in caches) are the same layers.
#pragma once
#include "frontend/weft.h"
#include "models/families/batch_inputs.h"
#include "models/families/family.h"
#include "models/families/spec_augment.h"
#include "models/families/training_loss.h"
#include "models/search/step_graph.h"

#include <string>
#include <string_view>
#include <vector>

namespace weft::transformer {

enum class PositionKind {
  sinusoidal,  // Vaswani et al. 2017, section 3.5
  learned,     // one vector a position, up to max_positions
  relative,    // Raffel et al. 2020: a bias of self-attention, shared by all layers of a stack
  rotary,      // Su et al. 2021: queries and keys of self-attention are turned
  alibi        // Press et al. 2022: a bias of self-attention that falls with distance
};

// What a layer has in the place of self-attention.
enum class Mixing {
  attention,
  light,    // Wu et al. 2019: a light convolution
  dynamic,  // a dynamic one
  ssru      // Kim et al. 2019, of decoders: a simple recurrent unit
};

struct Config {
  data::Source source;
  int64_t target_vocabulary = 0;
  int64_t width = 256;
  int64_t heads = 4;
  int64_t head_width = 0;  // 0: the width shared out
  int64_t feed_forward = 1024;
  int64_t encoder_layers = 3, decoder_layers = 3;
  int64_t decoder_heads = 0, decoder_feed_forward = 0;  // 0: as the encoder's
  FeedForwardKind activation = FeedForwardKind::relu;
  NormKind norm = NormKind::layer;
  double norm_eps = 0;  // 0: 1e-5, of RMS norm 1e-6
  Mixing encoder_self = Mixing::attention, decoder_self = Mixing::attention;
  int64_t kernel = 7;                                     // positions of a convolution's window
  std::vector<int64_t> encoder_kernels, decoder_kernels;  // the same, layer by layer
  PositionKind positions = PositionKind::sinusoidal;
  Sinusoids sinusoids = Sinusoids::interleaved;
  int64_t max_positions = 1024;
  int64_t target_positions = 0;  // of a target; 0: as max_positions
  int64_t first_position = 0;
  int64_t position_buckets = 32, position_distance = 128;  // of relative ones
  bool pre_norm = true;
  bool final_norm = true;
  bool embedding_norm = false;
  double embedding_scale = 0;  // 0: sqrt(width), where positions are relative 1
  double attention_scale = 0;  // 0: 1/sqrt(head width)
  double output_scale = 1;     // of the decoder's output, before the vocabulary's scores
  bool bias = true;
  bool tied_output = true;
  bool output_bias = true;
  bool shared_embedding = false;
  int64_t fixed_token = -1;  // of either vocabulary: its embedding is not trained where looked up
  int64_t window = 0;
  int64_t encoder_window = 0;          // of the encoder alone; 0: as window
  std::vector<int64_t> layer_windows;  // the same, layer by layer; none: all have that one
  int64_t global_block = 0;            // transient global attention (Guo et al. 2022); 0: none
  bool global_first = false;  // the first token sees all and is seen by all (Beltagy et al. 2020)
  double dropout = 0;
  double attention_dropout = 0;
  double activation_dropout = -1;  // within feed-forward networks; -1: as dropout
  // Whole layers are left out of a step of training (Fan et al. 2020, "LayerDrop").
  double encoder_layer_dropout = 0, decoder_layer_dropout = 0;
  bool final_dropout = false;  // of what each stack gives, as T5 has it
  double source_word_dropout = 0, target_word_dropout = 0;
  double label_smoothing = 0;
  seq2seq::SpecAugment spec_augment;
  seq2seq::ImageEncoder image;
  seq2seq::GuidedAlignment guided;  // of the mean of the last layer's heads
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
int64_t most_positions(const Config& config);
inline int64_t window(const Config& config) {
  return config.decoder_self == Mixing::attention ? config.window : 0;
}
inline int64_t most_target_positions(const Config& config) {
  const bool own = config.positions == PositionKind::learned && config.target_positions > 0;
  return own ? config.target_positions : most_positions(config);
}
inline int64_t decoder_heads(const Config& config) {
  return config.decoder_heads > 0 ? config.decoder_heads : config.heads;
}

std::string_view name(PositionKind kind);  // as recipes have it

// What the decoder looks at: of each layer the projected annotations.
struct Memory {
  std::vector<KeysValues> layers;  // T[B,S,heads,D]
  Tensor mask;                     // pred[B,S]
};

struct Decoded {
  Tensor logits;                     // T[B,T,V]
  Tensor weights;                    // of the last layer's attention to the source, T[B,heads,T,S]
  std::vector<Tensor> by_layer;      // of every layer
  std::vector<Tensor> self_weights;  // of every layer's self-attention, if any, T[B,heads,T,T']
  std::vector<Tensor> states;        // T[B,T,M]: what every layer is given, and the last norm's
};

struct Encoded {
  Tensor annotations;                // T[B,S,M]
  std::vector<Tensor> self_weights;  // by layer, T[B,heads,S,S]; of attention
  std::vector<Tensor> states;        // T[B,S,M]: what every layer is given, and the annotations
};

// source: of config.source's kind, lengths: s32[B]
Encoded encode(const Scope& p, const Config& config, const Tensor& source, const Tensor& lengths,
               const Noise& noise = {}, SourceLoc loc = SourceLoc::here());
// h: T[B,S,M], lengths: s32[B]
Memory project_memory(const Scope& p, const Config& config, const Tensor& h, const Tensor& lengths,
                      SourceLoc loc = SourceLoc::here());

// All positions at once, each seeing those before it. target: s32[B,T]
Decoded decode(const Scope& p, const Config& config, const Memory& memory, const Tensor& target,
               const Noise& noise = {}, SourceLoc loc = SourceLoc::here());

// One position of K beams of each sentence, whose past is in the step's caches -> logits T[B,K,V],
// weights T[B,heads,K,S]
Decoded decode_step(search::StepGraph& step, const Config& config, const Memory& memory,
                    SourceLoc loc = SourceLoc::here());

// --- whole graphs. Inputs are named as the fields of data::Batch.

// inputs source (s32[B,S] of tokens), source_lengths s32[B], target_in, target_out s32[B,T], target_lengths
// s32[B], and with dropout row_ids s64[B], step s64[] -> loss f32[], the mean over live target
// tokens, and tokens f32[], their number. `training`: dropout and label smoothing are on.
ir::Graph loss_graph(const Config& config, bool training = true);
// inputs source, source_lengths -> memory.<layer>.keys, memory.<layer>.values f32[B,S,heads,D]:
// what step_graph takes
ir::Graph encode_graph(const Config& config);
// A step of a search: memory source_lengths, memory.*; caches past.<layer>.keys,
// past.<layer>.values, or a state past.<layer> of convolutions and recurrent units; weights are those
// of the last layer, the mean of its heads
ir::Graph step_graph(const Config& config, const search::StepOptions& options = {});
// inputs source, source_lengths, target_in, target_lengths -> weights f32[B,T,S], of the last
// layer, the mean of its heads; weights.<layer> f32[B,heads,T,S]
ir::Graph attention_graph(const Config& config);

}  // namespace weft::transformer
