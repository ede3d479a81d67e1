// models/metrics/significance.cpp -- scores of resampled and shuffled corpora.
#include "models/metrics/significance.h"

#include "ir/error.h"
#include "models/data/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weft::metrics {
namespace {

void add(Statistics& total, const Statistics& s) {
  for (size_t i = 0; i < s.size(); ++i) total[i] += s[i];
}

void check_pair(std::span<const Statistics> first, std::span<const Statistics> second) {
  if (first.size() != second.size())
    throw ir::GraphError(ir::concat("the systems are to be compared on the same segments, not on ",
                                    first.size(), " and ", second.size()));
}

void check_size(std::span<const Statistics> segments) {
  if (segments.empty()) throw ir::GraphError("resampling needs at least one segment");
}

double p_value(const std::vector<double>& by_chance, double difference) {
  const auto larger =
      std::count_if(by_chance.begin(), by_chance.end(), [&](double d) { return d >= difference; });
  return static_cast<double>(larger + 1) / static_cast<double>(by_chance.size() + 1);
}

}  // namespace

Interval bootstrap(const Metric& metric, std::span<const Statistics> segments, int samples,
                   uint64_t seed) {
  check_size(segments);
  data::Random random(seed);
  std::vector<double> scores;
  for (int i = 0; i < samples; ++i) {
    Statistics total(segments[0].size());
    for (size_t k = 0; k < segments.size(); ++k)
      add(total, segments[random.below(segments.size())]);
    scores.push_back(metric.score(total));
  }
  std::sort(scores.begin(), scores.end());
  const size_t outside = scores.size() / 40;
  return {.mean = std::accumulate(scores.begin(), scores.end(), 0.0) / static_cast<double>(samples),
          .low = scores[outside],
          .high = scores[scores.size() - 1 - outside]};
}

Comparison paired_bootstrap(const Metric& metric, std::span<const Statistics> first,
                            std::span<const Statistics> second, int samples, uint64_t seed) {
  check_pair(first, second);
  check_size(first);
  data::Random random(seed);
  std::vector<double> differences;
  for (int i = 0; i < samples; ++i) {
    Statistics a(first[0].size()), b(second[0].size());
    for (size_t k = 0; k < first.size(); ++k) {
      const uint64_t drawn = random.below(first.size());
      add(a, first[drawn]);
      add(b, second[drawn]);
    }
    differences.push_back(std::abs(metric.score(a) - metric.score(b)));
  }
  const double mean = std::accumulate(differences.begin(), differences.end(), 0.0) /
                      static_cast<double>(differences.size());
  for (double& d : differences) d -= mean;
  const double a = metric.score(sum(first)), b = metric.score(sum(second));
  return {a, b, p_value(differences, std::abs(a - b))};
}

Comparison approximate_randomization(const Metric& metric, std::span<const Statistics> first,
                                     std::span<const Statistics> second, int samples,
                                     uint64_t seed) {
  check_pair(first, second);
  check_size(first);
  data::Random random(seed);
  std::vector<double> differences;
  for (int i = 0; i < samples; ++i) {
    Statistics a(first[0].size()), b(second[0].size());
    uint32_t coins = 0;
    for (size_t k = 0; k < first.size(); ++k, coins >>= 1) {
      if (k % 32 == 0) coins = random.next();
      const bool swapped = (coins & 1) != 0;
      add(a, swapped ? second[k] : first[k]);
      add(b, swapped ? first[k] : second[k]);
    }
    differences.push_back(std::abs(metric.score(a) - metric.score(b)));
  }
  const double a = metric.score(sum(first)), b = metric.score(sum(second));
  return {a, b, p_value(differences, std::abs(a - b))};
}

}  // namespace weft::metrics
