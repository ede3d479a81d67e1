// models/training/log/tally.h -- what the steps of one run, in one process, came to.
#pragma once
#include "models/training/batches/batch_maker.h"

#include <cstdint>
#include <functional>
#include <utility>

namespace weft::training {

// Seconds since some moment.
using Clock = std::function<double()>;
double machine_seconds();  // of this machine's steady clock

class Tally {
 public:
  explicit Tally(Clock clock = machine_seconds) : clock_(std::move(clock)), start_(clock_()) {}

  void begin_steps() { before_ = away_ = seconds(); }
  void add(const TrainingBatch& batch, double loss);
  void add_away(double seconds) { away_ += seconds; }  // of a validation or a checkpoint

  double seconds() const { return clock_() - start_; }  // since the run began
  int64_t steps() const { return steps_; }
  double smoothed_loss() const { return smoothed_; }
  // `now`: seconds. Without what was spent on other things than steps.
  double examples_per_second(double now) const;
  double tokens_per_second(double now) const;
  double seconds_per_step(double now) const;  // with it

 private:
  Clock clock_;
  double start_;
  int64_t steps_ = 0, examples_ = 0, tokens_ = 0;
  double smoothed_ = 0;
  double before_ = 0;  // the first step, in seconds
  double away_ = 0;    // the same, and what was spent on other things since
};

}  // namespace weft::training
