// models/training/trainer.h -- the loop around the training step.
//
// What a run computes is a function of data, configuration, seed and number of steps: stopping and
// resuming anywhere gives the same bytes as going on. Time only decides when to stop.
#pragma once
#include "frontend/compile/training_program.h"
#include "models/data/batching.h"
#include "models/training/model_folder.h"
#include "models/training/recipe.h"

#include <functional>
#include <optional>
#include <string>

namespace weft::training {

struct TrainerSetup {
  seq2seq::Settings config;
  OptimizerSettings optimizer;
  Rate rate;
  Limits limits;
  data::BatchOptions batch;
  uint64_t seed = 1;
  std::vector<data::EncodedExample> train, valid;  // valid may be empty: no best model then
  ProgramOptions program;
  std::optional<ModelFolder> folder;  // none: nothing is written
};

// What happens, for those who show it.
struct Event {
  enum class Kind { step, validation, saved, finished } kind = Kind::step;
  int64_t step = 0, epoch = 0;
  double loss = 0;        // of the step (smoothed over the last ones), or of validation
  double batch_loss = 0;  // of the step alone
  double gradient_norm = 0, rate = 0;
  bool best = false;                                              // of a validation
  double examples_per_second = 0, seconds = 0, seconds_left = 0;  // left: 0 where no limit says
  std::string why;                                                // of finished
};

enum class Ended { epochs, steps, minutes, patience, stopped };

class Trainer {
 public:
  using Observer = std::function<void(const Event&)>;
  using Stop = std::function<bool()>;

  explicit Trainer(TrainerSetup setup);

  // Goes on from what the folder holds. Throws OtherRun where a setting differs that must not;
  // returns the others that differ.
  std::vector<SettingChange> resume();
  // Runs until a limit is reached or `stop` says so (asked before each step and while it
  // validates: that is done again when the run goes on); saves at the end.
  // Throws RuntimeError where the run diverges, that is, where a loss, a gradient or a parameter is
  // no longer finite; what is saved by then stays.
  Ended run(const Observer& observe = {}, const Stop& stop = {});

  // Mean loss of a token over these examples.
  double evaluate(const std::vector<data::EncodedExample>& examples) {
    return *evaluate(examples, {});
  }

  const Progress& progress() const { return progress_; }
  ParameterStore& store() { return store_; }
  const Program& training() const { return training_.step(); }
  const Program& evaluation() const { return evaluation_; }

 private:
  double rate() const;
  [[noreturn]] void diverged(const std::string& what) const;
  void check_finite() const;
  double step(std::span<const data::Batch> parts);
  // `ending`: after the last step; may update the best model, not patience or the schedule.
  // False where it was stopped.
  bool validate(const Observer& observe, const Stop& stop, double seconds, bool ending);
  void validate_and_save(const Observer& observe, const Stop& stop, double seconds);
  // Nothing where it was stopped.
  std::optional<double> evaluate(const std::vector<data::EncodedExample>& examples,
                                 const Stop& stop);
  void save(const Observer& observe);
  std::optional<Ended> limit(double seconds) const;
  double seconds_left(double seconds, double per_step) const;

  TrainerSetup setup_;
  ParameterStore store_;
  TrainingProgram training_;
  Program evaluation_;
  data::BatchStream stream_;
  Progress progress_;
  bool resumed_ = false;
  int64_t saved_step_ = -1, validated_step_ = -1;
  double gradient_norm_ = 0;
};

// A batch as the inputs of a model's graphs.
formats::NamedArrays inputs_of(const data::Batch& batch);

}  // namespace weft::training
