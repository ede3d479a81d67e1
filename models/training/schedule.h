// models/training/schedule.h -- the learning rate of each step, and when a run ends.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace weft::training {

enum class Schedule {
  constant,
  linear,        // down to 0 at training.steps
  inverse_sqrt,  // learning_rate * sqrt(warmup / step) after `warmup` (Vaswani et al. 2017, eq. 3)
};
Schedule schedule_named(std::string_view name);  // GraphError listing them
std::string_view name(Schedule schedule);

struct Rate {
  double learning_rate = 1e-3;
  Schedule schedule = Schedule::constant;
  int64_t warmup = 0;  // steps over which the rate rises from 0
  double shrink = 1;   // times this at each validation that is not the best

  bool operator==(const Rate&) const = default;
};

struct Limits {  // 0: no limit
  int64_t epochs = 0, steps = 0;
  double minutes = 0;          // of this run
  int64_t patience = 0;        // validations in a row that are not the best
  int64_t validate_every = 0;  // steps; 0: at the end of each epoch
  int64_t save_every = 0;      // steps; 0: with each validation

  bool operator==(const Limits&) const = default;
};

// Throws GraphError where the two do not go together.
void check(const Rate& rate, const Limits& limits);

// Of the step after `done` steps, when `shrinks` validations were not the best.
double rate_of(const Rate& rate, const Limits& limits, int64_t done, int64_t shrinks);

}  // namespace weft::training
