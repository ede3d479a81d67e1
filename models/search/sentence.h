// models/search/sentence.h -- what a search knows of one sentence: its beams, and all that they
// have tried.
#pragma once
#include "models/search/beam_search.h"
#include "models/search/proposals.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weft::search {

// What a step says to a sentence: the best candidates, or whole distributions.
struct StepView {
  std::span<const Candidate> candidates;  // of all its rows, the best first
  const Distribution* distribution = nullptr;
  StepWeights weights;
};

class Sentence {
 public:
  // limit: tokens of a hypothesis, its end counted; source: positions; noise: what its samples are
  // drawn by; by_source: what changes its scores beside the rules. `rules` and `demands` must outlive
  // it.
  Sentence(Rules& rules, const Demands& demands, int64_t limit, int64_t source, uint64_t noise,
           SourceProcessors by_source = {});

  // One step. Returns what the rows go on with, one each, with the score -inf where nothing does.
  // Throws GraphError where a score is NaN.
  std::span<const Candidate> advance(const StepView& step);
  // Of the first beam: what goes on, at first one hypothesis of no token.
  std::span<const Candidate> open() const { return beams_.front().open(); }
  bool done() const;
  Hypotheses best() const;
  // What all hypotheses that may become the best begin with, without </s>.
  std::vector<int32_t> stable() const;

 private:
  Choice choice_of(const Beam& beam, const StepView& step, std::span<const int32_t> chosen);
  std::vector<int32_t> tokens(int32_t last) const;  // without </s>

  Rules* rules_;
  const Demands* demands_;
  SourceProcessors by_source_;
  int64_t limit_;
  uint64_t noise_;
  History history_;
  std::vector<Beam> beams_;               // one, or by group or sample
  std::vector<PhraseProgress> progress_;  // by row; where there are phrases
  std::vector<Candidate> next_;
};

}  // namespace weft::search
