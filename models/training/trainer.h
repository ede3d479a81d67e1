// models/training/trainer.h -- the loop around the training step.
//
// What a run computes is a function of data, configuration, seed and number of steps: stopping and
// resuming anywhere gives the same bytes as going on. Time only decides when to stop, and how fast a
// schedule falls that ends with the minutes.
#pragma once
#include "frontend/compile/training_program.h"
#include "models/training/batches/batch_maker.h"
#include "models/training/folder/model_folder.h"
#include "models/training/log/tally.h"
#include "models/training/recipe/limits.h"
#include "models/training/schedule_end.h"
#include "models/training/validation.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weft::training {

struct TrainerSetup {
  // Of the loss, as a step computes it (`training`: with dropout) and as it is measured; without
  // the second, the first is measured too. Outputs: `loss`, a mean over `weight` terms, an output
  // too, which batches in parts need.
  ir::Graph training, evaluation;
  std::string loss = "loss", weight = "tokens";
  std::shared_ptr<BatchMaker> batches;
  RunSettings model;  // what the graphs depend on, where the folder has a model.toml
  RunSettings more;   // what else the run does, by the keys of recipes
  OptimizerSettings optimizer;
  Rate rate;
  Limits limits;
  ValidationSettings validation;
  DivergenceSettings divergence;
  DecodedScores decoded;       // where validation measures what the model says
  uint64_t seed = 1;           // of the parameters
  ir::NamedArrays parameters;  // that are there already; all others are drawn
  bool in_parts = false;       // batches come in parts
  ProgramOptions program;
  std::optional<ModelFolder> folder;  // none: nothing is written
  Clock clock = machine_seconds;      // by which minutes are counted
};

// What happens, for those who show it.
struct Event {
  enum class Kind { step, validation, saved, note, finished } kind = Kind::step;
  int64_t step = 0, epoch = 0;
  double loss = 0;        // of the step (smoothed over the last ones), or of validation
  double batch_loss = 0;  // of the step alone
  std::string_view loss_name = "loss";  // of a step: "risk" where risks are learnt
  double gradient_norm = 0, rate = 0;
  Scores scores;      // of a validation, its loss the first
  std::string judge;  // the one of them that decides what is best
  bool best = false;  // of a validation
  double examples_per_second = 0, tokens_per_second = 0;  // tokens: of both sides, no padding
  double seconds = 0, seconds_left = 0;                   // left: 0 where no limit says
  std::string why;                                        // of finished; what is noted
};

// A run that may not go on.
struct Diverged : ir::RuntimeError {
  Diverged(const std::string& message, std::string why)
      : ir::RuntimeError(message), reason(std::move(why)) {}

  std::string reason;  // "the loss is NaN"
};

class Trainer {
 public:
  using Observer = std::function<void(const Event&)>;
  using Stop = training::Stop;

  explicit Trainer(TrainerSetup setup);

  // Goes on from what the folder holds. Throws OtherRun where a setting differs that must not;
  // returns the others that differ.
  std::vector<SettingChange> resume();
  // Runs until a limit is reached or `stop` says so (asked before each step and while it
  // validates: that is done again when the run goes on); saves at the end.
  // Throws Diverged where a step is not sound (divergence.h) and the run may not go on, or a
  // parameter is no longer finite; what is saved by then stays.
  Ended run(const Observer& observe = {}, const Stop& stop = {});

  // Mean loss of a token over these batches.
  double evaluate(const EvaluationBatches& batches) {
    ParameterStore of = model();
    return *validation_.loss(of, batches);
  }

  const Progress& progress() const { return progress_; }
  int64_t saved_step() const { return saved_step_; }  // of the last checkpoint; negative: none yet
  ParameterStore& store() { return store_; }
  // What is validated and saved as the model: the parameters, or their moving average. It shares
  // their arrays.
  ParameterStore model() const;
  const Program& training() const { return training_.step(); }
  const Program& evaluation() const { return validation_.program(); }

 private:
  bool timed() const { return is_timed(setup_.rate, setup_.limits); }
  Moment moment() const;
  double rate() const;
  Limits limits() const;
  Counts counts() const;
  void find_schedule_end(const Observer& observe);
  void follow_time(const Tally& tally, bool validated, const Observer& observe);
  void say_schedule_end(int64_t before, const Observer& observe);
  std::string left_of_schedule(Ended ended) const;
  std::vector<ir::NamedArrays> step_inputs(std::span<const ir::NamedArrays> parts) const;
  bool restores() const { return setup_.divergence.action == OnDivergence::restore; }
  [[noreturn]] void diverged(const std::string& what) const;
  void check_finite() const;
  double step(std::span<const ir::NamedArrays> parts, const Observer& observe);
  void note_skip(const std::string& what, const Observer& observe);
  bool restore(const std::string& what, bool in_step, const Observer& observe);
  // `ending`: after the last step; may update the best model, not patience or the schedule.
  // False where it was stopped.
  bool validate(const Observer& observe, const Stop& stop, double seconds, bool ending);
  void validate_and_save(const Tally& tally, const Observer& observe, const Stop& stop);
  void save(const Observer& observe);
  void save_due(const Observer& observe);

  void advance(Tally& tally, const Observer& observe, const Stop& stop);
  void say_step(const Tally& tally, int64_t epoch, double loss, std::string_view loss_name,
                double seconds, const Observer& observe);

  TrainerSetup setup_;
  ParameterStore store_;
  TrainingProgram training_;
  Validation validation_;
  Progress progress_;
  bool resumed_ = false;
  double seconds_before_ = 0;  // of the minutes of a schedule that ends with them, by runs before
  int64_t said_end_ = 0;       // of that schedule
  bool warned_ = false;        // that the schedule is longer than the time
  int64_t saved_step_ = -1, validated_step_ = -1;
  bool changed_ = false;  // progress, since that was saved, at the same step
  double gradient_norm_ = 0;
};

}  // namespace weft::training
