// models/search/beam.h -- a beam of one sentence: what goes on, what has finished, and whether it is
// done (the rules of search_options.h).
#pragma once
#include "models/search/history.h"
#include "models/search/search_options.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weft::search {

// A hypothesis, continued.
struct Candidate {
  double score;  // what it competes by: log-probabilities, changed by processors
  int32_t token;
  int32_t origin;          // the row of the sentence it continues
  double log_probability;  // of the whole, as the model has it
};

// What becomes of a step's candidates; each list has the best first.
struct Choice {
  std::vector<Candidate> finished;  // those that end
  std::vector<Candidate> next;      // those that go on, at most as many as the beam is wide
};

struct Finished {
  int32_t last;  // place in the history
  bool ended;
  double log_probability, score;
};

// Weights that a step yields, by row (one in the first step); may be empty.
using StepWeights = std::vector<std::vector<float>>;

class Beam {
 public:
  // The sentence's rows from `first` on. limit: tokens of a hypothesis, </s> counted; covered
  // source positions: `source`.
  Beam(const SearchOptions& options, int64_t first, int64_t width, int64_t limit, int64_t source,
       int32_t end);

  int64_t first() const { return first_; }
  int64_t width() const { return width_; }
  int64_t steps() const { return steps_; }
  bool at_last_step() const { return steps_ + 1 >= limit_; }
  bool done() const { return done_; }
  // Hypotheses that go on, and where they end in the history; the i-th is in row first() + i.
  std::span<const Candidate> open() const { return next_; }
  int32_t place(int64_t row) const { return open_[static_cast<size_t>(row - first_)]; }
  const std::vector<Finished>& finished() const { return finished_; }

  // What the rules make of candidates, the best first; what is forced may end before the minimal
  // length. Throws GraphError where a score is NaN.
  Choice choose(std::span<const Candidate> candidates, bool forced = false) const;
  void advance(const Choice& choice, History& history, const StepWeights& weights);

 private:
  void finish(int32_t last, int64_t tokens, double score, bool ended, const History& history);
  bool stops(const Choice& choice) const;

  const SearchOptions* options_;
  int64_t first_, width_, limit_, source_;
  int32_t end_;
  int64_t steps_ = 0;
  bool done_ = false;
  std::vector<Candidate> next_;
  std::vector<int32_t> open_;
  std::vector<Finished> finished_;  // the best first
};

}  // namespace weft::search
