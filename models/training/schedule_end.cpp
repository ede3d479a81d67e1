// models/training/schedule_end.cpp -- steps from epochs and from minutes.
#include "models/training/schedule_end.h"

#include <algorithm>
#include <cmath>

namespace weft::training {

namespace {

constexpr double kKeptBack = 1.0 / 200;  // of the time
constexpr double kBetween = 1.0 / 50;    // of the time, from one estimate to the next at most
constexpr int64_t kBeforeFirst = 10;     // steps measured before the first estimate
constexpr int64_t kRemembered = 20;      // steps in the running mean

double seconds_of(const Limits& l) { return l.minutes * 60; }

// Steps that `seconds` allow, each behind every `every` followed by a validation; the next validation
// is due after `next` steps.
double steps_within(double seconds, double step, double validation, double every, double next) {
  if (seconds <= 0) return 0;
  if (every <= 0 || validation <= 0) return seconds / step;
  // How many steps before the first, or the next, validation that there is no time for.
  const auto part = [&](double left, double due) { return std::min(left / step, due - 1); };
  const double first = next * step + validation, period = every * step + validation;
  if (seconds < first) return part(seconds, next);
  const double left = seconds - first, whole = std::floor(left / period);
  return next + whole * every + part(left - whole * period, every);
}

}  // namespace

int64_t end_of_epochs(const Limits& l, const Counts& c) {
  const double left =
      static_cast<double>(l.epochs - c.epochs_done) * static_cast<double>(c.batches_in_epoch) -
      static_cast<double>(c.in_epoch);
  return c.done + std::max<int64_t>(1, static_cast<int64_t>(std::min(left, 1e15)));
}

bool is_timed(const Rate& r, const Limits& l) {
  return has_end(r) && end_of(r, l) == 0 && l.minutes > 0;
}

void TimedFall::add_step(double took) {
  measured = std::min(measured + 1, kRemembered);
  step += (took - step) / static_cast<double>(measured);
}

bool estimate_due(const TimedFall& f, const Limits& l, int64_t end) {
  if (f.measured == 0) return false;
  const double all = seconds_of(l), since = f.seconds - f.estimated_at;
  if (end == 0) return f.measured >= kBeforeFirst || since >= all * kBetween;
  // Towards the end ever more often, so that what the last ones were wrong by is little.
  return since >= std::min(all * kBetween, (all - f.estimated_at) / 2);
}

int64_t estimated_end(const TimedFall& f, const Limits& l, const Counts& c) {
  const double all = seconds_of(l), left = all * (1 - kKeptBack) - f.validation - f.seconds;
  const int64_t every = l.validate_every > 0 ? l.validate_every : c.batches_in_epoch,
                next = l.validate_every > 0 ? every - c.done % every : every - c.in_epoch;
  const double steps = steps_within(left, std::max(f.step, 1e-9), f.validation,
                                    static_cast<double>(every), static_cast<double>(next));
  const int64_t end = c.done + std::max<int64_t>(1, static_cast<int64_t>(std::min(steps, 1e15)));
  return l.epochs > 0 && c.batches_in_epoch > 0 ? std::min(end, end_of_epochs(l, c)) : end;
}

std::optional<std::string> time_warning(const Rate& r, const Limits& l, const Moment& m,
                                        double seconds, double step_seconds) {
  if (!has_end(r) || l.minutes == 0 || step_seconds <= 0) return std::nullopt;
  const double left = (l.minutes * 60 - seconds) / step_seconds;
  Moment last = m;
  last.done = m.done + static_cast<int64_t>(std::max(0.0, std::min(left, 1e15)));
  const double share = share_left(r, last);
  if (share < 0.1) return std::nullopt;
  return ir::concat("at this speed the time is up at step ", last.done,
                    ", but the schedule ends at step ", m.end, ": ", std::lround(share * 100),
                    " % of its fall would be left; without training.steps and "
                    "optimizer.schedule_steps it ends with the time");
}

}  // namespace weft::training
