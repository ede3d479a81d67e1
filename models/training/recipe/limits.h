// models/training/recipe/limits.h -- when a run ends, and how long that will take.
#pragma once
#include "models/training/folder/model_folder.h"
#include "models/training/schedule.h"

#include <optional>
#include <string_view>

namespace weft::training {

enum class Ended { epochs, steps, minutes, patience, stopped };
std::string_view why(Ended ended);  // "all steps are done"

// The limit that is reached `seconds` after this run has begun.
std::optional<Ended> limit_reached(const Limits& limits, const Progress& progress, double seconds);

// Until the first of the limits; 0 where there is none. `batches`: of the current epoch.
double seconds_left(const Limits& limits, const Progress& progress, int64_t batches, double seconds,
                    double seconds_per_step);

}  // namespace weft::training
