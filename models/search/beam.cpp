// models/search/beam.cpp -- three systems' rules of finishing and stopping.
#include "models/search/beam.h"

#include "ir/error.h"
#include "models/search/ranking.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace weft::search {

Beam::Beam(const SearchOptions& options, int64_t first, int64_t width, int64_t limit,
           int64_t source, int32_t end)
    : options_(&options),
      first_(first),
      width_(width),
      limit_(limit),
      source_(source),
      end_(end),
      next_{{0, end, static_cast<int32_t>(first), 0}},
      open_{History::kStart} {}

Choice Beam::choose(std::span<const Candidate> candidates, bool forced) const {
  const bool shrinks = options_->search_rules == SearchRules::marian;
  const bool fills = options_->search_rules == SearchRules::fairseq;
  // How many of the best may finish, and how many go on.
  const int64_t live = shrinks ? width_ - std::ssize(finished_) : width_;
  Choice choice;
  int64_t met = 0;
  for (const Candidate& c : candidates) {
    if (std::isnan(c.score))
      throw ir::GraphError("a search met a NaN among the model's log-probabilities");
    if (c.score == -HUGE_VAL) break;  // continues no hypothesis, as all behind it
    if (shrinks ? met == live : std::ssize(choice.next) == live) break;
    const std::vector<int32_t>& more = options_->rules.more_ends;
    const bool ends = c.token == end_ || std::find(more.begin(), more.end(), c.token) != more.end();
    if (ends && !forced && steps_ < options_->min_length) continue;
    ++met;
    if (!ends) {
      choice.next.push_back(c);
    } else if (met <= live) {
      if (!fills || std::ssize(finished_) + std::ssize(choice.finished) < width_)
        choice.finished.push_back(c);
    }
  }
  return choice;
}

void Beam::finish(int32_t last, int64_t tokens, double score, bool ended, const History& history) {
  double ranked = normalised(*options_, score, std::max<int64_t>(tokens, 1));
  if (options_->coverage_penalty > 0) {
    std::vector<double> covered(static_cast<size_t>(source_), 0);
    for (const int32_t place : history.places(last))
      for (size_t i = 0; i < covered.size(); ++i) covered[i] += history.at(place).weights[i];
    ranked += options_->coverage_penalty * coverage(covered);
  }
  finished_.push_back({last, ended, history.log_probability(last), ranked});
}

void Beam::advance(const Choice& choice, History& history, const StepWeights& weights) {
  const auto add = [&](const Candidate& c) {
    std::vector<float> looked;
    if (!weights.empty())
      looked = weights[std::min(static_cast<size_t>(c.origin), weights.size() - 1)];
    return history.add({place(c.origin), c.token, c.log_probability, std::move(looked)});
  };
  ++steps_;
  for (const Candidate& c : choice.finished) finish(add(c), steps_, c.score, true, history);
  std::vector<int32_t> open;
  for (const Candidate& c : choice.next) open.push_back(add(c));
  const bool last = steps_ >= limit_;
  if (last) {
    for (size_t i = 0; i < open.size(); ++i)
      finish(open[i], steps_, choice.next[i].score, false, history);
  } else if (open.empty() && finished_.empty()) {  // nothing may follow
    for (size_t i = 0; i < next_.size(); ++i)
      finish(open_[i], steps_ - 1, next_[i].score, false, history);
  }
  next_ = choice.next;
  open_ = std::move(open);
  std::stable_sort(finished_.begin(), finished_.end(),
                   [](const Finished& a, const Finished& b) { return a.score > b.score; });
  if (std::ssize(finished_) > width_) finished_.resize(static_cast<size_t>(width_));
  done_ = last || next_.empty() || stops(choice);
}

bool Beam::stops(const Choice& choice) const {
  if (std::ssize(finished_) < width_ || options_->search_rules == SearchRules::marian) return false;
  if (options_->search_rules == SearchRules::fairseq) return true;
  if (width_ == 1 && options_->groups == 1) return true;  // greedy
  double sum = next_.front().score;
  // transformers' groups look at the best continuation even where it has just ended.
  if (options_->groups > 1 && !choice.finished.empty())
    sum = std::max(sum, choice.finished.front().score);
  switch (options_->early_stopping) {
    case EarlyStopping::yes:
      return true;
    case EarlyStopping::no:
      return normalised(*options_, sum, steps_) <= finished_.back().score;
    case EarlyStopping::never:
      return attainable(*options_, sum, steps_, limit_) <= finished_.back().score;
  }
  return true;
}

}  // namespace weft::search
