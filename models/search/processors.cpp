// models/search/processors.cpp -- penalties and bans, and what sampling draws from.
#include "models/search/processors.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace weft::search {
namespace {

constexpr double kBanned = -HUGE_VAL;

double highest(std::span<const double> scores) {
  return scores.empty() ? kBanned : *std::max_element(scores.begin(), scores.end());
}

// exp(x - logsumexp(x)); zeros where nothing is allowed
std::vector<double> probabilities(std::span<const double> scores) {
  const double top = highest(scores);
  std::vector<double> p(scores.size(), 0);
  if (top == kBanned) return p;
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) sum += p[i] = std::exp(scores[i] - top);
  for (double& x : p) x /= sum;
  return p;
}

// Of each of the ids, once.
void penalise(std::span<const int32_t> ids, double penalty, std::span<double> scores) {
  std::vector<int32_t> distinct(ids.begin(), ids.end());
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  for (const int32_t id : distinct) {
    if (id < 0 || id >= std::ssize(scores)) continue;
    double& s = scores[static_cast<size_t>(id)];
    s = s < 0 ? s * penalty : s / penalty;
  }
}

// Those below `least` are banned, but for the likeliest.
void ban_below(double least, std::span<const double> probabilities, std::span<double> scores) {
  const double top = highest(scores);
  for (size_t i = 0; i < scores.size(); ++i)
    if (probabilities[i] < least && scores[i] < top) scores[i] = kBanned;
}

double entropy_of(std::span<const double> probabilities) {
  double entropy = 0;
  for (const double p : probabilities)
    if (p > 0) entropy -= p * std::log(p);
  return entropy;
}

// The ids of what is allowed, by `before`.
template <typename Before>
std::vector<int32_t> sorted_ids(std::span<const double> scores, Before before) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i < scores.size(); ++i)
    if (scores[i] != kBanned) ids.push_back(static_cast<int32_t>(i));
  std::stable_sort(ids.begin(), ids.end(), before);
  return ids;
}

}  // namespace

Processor repetition_penalty(double penalty) {
  return [=](std::span<const int32_t> history, std::span<double> scores) {
    penalise(history, penalty, scores);
  };
}

Processor source_repetition_penalty(double penalty, std::vector<int32_t> source) {
  return [=, source = std::move(source)](std::span<const int32_t>, std::span<double> scores) {
    penalise(source, 1 / penalty, scores);
  };
}

Processor no_source_ngram(int64_t n, std::vector<int32_t> source) {
  return [n = static_cast<size_t>(n), source = std::move(source)](std::span<const int32_t> history,
                                                                  std::span<double> scores) {
    if (history.size() + 1 < n) return;
    const auto last = history.last(n - 1);
    for (size_t i = 0; i + n <= source.size(); ++i)
      if (std::equal(last.begin(), last.end(), source.begin() + static_cast<ptrdiff_t>(i)) &&
          source[i + n - 1] < std::ssize(scores))
        scores[static_cast<size_t>(source[i + n - 1])] = kBanned;
  };
}

Processor no_repeat_ngram(int64_t n) {
  return [n = static_cast<size_t>(n)](std::span<const int32_t> history, std::span<double> scores) {
    if (history.size() < n) return;
    const auto last = history.last(n - 1);
    for (size_t i = 0; i + n <= history.size(); ++i)
      if (std::equal(last.begin(), last.end(), history.begin() + static_cast<ptrdiff_t>(i)))
        scores[static_cast<size_t>(history[i + n - 1])] = kBanned;
  };
}

Processor bad_words(std::vector<Phrase> words) {
  return [words = std::move(words)](std::span<const int32_t> history, std::span<double> scores) {
    for (const Phrase& word : words) {
      const size_t before = word.size() - 1;
      if (word.size() > history.size()) continue;
      const auto last = history.last(before);
      if (std::equal(last.begin(), last.end(), word.begin()))
        scores[static_cast<size_t>(word.back())] = kBanned;
    }
  };
}

Processor min_length(int64_t tokens, int32_t end) {
  return [=](std::span<const int32_t> history, std::span<double> scores) {
    if (std::ssize(history) - 1 < tokens) scores[static_cast<size_t>(end)] = kBanned;
  };
}

Processor sequence_bias(std::vector<std::pair<Phrase, double>> biases) {
  return [biases = std::move(biases)](std::span<const int32_t> history, std::span<double> scores) {
    for (const auto& [phrase, bias] : biases) {
      const size_t before = phrase.size() - 1;
      if (before > 0 && phrase.size() > history.size()) continue;
      const auto last = history.last(before);
      if (std::equal(last.begin(), last.end(), phrase.begin()))
        scores[static_cast<size_t>(phrase.back())] += bias;
    }
  };
}

Processor growing_end(double growth, int64_t from, std::vector<int32_t> ends) {
  return [=, ends = std::move(ends)](std::span<const int32_t> history, std::span<double> scores) {
    const int64_t n = std::ssize(history) - 1 - from;
    if (n <= 0) return;
    for (const int32_t end : ends) {
      double& s = scores[static_cast<size_t>(end)];
      if (s != kBanned) s += std::abs(s) * (std::pow(growth, static_cast<double>(n)) - 1);
    }
  };
}

Processor suppress(std::vector<int32_t> tokens) {
  return [tokens = std::move(tokens)](std::span<const int32_t>, std::span<double> scores) {
    for (const int32_t id : tokens) scores[static_cast<size_t>(id)] = kBanned;
  };
}

Processor suppress_at(int64_t position, std::vector<int32_t> tokens) {
  return
      [=, tokens = std::move(tokens)](std::span<const int32_t> history, std::span<double> scores) {
        if (std::ssize(history) - 1 != position) return;
        for (const int32_t id : tokens) scores[static_cast<size_t>(id)] = kBanned;
      };
}

