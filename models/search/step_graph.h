// models/search/step_graph.h -- one step of a decoder as a search runs it, for all beams of all
// sentences.
//
//   StepGraph step("step", {.beam = 5});
//   Tensor h = step.memory("h", f32, {dim("S"), 1024});    // of the encoder, per sentence
//   Tensor s = step.state("state.0.h", {512});              // f32[B*K,512], the row's own history
//   ...
//   step.next("state.0.h", s1);
//   ir::Graph graph = step.finish(logits, weights);
//
// A row is one hypothesis; sentence b has rows b*K .. b*K+K-1. What belongs to a sentence (memory)
// is never repeated for its beams: attention takes them as K queries. States follow the beams
// (a gather of rows at the start of the step); the keys and values of earlier steps stay where they
// were written, and `visible` says which of them are a row's own.
//
// Of every row the graph names the best continuations: 2K, as many more as there are tokens that are
// never produced, or all where the vocabulary has no more. Since at most K of a sentence's best 2K
// are </s>, K that go on are always among them (Ott et al. 2019, fairseq). <pad> and <s> are for the
// search to pass over: their probability is lost, not shared out, so that scores stay those of the
// loss.
//
// K, the beams of a sentence, is a size like B where the beam is larger than 1: the first step of a
// search has one.
//
// Inputs: token s32[B,K]; with a beam above 1 origin s32[B,K], which beam of the step before a row
// goes on with; position s32[], if asked for; memory; states and caches, all donated.
// Results: candidate_token s32[B,K,N], the best first, with candidate_score f32[B,K,N], their
// log-probabilities, or candidate_logit where nobody asks for scores; or instead log_probability
// f32[B,K,V], of the whole vocabulary; weights f32[B,K,S], if asked for; states and caches under their
// own names.
#pragma once
#include "frontend/weft.h"
#include "models/data/tokens/special_ids.h"

#include <string>
#include <vector>

namespace weft::search {

struct StepOptions {
  int64_t beam = 1;
  bool weights = false;  // attention weights are a result
  bool scores = true;    // off, with a beam of 1: which token is likeliest, not how likely
  bool log_probabilities = false;  // those of the whole vocabulary, instead of candidates
  bool normalizer = false;         // and log_normalizer f32[B,K]: a logit less its log-probability
  data::SpecialIds ids;            // of the target

  bool operator==(const StepOptions&) const = default;
};

class StepGraph {
 public:
  explicit StepGraph(std::string name, const StepOptions& options);

  Scope scope() const { return model_.scope(); }
  int64_t beam() const { return options_.beam; }
  bool wants_weights() const { return options_.weights; }
  const Dim& sentences() const { return sentences_; }  // B
  const Dim& beams() const { return beams_; }          // K: 1, or the size of that name
  Dim rows() const { return sentences_ * beams_; }

  Tensor token() const { return token_; }  // s32[B*K]
  Tensor position();                       // s32[], 0 in the first step

  // -> dtype[B,shape...], as the encoder yields it
  Tensor memory(const std::string& name, DType dtype, const Shape& shape);
  // -> f32[B*K,shape...]; the encoder yields its first value f32[B,shape...], or it is zeros
  Tensor state(const std::string& name, const Shape& shape);
  void next(const std::string& name, const Tensor& x);  // of state's type

  // x: f32[B*K,W], a key or value of this step -> f32[B,C*K,W], those of all steps so far, this one
  // included; C is the capacity, in steps. What was not written is 0.
  Tensor cached(const std::string& name, const Tensor& x);
  // From here on caches are rings of C steps: each is written over the one C steps before. For
  // decoders that look back no further than the steps a search gives them (DecoderTraits::window).
  void keep_last() { ring_ = true; }
  // -> s32[C*K]: the steps that the entries of `cached` are of; below 0: none so far
  Tensor entry_steps();
  // -> pred[B,K,C*K]: may the query of row (b,k) look at entry j of `cached`?
  Tensor visible();

  // x: T[B*K,...] <-> T[B,K,...]
  Tensor by_sentence(const Tensor& x) const;
  Tensor by_row(const Tensor& x) const;

  // logits: f32[B*K,V], weights: f32[B,K,S] or f32[B*K,S] or none
  ir::Graph finish(const Tensor& logits, const Tensor& weights = {});

 private:
  Tensor reordered(const Tensor& x);  // rows of the beams that the rows go on with
  Tensor slot();                      // s32[]: where caches have this step
  Tensor size_of(const Dim& dim);     // s32[]

  Model model_;
  StepOptions options_;
  Dim sentences_, beams_;
  bool ring_ = false;
  Tensor token_, origin_, position_, slot_, visible_;
  std::vector<std::string> carried_;
};

}  // namespace weft::search
