// models/training/schedule.cpp -- warm-up, schedule and shrinking.
#include "models/training/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

namespace weft::training {
namespace {

using ir::concat;

constexpr std::array<std::pair<std::string_view, Schedule>, 7> kSchedules{
    {{"constant", Schedule::constant},
     {"linear", Schedule::linear},
     {"cosine", Schedule::cosine},
     {"polynomial", Schedule::polynomial},
     {"inverse_sqrt", Schedule::inverse_sqrt},
     {"noam", Schedule::noam},
     {"halving", Schedule::halving}}};

bool falls_to_floor(Schedule s) {
  return s == Schedule::linear || s == Schedule::cosine || s == Schedule::polynomial;
}

// How far the period at hand is, from 0 to 1.
double progress(const Rate& r, const Moment& m) {
  if (r.restart_every == 0) {
    if (m.end == 0) return m.share;
    const int64_t from = std::max(m.from, r.warmup);
    const double way = static_cast<double>(std::max<int64_t>(0, m.done - from)) /
                       static_cast<double>(std::max<int64_t>(1, m.end - from));
    return std::min(1.0, m.share + (1 - m.share) * way);
  }
  auto at = static_cast<double>(std::max<int64_t>(0, m.done - r.warmup));
  auto period = static_cast<double>(r.restart_every);
  if (r.restart_stretch == 1) return std::fmod(at, period) / period;
  while (at >= period) at -= period, period *= r.restart_stretch;
  return at / period;
}

// Behind the warm-up, of what lies between floor and learning rate.
double share(const Rate& r, const Moment& m) {
  const double p = progress(r, m);
  if (r.schedule == Schedule::cosine) return (1 + std::cos(std::numbers::pi * p)) / 2;
  return std::pow(1 - p, r.schedule == Schedule::polynomial ? r.power : 1);
}

double stairs(const Rate& r, const Moment& m) {
  const int64_t at = r.halving_unit == Unit::epochs ? m.epoch : m.done;
  if (at < r.halving_start) return 1;
  return std::pow(r.halving_factor,
                  static_cast<double>(1 + (at - r.halving_start) / r.halving_every));
}

double noam(const Rate& r, double t) {
  const double scale = r.learning_rate / std::sqrt(static_cast<double>(r.width)),
               warmup = static_cast<double>(r.warmup);
  return t < warmup ? scale * t * std::pow(warmup, -1.5) : std::max(r.floor, scale / std::sqrt(t));
}

double warm_rate(const Rate& r, const Moment& m, double t) {
  if (falls_to_floor(r.schedule)) return r.floor + (r.learning_rate - r.floor) * share(r, m);
  double rate = r.learning_rate;
  if (r.schedule == Schedule::inverse_sqrt)
    rate *= std::sqrt(std::min(1.0, static_cast<double>(std::max<int64_t>(1, r.warmup)) / t));
  if (r.schedule == Schedule::halving) rate *= stairs(r, m);
  return std::max(rate, std::min(r.floor, r.learning_rate));
}

void check_end(const Rate& r, const Limits& l) {
  const std::string schedule(name(r.schedule));
  const int64_t end = end_of(r, l);
  if (end == 0 && l.epochs == 0 && l.minutes == 0)
    throw BadRate("schedule", concat("schedule ", schedule,
                                     " needs an end: training.steps, training.epochs, "
                                     "training.minutes or optimizer.schedule_steps"));
  const std::string_view which = r.schedule_steps > 0 ? "schedule_steps" : "training.steps";
  if (end > 0 && r.warmup >= end)
    throw BadRate("warmup", concat("warmup is ", r.warmup, ", needed is less than ", which, ", ",
                                   end, ", where schedule ", schedule, " ends"));
  if (r.floor == 0 && r.schedule_steps > 0 && l.steps > r.schedule_steps)
    throw BadRate(
        "schedule_steps",
        concat("schedule ", schedule, " is at rate 0 after schedule_steps, ", r.schedule_steps,
               ", but training.steps is ", l.steps, "; a floor keeps the rate above 0"));
}

}  // namespace

Schedule schedule_named(std::string_view wanted) {
  std::string all;
  for (const auto& [name, schedule] : kSchedules) {
    if (name == wanted) return schedule;
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  throw ir::GraphError(concat("there is no schedule '", wanted, "'; there are ", all));
}

std::string_view name(Schedule schedule) {
  return std::find_if(kSchedules.begin(), kSchedules.end(),
                      [&](const auto& entry) { return entry.second == schedule; })
      ->first;
}

std::string_view name(Unit unit) { return unit == Unit::steps ? "steps" : "epochs"; }

void check(const Rate& r, const Limits& l) {
  if (!(static_cast<float>(r.learning_rate) > 0 && r.learning_rate <= 1e6))
    throw BadRate("learning_rate", concat("learning_rate is ", r.learning_rate,
                                          ", needed is more than 0, at most 1e6"));
  if (!(r.shrink > 0 && r.shrink <= 1))
    throw BadRate("shrink", concat("shrink is ", r.shrink, ", needed is more than 0, at most 1"));
  if (r.shrink_patience < 1 || r.halving_every < 1)
    throw BadRate(r.shrink_patience < 1 ? "shrink_patience" : "halving_every",
                  "shrink_patience and halving_every must be 1 or more");
  if (r.schedule == Schedule::noam) {
    if (r.warmup < 1) throw BadRate("schedule", "schedule noam needs a warmup of 1 step or more");
    if (r.width < 1)
      throw BadRate("schedule", "schedule noam needs optimizer.width, that of the model");
    return;
  }
  for (const auto& [key, value] : {std::pair{"floor", r.floor}, {"warmup_from", r.warmup_from}})
    if (!(value >= 0 && value <= r.learning_rate))
      throw BadRate(
          key, concat(key, " is ", value, ", needed is 0 to the learning rate, ", r.learning_rate));
  if (has_end(r)) check_end(r, l);
}

bool has_end(const Rate& r) { return falls_to_floor(r.schedule) && r.restart_every == 0; }

int64_t end_of(const Rate& r, const Limits& l) {
  if (!has_end(r)) return 0;
  return r.schedule_steps > 0 ? r.schedule_steps : l.steps;
}

double rate_of(const Rate& r, const Moment& m) {
  const auto t = static_cast<double>(m.done + 1), warmup = static_cast<double>(r.warmup);
  double rate = 0;
  if (r.schedule == Schedule::noam)
    rate = noam(r, t);
  else if (t < warmup)
    rate = r.warmup_from + (r.learning_rate - r.warmup_from) * t / warmup;
  else
    rate = warm_rate(r, m, t);
  if (m.shrinks == 0) return rate;
  return std::max(rate * std::pow(r.shrink, static_cast<double>(m.shrinks)),
                  std::min(r.floor, rate));
}

double share_done(const Rate& r, const Moment& m) { return has_end(r) ? progress(r, m) : 0; }

double share_left(const Rate& r, const Moment& m) { return has_end(r) ? share(r, m) : 0; }

}  // namespace weft::training
