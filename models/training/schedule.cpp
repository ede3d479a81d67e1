// models/training/schedule.cpp -- warmup, schedule and shrinking, multiplied.
#include "models/training/schedule.h"

#include "ir/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace weft::training {
namespace {

constexpr std::array<std::pair<std::string_view, Schedule>, 3> kSchedules{
    {{"constant", Schedule::constant},
     {"linear", Schedule::linear},
     {"inverse_sqrt", Schedule::inverse_sqrt}}};

}  // namespace

Schedule schedule_named(std::string_view wanted) {
  std::string all;
  for (const auto& [name, schedule] : kSchedules) {
    if (name == wanted) return schedule;
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  throw ir::GraphError(ir::concat("there is no schedule '", wanted, "'; there are ", all));
}

std::string_view name(Schedule schedule) {
  return std::find_if(kSchedules.begin(), kSchedules.end(),
                      [&](const auto& entry) { return entry.second == schedule; })
      ->first;
}

void check(const Rate& r, const Limits& l) {
  if (!(static_cast<float>(r.learning_rate) > 0 && r.learning_rate <= 1e6))
    throw ir::GraphError(
        ir::concat("learning_rate is ", r.learning_rate, ", needed is more than 0, at most 1e6"));
  if (!(r.shrink > 0 && r.shrink <= 1))
    throw ir::GraphError(ir::concat("shrink is ", r.shrink, ", needed is more than 0, at most 1"));
  if (r.schedule != Schedule::linear) return;
  if (l.steps == 0)
    throw ir::GraphError("schedule linear needs training.steps, where the rate reaches 0");
  if (r.warmup >= l.steps)
    throw ir::GraphError(ir::concat("warmup is ", r.warmup,
                                    ", needed is less than training.steps, ", l.steps,
                                    ", where schedule linear ends at 0"));
}

double rate_of(const Rate& r, const Limits& limits, int64_t done, int64_t shrinks) {
  const auto t = static_cast<double>(done + 1);
  double rate = r.learning_rate * std::pow(r.shrink, static_cast<double>(shrinks));
  if (r.warmup > 0) rate *= std::min(1.0, t / static_cast<double>(r.warmup));
  if (r.schedule == Schedule::linear)
    rate *= std::max(0.0, 1 - static_cast<double>(done) / static_cast<double>(limits.steps));
  if (r.schedule == Schedule::inverse_sqrt) {
    const double warmup = std::max<double>(1, static_cast<double>(r.warmup));
    if (t > warmup) rate *= std::sqrt(warmup / t);
  }
  return rate;
}

}  // namespace weft::training
