// models/search/sentence.cpp -- the bookkeeping of one sentence.
#include "models/search/sentence.h"

#include "ir/error.h"

#include <algorithm>
#include <cmath>

namespace weft::search {

Sentence::Sentence(int64_t beam, int64_t limit, int32_t end, const SearchOptions& options)
    : beam_(beam), limit_(limit), end_(end), options_(options), open_(1, -1), next_{{0, -1, 0}} {}

int32_t Sentence::append(const Candidate& c, const std::vector<std::vector<float>>& weights) {
  const auto origin = static_cast<size_t>(c.origin);
  tokens_.push_back(
      {open_[origin], c.token, weights.empty() ? std::vector<float>() : weights[origin]});
  return static_cast<int32_t>(tokens_.size()) - 1;
}

void Sentence::finish(int32_t last, double log_probability, bool ended) {
  const double normaliser = std::pow(static_cast<double>(steps_), options_.length_penalty);
  finished_.push_back({last, steps_, ended, log_probability, log_probability / normaliser});
}

std::span<const Candidate> Sentence::advance(std::span<const Candidate> candidates,
                                             const std::vector<std::vector<float>>& weights) {
  ++steps_;
  next_.clear();
  std::vector<int32_t> open;
  for (size_t i = 0; i < candidates.size() && std::ssize(next_) < beam_; ++i) {
    const Candidate& c = candidates[i];
    if (std::isnan(c.score))
      throw ir::GraphError("a search met a NaN among the model's log-probabilities");
    if (c.score == -HUGE_VAL) break;  // continues no hypothesis, as all behind it
    if (c.token == end_) {
      if (static_cast<int64_t>(i) < beam_ && steps_ > options_.min_length)
        finish(append(c, weights), c.score, true);
      continue;
    }
    open.push_back(append(c, weights));
    next_.push_back(c);
  }
  open_ = std::move(open);
  const bool last = steps_ >= limit_;
  if (last)
    for (size_t i = 0; i < next_.size(); ++i) finish(open_[i], next_[i].score, false);
  std::stable_sort(finished_.begin(), finished_.end(),
                   [](const Finished& a, const Finished& b) { return a.score > b.score; });
  if (std::ssize(finished_) > beam_) finished_.resize(static_cast<size_t>(beam_));
  done_ = last || next_.empty() || std::ssize(finished_) == beam_;
  return next_;
}

Hypotheses Sentence::best() const {
  Hypotheses list;
  for (const Finished& f : finished_) {
    if (std::ssize(list) == options_.n_best) break;
    Hypothesis h{.tokens = {},
                 .ended = f.ended,
                 .log_probability = f.log_probability,
                 .score = f.score,
                 .weights = {}};
    for (int32_t at = f.last; at >= 0; at = tokens_[static_cast<size_t>(at)].before) {
      const Token& token = tokens_[static_cast<size_t>(at)];
      if (token.id != end_) h.tokens.push_back(token.id);
      if (!token.weights.empty()) h.weights.push_back(token.weights);
    }
    std::reverse(h.tokens.begin(), h.tokens.end());
    std::reverse(h.weights.begin(), h.weights.end());
    list.push_back(std::move(h));
  }
  return list;
}

}  // namespace weft::search
