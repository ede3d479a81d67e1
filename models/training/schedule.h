// models/training/schedule.h -- the learning rate of each step, and when a run ends.
//
// A rate rises over `warmup` steps, then follows its schedule, and is shrunk where validations no
// longer improve. It is a function of counts alone: of steps, epochs and shrinks so far.
#pragma once
#include "ir/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace weft::training {

enum class Schedule {
  constant,
  linear,        // down to the floor at the schedule's end
  cosine,        // likewise, along half a cosine (Loshchilov and Hutter 2017, eq. 5)
  polynomial,    // likewise, by a power of what is left
  inverse_sqrt,  // learning_rate * sqrt(warmup / step)
  noam,          // learning_rate * width^-0.5 * min(step^-0.5, step * warmup^-1.5)
                 // (Vaswani et al. 2017, eq. 3)
  halving,       // in stairs (Luong et al. 2015, section 4.1)
};
Schedule schedule_named(std::string_view name);  // GraphError listing them
std::string_view name(Schedule schedule);

enum class Unit { steps, epochs };
std::string_view name(Unit unit);

struct Rate {
  double learning_rate = 1e-3;
  Schedule schedule = Schedule::constant;
  int64_t warmup = 0;          // steps over which the rate rises
  double warmup_from = 0;      // the rate it rises from
  double floor = 0;            // once warm, the rate falls no further
  int64_t schedule_steps = 0;  // linear, cosine, polynomial: the schedule's end; 0: see end_of
  double power = 1;            // polynomial
  int64_t restart_every = 0;   // cosine: steps of the first period; 0: one period only
  double restart_stretch = 1;  // cosine: each period is so many times as long as the one before
  int64_t width = 0;           // noam
  int64_t halving_start = 0;   // halving: the first stair, counted in halving_unit
  int64_t halving_every = 1;   // from one stair to the next
  double halving_factor = 0.5;
  Unit halving_unit = Unit::epochs;
  double shrink = 1;            // times this after
  int64_t shrink_patience = 1;  // so many validations in a row that are not the best

  bool operator==(const Rate&) const = default;
};

struct Limits {  // 0: no limit
  int64_t epochs = 0, steps = 0;
  double minutes = 0;          // of this run
  int64_t patience = 0;        // validations in a row that are not the best
  int64_t validate_every = 0;  // steps; 0: at the end of each epoch
  int64_t save_every = 0;      // steps; 0: with each validation
  int64_t keep = 0;            // checkpoints that stay, of those saved last

  bool operator==(const Limits&) const = default;
};

// A setting of the rate that does not go with the others.
struct BadRate : ir::GraphError {
  BadRate(std::string key, const std::string& message)
      : ir::GraphError(message), key(std::move(key)) {}

  std::string key;  // of Rate: where the message belongs
};
// Throws BadRate where the two do not go together.
void check(const Rate& rate, const Limits& limits);

// Does the rate come down to its floor after a number of steps that must be known?
bool has_end(const Rate& rate);
// That number: schedule_steps or training.steps. 0 where it is to be found when the run begins,
// from its epochs or from its minutes.
int64_t end_of(const Rate& rate, const Limits& limits);

struct Moment {
  int64_t done = 0;     // steps so far
  int64_t epoch = 0;    // epochs so far
  int64_t shrinks = 0;  // after how many validations
  int64_t end = 0;      // of the schedule; 0: not known yet, it stays at `share`
  // How far it was after a step; from there it goes on evenly to its end.
  int64_t from = 0;
  double share = 0;
};
// Of the step that comes next.
double rate_of(const Rate& rate, const Moment& moment);
// How far a schedule that has an end is on its way there, from 0 to 1.
double share_done(const Rate& rate, const Moment& moment);
// What share of what the schedule takes off is still to be taken: 0 at its end.
double share_left(const Rate& rate, const Moment& moment);

}  // namespace weft::training
