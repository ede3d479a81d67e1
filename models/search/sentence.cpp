// models/search/sentence.cpp -- the steps of one sentence, and what comes of them.
#include "models/search/sentence.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace weft::search {

Sentence::Sentence(Rules& rules, const Demands& demands, int64_t limit, int64_t source,
                   uint64_t noise, SourceProcessors by_source)
    : rules_(&rules),
      demands_(&demands),
      by_source_(std::move(by_source)),
      limit_(limit),
      noise_(noise) {
  const int64_t count = rules.options.sample ? rules.beam : rules.options.groups,
                width = rules.beam / count;
  for (int64_t i = 0; i < count; ++i)
    beams_.emplace_back(rules.options, i * width, width, limit, source, rules.ids.end);
  if (!demands.phrases.empty()) progress_.emplace_back(demands.phrases);
}

Choice Sentence::choice_of(const Beam& beam, const StepView& step,
                           std::span<const int32_t> chosen) {
  if (beam.steps() >= std::ssize(demands_->prefix))
    if (const int32_t token = rules_->forced(beam.steps(), beam.at_last_step());
        token != TokenRules::kNone) {
      std::vector<Candidate> candidates(beam.open().begin(), beam.open().end());
      for (size_t i = 0; i < candidates.size(); ++i)
        candidates[i].token = token,
        candidates[i].origin = static_cast<int32_t>(beam.first() + static_cast<int64_t>(i));
      return beam.choose(candidates, true);
    }
  if (step.distribution == nullptr) return beam.choose(step.candidates);
  Proposals proposals(*rules_, *step.distribution, history_, *demands_, by_source_);
  if (rules_->options.sample) return beam.choose(proposals.drawn(beam, noise_));
  const bool forced = beam.steps() < std::ssize(demands_->prefix);
  if (!forced && !progress_.empty()) return proposals.constrained(beam, progress_, limit_);
  return beam.choose(proposals.best(beam, chosen), forced);
}

std::span<const Candidate> Sentence::advance(const StepView& step) {
  next_.assign(static_cast<size_t>(rules_->beam), {-HUGE_VAL, rules_->ids.end, 0, -HUGE_VAL});
  std::vector<int32_t> chosen;
  for (Beam& beam : beams_) {
    if (beam.done()) {
      // In transformers a group that is done goes on with padding, which later ones lose by.
      if (rules_->options.groups > 1 && rules_->ids.pad != data::SpecialIds::kNone)
        chosen.insert(chosen.end(), static_cast<size_t>(beam.width()), rules_->ids.pad);
      continue;
    }
    const Choice choice = choice_of(beam, step, chosen);
    if (!progress_.empty()) {
      std::vector<PhraseProgress> progress;
      for (const Candidate& c : choice.next)
        progress.push_back(progress_[static_cast<size_t>(c.origin)].after(c.token));
      progress_ = std::move(progress);
    }
    beam.advance(choice, history_, step.weights);
    if (rules_->options.groups > 1)
      for (const Candidate& c : choice.next) chosen.push_back(c.token);
    if (beam.done()) continue;
    std::copy(beam.open().begin(), beam.open().end(), next_.begin() + beam.first());
    if (beam.steps() == 1)  // the first step has one row
      for (Candidate& c : next_) c.origin = 0;
  }
  return next_;
}

bool Sentence::done() const {
  return std::all_of(beams_.begin(), beams_.end(), [](const Beam& b) { return b.done(); });
}

std::vector<int32_t> Sentence::tokens(int32_t last) const {
  std::vector<int32_t> ids;
  for (const int32_t place : history_.places(last))
    if (const int32_t id = history_.at(place).id; id != rules_->ids.end) ids.push_back(id);
  return ids;
}

Hypotheses Sentence::best() const {
  std::vector<Finished> all;
  for (const Beam& beam : beams_)
    all.insert(all.end(), beam.finished().begin(), beam.finished().end());
  std::stable_sort(all.begin(), all.end(),
                   [](const Finished& a, const Finished& b) { return a.score > b.score; });
  Hypotheses list;
  for (const Finished& f : all) {
    if (std::ssize(list) == rules_->options.n_best) break;
    Hypothesis h{.tokens = tokens(f.last),
                 .ended = f.ended,
                 .log_probability = f.log_probability,
                 .score = f.score,
                 .token_log_probabilities = {},
                 .weights = {}};
    double before = 0;
    for (const int32_t place : history_.places(f.last)) {
      const History::Token& token = history_.at(place);
      h.token_log_probabilities.push_back(token.log_probability - before);
      before = token.log_probability;
      if (!token.weights.empty()) h.weights.push_back(token.weights);
    }
    list.push_back(std::move(h));
  }
  return list;
}

std::vector<int32_t> Sentence::stable() const {
  if (done()) {
    const Hypotheses found = best();
    return found.empty() ? std::vector<int32_t>() : found.front().tokens;
  }
  std::vector<int32_t> ends;
  for (const Beam& beam : beams_) {
    for (const Finished& f : beam.finished()) ends.push_back(f.last);
    if (beam.done()) continue;
    for (size_t i = 0; i < beam.open().size(); ++i)
      ends.push_back(beam.place(beam.first() + static_cast<int64_t>(i)));
  }
  std::vector<int32_t> common = tokens(ends.front());
  for (const int32_t end : ends) {
    const std::vector<int32_t> other = tokens(end);
    common.resize(std::min(common.size(), other.size()));
    common.erase(std::mismatch(common.begin(), common.end(), other.begin()).first, common.end());
  }
  return common;
}

}  // namespace weft::search
