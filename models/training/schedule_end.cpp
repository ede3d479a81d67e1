// models/training/schedule_end.cpp -- steps from epochs and from minutes.
#include "models/training/schedule_end.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace weft::training {

int64_t found_end(const Limits& l, const Counts& c, const Pace& pace) {
  double end = std::numeric_limits<double>::infinity();
  if (l.epochs > 0 && c.batches_in_epoch > 0)
    end = static_cast<double>(c.done) +
          static_cast<double>(l.epochs - c.epochs_done) * static_cast<double>(c.batches_in_epoch);
  if (l.minutes > 0) {
    const int64_t every = l.validate_every > 0 ? l.validate_every : c.batches_in_epoch;
    const double left = l.minutes * 60 * 29 / 30 - pace.spent - pace.validation;
    const double each = pace.step + (every > 0 ? pace.validation / static_cast<double>(every) : 0);
    end = std::min(end, static_cast<double>(c.done) + left / std::max(each, 1e-9));
  }
  return std::max(c.done + 1, static_cast<int64_t>(std::min(end, 1e15)));
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
