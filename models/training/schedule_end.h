// models/training/schedule_end.h -- where a schedule ends that goes by epochs or by time.
//
// The end is found once, when a run begins, and kept with it: from then on the rate is a function
// of steps, and a run that goes on has the rates of one that was never stopped.
#pragma once
#include "models/training/schedule.h"

#include <optional>

namespace weft::training {

// How long the parts of a run take, in seconds.
struct Pace {
  double step = 0, validation = 0;
  double spent = 0;  // of the run's minutes, before its first step
};

struct Counts {
  int64_t done = 0, epochs_done = 0;  // by runs before
  int64_t batches_in_epoch = 0;       // 0: not known
};

// The step at which a run ends by its epochs or its minutes, whichever come first; at least one
// step after `done`. A thirtieth of the time is left over, so that the schedule comes to its end.
// `pace`: needed where there are minutes.
int64_t found_end(const Limits& limits, const Counts& counts, const Pace& pace);

// Where the minutes of a run will be over well before its schedule is: says so. `seconds`: so far.
std::optional<std::string> time_warning(const Rate& rate, const Limits& limits,
                                        const Moment& moment, double seconds, double step_seconds);

}  // namespace weft::training
