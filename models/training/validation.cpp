// models/training/validation.cpp -- the loss batch by batch, then what is decoded.
#include "models/training/validation.h"

#include "ir/error.h"

#include <cmath>

namespace weft::training {
namespace {

ValidationSetup checked(ValidationSetup s) {
  check(s.settings);
  if (s.batches.count > 0 && s.settings.decodes() && !s.decoded)
    throw ir::GraphError(ir::concat("validation by '", s.settings.judge(),
                                    "' needs a model that decodes: this one has a loss alone"));
  return s;
}

}  // namespace

Validation::Validation(ValidationSetup setup)
    : setup_(checked(std::move(setup))),
      program_(Program::inference(setup_.graph, setup_.program)) {}

std::optional<double> Validation::loss(ParameterStore& store, const EvaluationBatches& batches,
                                       const Stop& stop) {
  double loss = 0, tokens = 0;
  for (int64_t i = 0; i < batches.count; ++i) {
    if (stop && stop()) return std::nullopt;
    const ir::NamedArrays results = program_.run(store, batches.make(i));
    const ir::Array* const weight = results.find(setup_.weight);
    const double n = weight == nullptr ? 1 : weight->at(0);
    loss += results.at(setup_.loss).at(0) * n;
    tokens += n;
  }
  return loss / tokens;
}

std::optional<Scores> Validation::run(ParameterStore& store, const Stop& stop) {
  const auto mean = loss(store, setup_.batches, stop);
  if (!mean) return std::nullopt;
  Scores scores{{"loss", *mean}};
  std::optional<Scores> decoded;
  if (setup_.settings.decodes() && std::isfinite(*mean)) {
    decoded = setup_.decoded(store, stop);
    if (!decoded) return std::nullopt;
  }
  for (const std::string& name : setup_.settings.scores) {
    if (name == "perplexity") scores.push_back({name, std::exp(*mean)});
    if (decoded && score_kind(name).decoded) scores.push_back(*find(*decoded, name));
  }
  return scores;
}

void note_due_score(Progress& p, const ScoreKind& kind, double score, int64_t shrink_patience) {
  const bool improved = p.mark_step == 0 || better(kind, score, p.mark_score);
  if (improved) p.mark_step = p.step, p.mark_score = score;
  p.since_best = improved ? 0 : p.since_best + 1;
  if (!improved && p.since_best % shrink_patience == 0) ++p.shrinks;
}

bool note_best_score(Progress& p, const ScoreKind& kind, double score) {
  const bool best = p.best_step == 0 || better(kind, score, p.best_score);
  if (best) p.best_step = p.step, p.best_score = score;
  return best;
}

}  // namespace weft::training
