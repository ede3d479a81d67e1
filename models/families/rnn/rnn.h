// models/families/rnn/rnn.h -- recurrent encoder-decoders, with and without attention.
//
//   additive             RNNsearch, Bahdanau et al. 2015, appendix A: attention looks with the state
//                        before the step; its context enters the decoder's cell and the readout
//   dot, general, concat Luong et al. 2015: attention looks with the state after the step,
//                        h~ = tanh(Wc [c; h]) is read out, and fed into the next step if asked
//   monotonic            Raffel et al. 2017, with chunks Chiu and Raffel 2018: as additive, but attention
//                        only moves on
//   none                 Sutskever et al. 2014: the encoder's last state alone
//
// and what else the field has of them: the conditional GRU and deep transitions of Nematus, residual
// layers, local attention, coverage, copying.
//
// All are one Config and one decoder step, which training (in a loop over the target), decoding
// (one executable for all steps) and heat maps share.
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

namespace weft::rnn {

enum class AttentionKind { none, additive, dot, general, concat, monotonic };
enum class Readout {
  plain,   // the state (Luong: h~) itself
  tanh,    // tanh(Uo s_t + Vo y_{t-1} + Co c_t)
  maxout,  // maxout(Uo s_{t-1} + Vo y_{t-1} + Co c_t), Bahdanau et al. 2015, appendix A.2.2
};

enum class Start {  // the decoder's first state is made of
  last,             // the encoder's last states
  mean              // the mean of the annotations (Nematus; Xu et al. 2015)
};
enum class Coverage {
  none,
  sum,       // of the attention so far (See et al. 2017, eq. 10-11)
  fertility  // divided by how many target tokens a source token is worth (Tu et al. 2016, eq. 6-8)
};

struct Config {
  data::Source source;
  int64_t target_vocabulary = 0;
  CellKind cell = CellKind::gru;
  AttentionKind attention = AttentionKind::additive;
  int64_t embedding = 256;
  int64_t hidden = 512;
  int64_t attention_width = 0;  // 0: as hidden
  int64_t readout_width = 0;    // 0: as hidden
  int64_t layers = 1;
  bool bidirectional = true;
  bool input_feeding = false;
  bool residual = false;
  int64_t pyramid = 0;  // layers of the encoder that read two positions as one
  int64_t encoder_transitions = 0, decoder_transitions = 0;  // cells without input, each step
  bool conditional = false;  // attention between two cells of a step
  Start start = Start::last;
  MonotonicOptions monotonic;
  int64_t local_window = 0;  // local-p: keys on either side of the predicted one; 0: global
  Coverage coverage = Coverage::none;
  double most_fertility = 2;  // N of Tu et al.
  double coverage_loss = 0;   // of attention to what is covered (See et al. 2017, eq. 12-13)
  bool copy = false;          // of source tokens (See et al. 2017, eq. 8-9)
  Readout readout = Readout::maxout;
  bool cell_bias = true;
  bool output_bias = true;
  double dropout = 0;
  bool variational_dropout = false;  // one mask for all positions
  double source_word_dropout = 0, target_word_dropout = 0;
  double label_smoothing = 0;  // in training only
  // Scheduled sampling (Bengio et al. 2015): the probability with which the decoder is given its own
  // last word, reached in a line over so many steps.
  double scheduled_sampling = 0;
  int64_t scheduled_sampling_steps = 0;
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
bool has_attention(const Config& config);
inline int64_t most_positions(const Config&) { return 0; }
inline int64_t window(const Config&) { return 0; }
inline int64_t reduction(const Config& config) { return int64_t{1} << config.pyramid; }

// The names of recipes: "gru", "additive", "maxout", ...; GraphError listing them for any other.
CellKind cell_named(std::string_view name);
AttentionKind attention_named(std::string_view name);
std::string_view name(CellKind kind);
std::string_view name(AttentionKind kind);

// What the decoder looks at.
struct Memory {
  Tensor h;          // annotations T[B,S,E]
  Tensor mask;       // pred[B,S]
  Tensor keys;       // h projected for the score, T[B,S,A]; where the caller has it
  Tensor fertility;  // T[B,S]; of coverage by it
  Tensor tokens;     // s32[B,S], the source; where it may be copied
};

struct State {
  std::vector<CellState> layers;
  Tensor fed;        // h~ of the step before, T[B,H]; with input feeding
  Tensor coverage;   // T[B,S], of the steps before; with coverage
  Tensor alignment;  // T[B,S], where attention stood; monotonic
};

struct Encoded {
  Memory memory;
  State start;  // the decoder's first state
};

struct Step {
  State state;
  Tensor logits;    // T[B,V]
  Tensor weights;   // T[B,S]; with attention
  Tensor generate;  // T[B]: the probability that the token is not copied; with copying
  Tensor repeated;  // T[B]: sum_j min(a_j, coverage_j), eq. 12 of See et al.; with coverage
};

struct Decoded {
  Tensor logits;              // T[T,B,V]; zero where a row has ended
  Tensor weights;             // T[T,B,S]; where wanted
  Tensor generate, repeated;  // T[T,B]; likewise, where there are any
};

// x: T[S,B,M] (embedded), lengths: s32[B] -> annotations and the decoder's first state
Encoded encode(const Scope& p, const Config& config, const Tensor& x, const Tensor& lengths,
               const Noise& noise = {}, SourceLoc loc = SourceLoc::here());
// source: of config.source's kind, lengths: s32[B]; embeds or projects first
Encoded encode_source(const Scope& p, const Config& config, const Tensor& source,
                      const Tensor& lengths, const Noise& noise = {},
                      SourceLoc loc = SourceLoc::here());
// The projection of h that the score needs (none for dot): what a decoder computes once.
Tensor memory_keys(const Scope& p, const Config& config, const Tensor& h,
                   SourceLoc loc = SourceLoc::here());

// How many target tokens each source token is worth, at most N: T[B,S]      (Tu et al. 2016, eq. 8)
Tensor fertility(const Scope& p, const Config& config, const Tensor& h,
                 SourceLoc loc = SourceLoc::here());

// With copying: log of P(w) = g P_vocab(w) + (1 - g) sum of a_j over x_j = w (See et al. 2017, eq. 9)
// for all tokens.      logits: T[R,V], weights: T[R,S], generate: T[R], tokens: s32[R,S] -> T[R,V]
Tensor log_mixture(const Tensor& logits, const Tensor& weights, const Tensor& generate,
                   const Tensor& tokens, SourceLoc loc = SourceLoc::here());
// -log P of labels alone: logits: T[T,B,V], weights: T[T,B,S], generate: T[T,B], tokens: s32[B,S],
// labels: s32[T,B] -> T[T,B]
Tensor mixture_losses(const Tensor& logits, const Tensor& weights, const Tensor& generate,
                      const Tensor& tokens, const Tensor& labels,
                      SourceLoc loc = SourceLoc::here());

// One step of the decoder. y: T[B,M], the embedded token before; position: s32[], for noise only
Step decode_step(const Scope& p, const Config& config, const Memory& memory, const State& state,
                 const Tensor& y, const Noise& noise = {}, const Tensor& position = {},
                 SourceLoc loc = SourceLoc::here());

// Teacher forcing, or with `sampling` (f32[], a probability), at random positions, what the model
// itself says is most likely. y: T[T,B,M], embedded; lengths: s32[B]
Decoded decode(const Scope& p, const Config& config, const Encoded& encoded, const Tensor& y,
               const Tensor& lengths, bool want_weights = false, const Noise& noise = {},
               const Tensor& sampling = {}, SourceLoc loc = SourceLoc::here());

// --- whole graphs. Inputs are named as the fields of data::Batch.

// inputs source (s32[B,S] of tokens), source_lengths s32[B], target_in, target_out s32[B,T], target_lengths
// s32[B], and with dropout row_ids s64[B], step s64[] -> loss f32[], the mean over live target
// tokens, and tokens f32[], their number. `training`: dropout is on.
ir::Graph loss_graph(const Config& config, bool training = true);
// inputs source, source_lengths -> memory h, keys, fertility, source_tokens (those there are),
// state.*: what step_graph takes
ir::Graph encode_graph(const Config& config);
// A step of a search: memory source_lengths, h, keys, ...; states state.*
ir::Graph step_graph(const Config& config, const search::StepOptions& options = {});
// inputs source, source_lengths, target_in, target_lengths -> weights f32[B,T,S]
ir::Graph attention_graph(const Config& config);

}  // namespace weft::rnn
