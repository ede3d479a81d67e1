// models/training/log/tally.cpp -- counts over seconds.
#include "models/training/log/tally.h"

#include <algorithm>
#include <chrono>

namespace weft::training {

void Tally::add(const TrainingBatch& batch, double loss) {
  smoothed_ = steps_ == 0 ? loss : 0.98 * smoothed_ + 0.02 * loss;
  ++steps_;
  examples_ += batch.examples;
  tokens_ += batch.tokens;
}

double machine_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double Tally::examples_per_second(double now) const {
  return static_cast<double>(examples_) / std::max(now - away_, 1e-9);
}

double Tally::tokens_per_second(double now) const {
  return static_cast<double>(tokens_) / std::max(now - away_, 1e-9);
}

double Tally::seconds_per_step(double now) const {
  return (now - before_) / static_cast<double>(std::max<int64_t>(steps_, 1));
}

}  // namespace weft::training
