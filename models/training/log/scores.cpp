// models/training/log/scores.cpp -- losses by hand, the rest from the table of metrics.
#include "models/training/log/scores.h"

#include "ir/error.h"
#include "models/metrics/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::training {

using ir::concat;
using ir::GraphError;

std::span<const ScoreKind> score_kinds() {
  static const std::vector<ScoreKind> kinds = [] {
    std::vector<ScoreKind> all{
        {.name = "loss", .title = "loss", .unit = "nats/token", .doc = "of a target token"},
        {.name = "perplexity", .title = "perplexity", .unit = {}, .doc = "e to the loss"}};
    for (const metrics::MetricKind& m : metrics::metric_kinds()) {
      const metrics::Metric metric = m.make("13a", false);
      all.push_back({.name = std::string(m.name),
                     .title = metric.name,
                     .unit = m.per_cent ? "%" : "",
                     .doc = std::string(m.doc),
                     .higher_is_better = metric.higher_is_better,
                     .decoded = true});
    }
    return all;
  }();
  return kinds;
}

const ScoreKind& score_kind(std::string_view name) {
  std::string names;
  for (const ScoreKind& kind : score_kinds()) {
    if (kind.name == name) return kind;
    names += (names.empty() ? "" : ", ") + kind.name;
  }
  throw GraphError(concat("there is no score '", name, "'; there are ", names));
}

const Score* find(const Scores& scores, std::string_view name) {
  const auto at =
      std::find_if(scores.begin(), scores.end(), [&](const Score& s) { return s.name == name; });
  return at == scores.end() ? nullptr : &*at;
}

std::string str(const Score& score) {
  const ScoreKind& kind = score_kind(score.name);
  return fmt::format("{} {:.{}f}{}{}", kind.title, score.value, kind.decoded ? 2 : 4,
                     kind.unit.empty() ? "" : " ", kind.unit);
}

bool better(const ScoreKind& kind, double value, double than) {
  return kind.higher_is_better ? value >= than : value <= than;
}

bool ValidationSettings::decodes() const {
  return std::any_of(scores.begin(), scores.end(),
                     [](const std::string& name) { return score_kind(name).decoded; });
}

void check(const ValidationSettings& s) {
  if (s.scores.empty()) throw GraphError("validate is empty, needed is at least one score");
  for (size_t i = 0; i < s.scores.size(); ++i) {
    score_kind(s.scores[i]);
    if (std::find(s.scores.begin(), s.scores.begin() + static_cast<ptrdiff_t>(i), s.scores[i]) !=
        s.scores.begin() + static_cast<ptrdiff_t>(i))
      throw GraphError(concat("validate names '", s.scores[i], "' twice"));
  }
  if (std::find(s.scores.begin(), s.scores.end(), s.judge()) == s.scores.end()) {
    score_kind(s.judge());
    throw GraphError(concat("patience_on is '", s.judge(),
                            "', which is not among what training.validate measures"));
  }
}

}  // namespace weft::training
