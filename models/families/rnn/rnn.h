// models/families/rnn/rnn.h -- recurrent encoder-decoders, with and without attention.
//
//   additive             RNNsearch, Bahdanau et al. 2015, appendix A: attention looks with the state
//                        before the step; its context enters the decoder's cell and the readout
//   dot, general, concat Luong et al. 2015: attention looks with the state after the step,
//                        h~ = tanh(Wc [c; h]) is read out, and fed into the next step if asked
//   none                 Sutskever et al. 2014: the encoder's last state alone
//
// All are one Config and one decoder step, which training (in a loop over the target), decoding
// (one executable for all steps) and heat maps share.
#pragma once
#include "frontend/weft.h"
#include "models/families/family.h"
#include "models/families/training_loss.h"
#include "models/search/step_graph.h"

#include <string>
#include <string_view>
#include <vector>

namespace weft::rnn {

enum class AttentionKind { none, additive, dot, general, concat };
enum class Readout {
  plain,   // the state (Luong: h~) itself
  tanh,    // tanh(Uo s_t + Vo y_{t-1} + Co c_t)
  maxout,  // maxout(Uo s_{t-1} + Vo y_{t-1} + Co c_t), Bahdanau et al. 2015, appendix A.2.2
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

// The names of recipes: "gru", "additive", "maxout", ...; GraphError listing them for any other.
CellKind cell_named(std::string_view name);
AttentionKind attention_named(std::string_view name);
std::string_view name(CellKind kind);
std::string_view name(AttentionKind kind);

// What the decoder looks at.
struct Memory {
  Tensor h;     // annotations T[B,S,E]
  Tensor mask;  // pred[B,S]
  Tensor keys;  // h projected for the score, T[B,S,A]; where the caller has it
};

struct State {
  std::vector<CellState> layers;
  Tensor fed;  // h~ of the step before, T[B,H]; with input feeding
};

struct Encoded {
  Memory memory;
  State start;  // the decoder's first state
};

struct Step {
  State state;
  Tensor logits;   // T[B,V]
  Tensor weights;  // T[B,S]; with attention
};

struct Decoded {
  Tensor logits;   // T[T,B,V]; zero where a row has ended
  Tensor weights;  // T[T,B,S]; where wanted
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

// One step of the decoder. y: T[B,M], the embedded token before; position: s32[], for dropout only
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
// inputs source, source_lengths -> memory h and keys, state.*: what step_graph takes
ir::Graph encode_graph(const Config& config);
// A step of a search: memory source_lengths, h, keys; states state.*
ir::Graph step_graph(const Config& config, const search::StepOptions& options = {});
// inputs source, source_lengths, target_in, target_lengths -> weights f32[B,T,S]
ir::Graph attention_graph(const Config& config);

}  // namespace weft::rnn
