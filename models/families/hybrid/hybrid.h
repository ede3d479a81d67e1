// models/families/hybrid/hybrid.h -- a transformer's encoder with a recurrent decoder (Chen et al.
// 2018, "The Best of Both Worlds", section 5).
//
// The decoder is of RNMT+'s kind (section 3 there) with GRUs: attention looks with the first layer's
// state before the step, and what it finds goes into every layer and into the readout; layers but the
// first add what they read. Attention has one head, of Bahdanau et al. 2015.
#pragma once
#include "frontend/weft.h"
#include "models/families/batch_inputs.h"
#include "models/families/family.h"
#include "models/families/spec_augment.h"
#include "models/families/training_loss.h"
#include "models/search/step_graph.h"

namespace weft::hybrid {

struct Config {
  data::Source source;
  int64_t target_vocabulary = 0;
  int64_t width = 256, heads = 4, feed_forward = 1024;  // of the encoder
  int64_t encoder_layers = 4;
  bool pre_norm = true;
  int64_t embedding = 256, hidden = 256;  // of the decoder
  int64_t decoder_layers = 2;
  int64_t attention_width = 256;
  double dropout = 0;
  double source_word_dropout = 0, target_word_dropout = 0;
  double label_smoothing = 0;
  seq2seq::SpecAugment spec_augment;
  seq2seq::ImageEncoder image;
  seq2seq::GuidedAlignment guided;
  bool weighted = false;  // the loss weighs rows by row_weights
  bool by_token = false;  // when it is measured, it shows what each token loses
  uint64_t seed = 1;      // of dropout's masks

  bool operator==(const Config&) const = default;
};

extern const seq2seq::Family kFamily;
inline const seq2seq::Family& family_of(const Config&) { return kFamily; }

// What recipes say, with ranges and meanings.
void fields(Config& config, settings::Fields& f);
// Throws GraphError where a field is out of range or fields do not go together, saying which.
void check(const Config& config);
inline bool has_attention(const Config&) { return true; }
inline int64_t most_positions(const Config&) { return 0; }
inline int64_t window(const Config&) { return 0; }

// Whole graphs; inputs are named as the fields of data::Batch.
//   loss       loss f32[], tokens f32[]
//   encode     h f32[B,S,M], keys f32[B,S,A], state.<layer> f32[B,H]
//   step       memory source_lengths, h, keys; states state.<layer>
//   attention  weights f32[B,T,S]
ir::Graph loss_graph(const Config& config, bool training = true);
ir::Graph encode_graph(const Config& config);
ir::Graph step_graph(const Config& config, const search::StepOptions& options = {});
ir::Graph attention_graph(const Config& config);

}  // namespace weft::hybrid