Processor renormalize() {
  return [](std::span<const int32_t>, std::span<double> scores) {
    const double top = highest(scores);
    if (top == kBanned) return;
    double sum = 0;
    for (const double s : scores) sum += std::exp(s - top);
    for (double& s : scores) s -= top + std::log(sum);
  };
}

Processor temperature(double t) {
  return [=](std::span<const int32_t>, std::span<double> scores) {
    for (double& s : scores) s /= t;
  };
}

Processor top_k(int64_t k) {
  return [=](std::span<const int32_t>, std::span<double> scores) {
    if (k >= std::ssize(scores)) return;
    std::vector<double> sorted(scores.begin(), scores.end());
    std::nth_element(sorted.begin(), sorted.begin() + k - 1, sorted.end(), std::greater<>());
    const double least = sorted[static_cast<size_t>(k - 1)];
    for (double& s : scores)
      if (s < least) s = kBanned;
  };
}

Processor top_p(double p) {
  return [=](std::span<const int32_t>, std::span<double> scores) {
    const std::vector<double> of = probabilities(scores);
    const auto ids = sorted_ids(scores, [&](int32_t a, int32_t b) {
      return scores[static_cast<size_t>(a)] < scores[static_cast<size_t>(b)];
    });
    double below = 0;  // from the least likely on, all but the likeliest
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      below += of[static_cast<size_t>(ids[i])];
      if (below > 1 - p) break;
      scores[static_cast<size_t>(ids[i])] = kBanned;
    }
  };
}

Processor min_p(double share) {
  return [=](std::span<const int32_t>, std::span<double> scores) {
    const std::vector<double> of = probabilities(scores);
    const double least = share * highest(of);
    for (size_t i = 0; i < of.size(); ++i)
      if (of[i] < least) scores[i] = kBanned;
  };
}

Processor typical_p(double p) {
  return [=](std::span<const int32_t>, std::span<double> scores) {
    const std::vector<double> of = probabilities(scores);
    const double entropy = entropy_of(of);
    std::vector<double> distance(of.size(), HUGE_VAL);
    for (size_t i = 0; i < of.size(); ++i)
      if (of[i] > 0) distance[i] = std::abs(-std::log(of[i]) - entropy);
    const auto ids = sorted_ids(scores, [&](int32_t a, int32_t b) {
      return distance[static_cast<size_t>(a)] < distance[static_cast<size_t>(b)];
    });
    double sum = 0;
    double farthest = HUGE_VAL;
    for (const int32_t id : ids)
      if ((sum += of[static_cast<size_t>(id)]) >= p) {
        farthest = distance[static_cast<size_t>(id)];
        break;
      }
    for (size_t i = 0; i < of.size(); ++i)
      if (distance[i] > farthest) scores[i] = kBanned;
  };
}

Processor epsilon_cutoff(double epsilon) {
  return [=](std::span<const int32_t>, std::span<double> scores) {
    ban_below(epsilon, probabilities(scores), scores);
  };
}

Processor eta_cutoff(double epsilon) {
  return [=](std::span<const int32_t>, std::span<double> scores) {
    const std::vector<double> of = probabilities(scores);
    ban_below(std::min(epsilon, std::sqrt(epsilon) * std::exp(-entropy_of(of))), of, scores);
  };
}

SourceProcessors source_processors(const SearchOptions& o, std::span<const int32_t> source) {
  SourceProcessors list;
  std::vector<int32_t> ids(source.begin(), source.end());
  const TokenRules& r = o.rules;
  if (r.source_repetition_penalty != 1)
    list.first_row.push_back(source_repetition_penalty(r.source_repetition_penalty, ids));
  if (r.source_ngram > 0) list.all_rows.push_back(no_source_ngram(r.source_ngram, ids));
  return list;
}

Processors processors(const SearchOptions& o, int32_t end) {
  Processors list;
  const TokenRules& r = o.rules;
  std::vector<int32_t> ends{end};
  ends.insert(ends.end(), r.more_ends.begin(), r.more_ends.end());
  if (!r.biases.empty()) list.push_back(sequence_bias(r.biases));
  if (o.repetition_penalty != 1) list.push_back(repetition_penalty(o.repetition_penalty));
  if (o.no_repeat_ngram > 0) list.push_back(no_repeat_ngram(o.no_repeat_ngram));
  if (!o.bad_words.empty()) list.push_back(bad_words(o.bad_words));
  if (o.min_length > 0)
    for (const int32_t id : ends) list.push_back(min_length(o.min_length, id));
  if (r.growth != 1) list.push_back(growing_end(r.growth, r.growth_from, ends));
  if (!r.suppressed.empty()) list.push_back(suppress(r.suppressed));
  if (!r.suppressed_first.empty())
    list.push_back(suppress_at(r.forced_first == TokenRules::kNone ? 0 : 1, r.suppressed_first));
  if (r.renormalize && !o.sample) list.push_back(renormalize());
  return list;
}

Processors warpers(const SearchOptions& o) {
  Processors list;
  if (o.temperature != 1) list.push_back(temperature(o.temperature));
  if (o.top_k > 0) list.push_back(top_k(o.top_k));
  if (o.top_p < 1) list.push_back(top_p(o.top_p));
  if (o.min_p > 0) list.push_back(min_p(o.min_p));
  if (o.typical_p < 1) list.push_back(typical_p(o.typical_p));
  if (o.epsilon_cutoff > 0) list.push_back(epsilon_cutoff(o.epsilon_cutoff));
  if (o.eta_cutoff > 0) list.push_back(eta_cutoff(o.eta_cutoff));
  return list;
}

}  // namespace weft::search
