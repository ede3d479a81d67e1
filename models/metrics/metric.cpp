// models/metrics/metric.cpp -- sums over segments.
#include "models/metrics/metric.h"

#include "ir/error.h"

namespace weft::metrics {

std::vector<Statistics> statistics(const Metric& metric, const Corpus& corpus) {
  if (corpus.hypotheses.size() != corpus.references.size())
    throw ir::GraphError(ir::concat("there are ", corpus.hypotheses.size(), " hypotheses for ",
                                    corpus.references.size(), " segments with references"));
  std::vector<Statistics> all;
  for (size_t i = 0; i < corpus.hypotheses.size(); ++i) {
    if (corpus.references[i].empty())
      throw ir::GraphError(ir::concat("segment ", i + 1, " has no reference"));
    all.push_back(metric.statistics(corpus.hypotheses[i], corpus.references[i]));
  }
  return all;
}

Statistics sum(std::span<const Statistics> segments) {
  Statistics total;
  for (const Statistics& s : segments) {
    total.resize(s.size());
    for (size_t i = 0; i < s.size(); ++i) total[i] += s[i];
  }
  return total;
}

double corpus_score(const Metric& metric, const Corpus& corpus) {
  const std::vector<Statistics> segments = statistics(metric, corpus);
  if (segments.empty()) throw ir::GraphError("a score needs at least one segment");
  return metric.score(sum(segments));
}

double sentence_score(const Metric& metric, std::string_view hypothesis, References references) {
  return metric.score(metric.statistics(hypothesis, references));
}

std::string signature(const Metric& metric, const Corpus& corpus) {
  bool same = true;
  for (const auto& r : corpus.references) same = same && r.size() == corpus.references[0].size();
  const size_t count = corpus.references.empty() ? 0 : corpus.references[0].size();
  return ir::concat("nrefs:", same ? std::to_string(count) : "var", "|", metric.signature,
                    "|version:weft-", WEFT_VERSION);
}

}  // namespace weft::metrics
