// models/metrics/metric.h -- a score of a corpus that is a function of sums over its segments.
//
//   score = f(sum over segments of statistics(hypothesis, references))
//
// What is added up, and f, are the metric's own; whoever resamples segments (significance.h) or
// groups them by length needs to know no more.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::metrics {

using Statistics = std::vector<double>;
using References = std::span<const std::string>;

struct Metric {
  std::string name;       // "BLEU", "chrF2++"
  std::string signature;  // how it was computed, as sacreBLEU writes it; `nrefs` stands in front
  bool higher_is_better = true;
  // Of one segment with at least one reference. Segments of a metric have equally many numbers.
  std::function<Statistics(std::string_view hypothesis, References references)> statistics;
  // Of sums over at least one segment: BLEU, chrF, TER and error rates in per cent.
  std::function<double(std::span<const double> sums)> score;
};

// A corpus: a hypothesis and its references for each segment.
struct Corpus {
  std::vector<std::string> hypotheses;
  std::vector<std::vector<std::string>> references;  // by segment
};

// The statistics of each segment. Throws GraphError where hypotheses and references differ in
// number, or a segment has no reference.
std::vector<Statistics> statistics(const Metric& metric, const Corpus& corpus);

// Sums of the given segments (all by default).
Statistics sum(std::span<const Statistics> segments);

double corpus_score(const Metric& metric, const Corpus& corpus);
double sentence_score(const Metric& metric, std::string_view hypothesis, References references);

// "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:weft-0.1.0"; nrefs is "var" where segments
// differ.
std::string signature(const Metric& metric, const Corpus& corpus);

}  // namespace weft::metrics
