// models/training/recipe/limits.cpp -- each limit against what was done.
#include "models/training/recipe/limits.h"

#include <algorithm>
#include <vector>

namespace weft::training {

std::string_view why(Ended ended) {
  switch (ended) {
    case Ended::epochs:
      return "all epochs are done";
    case Ended::steps:
      return "all steps are done";
    case Ended::minutes:
      return "the time is up";
    case Ended::patience:
      return "validation no longer improves";
    case Ended::stopped:
      return "stopped";
  }
  return {};
}

std::optional<Ended> limit_reached(const Limits& l, const Progress& p, double seconds) {
  if (l.steps > 0 && p.step >= l.steps) return Ended::steps;
  if (l.epochs > 0 && p.position.epoch >= l.epochs) return Ended::epochs;
  if (l.patience > 0 && p.since_best >= l.patience) return Ended::patience;
  if (l.minutes > 0 && seconds >= l.minutes * 60) return Ended::minutes;
  return std::nullopt;
}

double seconds_left(const Limits& limits, const Progress& p, int64_t batches, double seconds,
                    double seconds_per_step) {
  std::vector<double> left;
  if (limits.minutes > 0) left.push_back(std::max(0.0, limits.minutes * 60 - seconds));
  if (limits.steps > 0)
    left.push_back(static_cast<double>(limits.steps - p.step) * seconds_per_step);
  if (limits.epochs > 0 && batches > 0)
    left.push_back(
        (static_cast<double>(limits.epochs - p.position.epoch) * static_cast<double>(batches) -
         static_cast<double>(p.position.index)) *
        seconds_per_step);
  return left.empty() ? 0 : *std::min_element(left.begin(), left.end());
}

}  // namespace weft::training
