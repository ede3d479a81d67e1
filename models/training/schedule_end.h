// models/training/schedule_end.h -- where a schedule ends that goes by epochs or by time.
//
// By epochs the end is found once, when a run begins, and kept with it.
//
// By time it is estimated after the first steps, and again at every validation and every so often:
// how many steps, with their validations at the cost of the last one, the time allows that is left.
// From there the schedule goes on evenly from where it is to its end,
//   done(t) = share + (1 - share) (t - from) / (end - from)
// so that it never goes back, comes to its end, and does so in time, whatever became faster or
// slower. All of it is kept with the run: one that goes on has the minutes that are left.
#pragma once
#include "models/training/schedule.h"

#include <optional>

namespace weft::training {

struct Counts {
  int64_t done = 0;              // steps, by runs before too
  int64_t epochs_done = 0;       // likewise
  int64_t in_epoch = 0;          // batches of the epoch at hand
  int64_t batches_in_epoch = 0;  // 0: not known
};

// The step at which the epochs of a run are over; at least one step after `done`.
int64_t end_of_epochs(const Limits& limits, const Counts& counts);

// Does the schedule end with the minutes of a run?
bool is_timed(const Rate& rate, const Limits& limits);

// Of a schedule that does.
struct TimedFall {
  int64_t from = 0;         // the step of the last estimate
  double share = 0;         // of the fall, done by then
  double seconds = 0;       // of the run's minutes, used so far
  double estimated_at = 0;  // of those, when the last estimate was made
  double step = 0;          // seconds that one takes: a running mean
  int64_t measured = 0;     // steps that are in it
  double validation = 0;    // seconds that the last one took

  void add_step(double seconds);
  bool operator==(const TimedFall&) const = default;
};

// Is it time for an estimate, beside those that follow a validation? `end`: the last one, 0: none.
bool estimate_due(const TimedFall& fall, const Limits& limits, int64_t end);
// The last step there is time for, or that the epochs allow; at least one step after `done`. Kept
// back is a two hundredth of the time, and that of a validation behind the last step.
int64_t estimated_end(const TimedFall& fall, const Limits& limits, const Counts& counts);

// Where the minutes of a run will be over well before its schedule is: says so. `seconds`: so far.
std::optional<std::string> time_warning(const Rate& rate, const Limits& limits,
                                        const Moment& moment, double seconds, double step_seconds);

}  // namespace weft::training
