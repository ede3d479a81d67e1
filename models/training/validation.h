// models/training/validation.h -- a model measured on examples it does not learn from.
#pragma once
#include "frontend/compile/session.h"
#include "models/training/batches/batch_maker.h"
#include "models/training/folder/model_folder.h"
#include "models/training/log/scores.h"

#include <functional>
#include <optional>
#include <string>

namespace weft::training {

using Stop = std::function<bool()>;

// Scores of what a model says with the parameters of a store; nothing where it was stopped.
using DecodedScores = std::function<std::optional<Scores>(ParameterStore&, const Stop&)>;

// Of what a validation is made.
struct ValidationSetup {
  ir::Graph graph;  // outputs `loss`: f32[], a mean over `weight`: f32[], terms
  std::string loss = "loss", weight = "tokens";
  EvaluationBatches batches;
  ValidationSettings settings;
  DecodedScores decoded;  // needed where a score is of decoded text
  ProgramOptions program;
};

class Validation {
 public:
  // Throws GraphError where the settings and the rest do not go together.
  explicit Validation(ValidationSetup setup);

  bool possible() const { return setup_.batches.count > 0; }
  // By which the best model, patience and the schedule are judged.
  const ScoreKind& judge() const { return score_kind(setup_.settings.judge()); }
  // In the order of the settings, but the loss first, wanted or not. Asks `stop` before each batch;
  // nothing where it was stopped.
  std::optional<Scores> run(ParameterStore& store, const Stop& stop = {});
  // Mean loss of a token over these batches, or of a batch where the graph has no weight.
  std::optional<double> loss(ParameterStore& store, const EvaluationBatches& batches,
                             const Stop& stop = {});
  const Program& program() const { return program_; }

 private:
  ValidationSetup setup_;
  Program program_;
};

// What patience and the schedule hear of a validation that was due: the rate shrinks at every
// `shrink_patience`th in a row that is not the best.
void note_due_score(Progress& progress, const ScoreKind& kind, double score,
                    int64_t shrink_patience);
// Is the model that has this score the best so far?
bool note_best_score(Progress& progress, const ScoreKind& kind, double score);

}  // namespace weft::training
