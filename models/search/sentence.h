// models/search/sentence.h -- what a search knows of one sentence: its hypotheses, open and
// finished.
#pragma once
#include "models/search/beam_search.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weft::search {

// A continuation that the step graph proposes.
struct Candidate {
  double score;  // log-probability of the whole
  int32_t token;
  int32_t origin;  // beam it continues
};

class Sentence {
 public:
  // limit: tokens of a hypothesis, its `end` counted
  Sentence(int64_t beam, int64_t limit, int32_t end, const SearchOptions& options);

  // One step. `candidates`, the best first; `weights` of a beam: what it looked at in this step
  // (may be empty). Returns what the beams go on with, at most `beam`, the best first. Throws
  // GraphError where a score is NaN.
  std::span<const Candidate> advance(std::span<const Candidate> candidates,
                                     const std::vector<std::vector<float>>& weights);
  // What the beams go on with: what `advance` returned, at first one hypothesis of no token.
  std::span<const Candidate> open() const { return next_; }
  bool done() const { return done_; }
  Hypotheses best() const;

 private:
  struct Token {
    int32_t before;  // in tokens_; -1: none
    int32_t id;
    std::vector<float> weights;
  };
  struct Finished {
    int32_t last;
    int64_t length;
    bool ended;
    double log_probability, score;
  };

  int32_t append(const Candidate& c, const std::vector<std::vector<float>>& weights);
  void finish(int32_t last, double log_probability, bool ended);

  int64_t beam_, limit_, steps_ = 0;
  int32_t end_;
  SearchOptions options_;
  bool done_ = false;
  std::vector<Token> tokens_;  // of all hypotheses there ever were, each pointing back
  std::vector<int32_t> open_;  // by beam: its last token
  std::vector<Candidate> next_;
  std::vector<Finished> finished_;  // the best first
};

}  // namespace weft::search
