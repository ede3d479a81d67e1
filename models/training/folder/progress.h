// models/training/folder/progress.h -- where a run is, and how a folder's files say it.
#pragma once
#include "frontend/formats/checkpoint.h"
#include "models/data/batching.h"
#include "models/training/divergence.h"
#include "models/training/recipe/run_settings.h"
#include "models/training/schedule_end.h"

#include <string>

namespace weft::training {

struct Progress {
  int64_t step = 0;
  data::BatchStream::Position position;  // of the next batch
  double best_score = 0;                 // of validation, of the best model there is
  int64_t best_step = 0;                 // 0: none yet
  double mark_score = 0;                 // the best of the validations that were due, by which
  int64_t mark_step = 0;              // shrinking and patience are judged: none after the last step
  int64_t since_best = 0;             // due validations after that one
  int64_t shrinks = 0;                // of the learning rate
  int64_t schedule_end = 0;           // found by the run; 0: the recipe's, or not known yet
  TimedFall fall;                     // of a schedule that ends with the minutes
  RunningLevels levels;               // of the steps so far, by which divergence is judged
  int64_t skips = 0, since_skip = 0;  // updates that were not made, and sound steps since
  int64_t restores = 0;               // of a checkpoint, after the run had diverged
  bool validation_due = false;        // the one of this step was stopped
  uint64_t seed = 1;
  RunSettings settings;  // of the run that made the last of these steps

  bool operator==(const Progress&) const = default;
};

// What the metadata of last.safetensors and good.safetensors say; doubles as their bits, which come
// back the same.
formats::Metadata metadata_of_last(const Progress& p);
// Throws GraphError that names the file where a number is missing.
Progress progress_of(const formats::Metadata& m, const std::string& file);
// What the metadata of best.safetensors say, and back: sets best_step and best_score.
formats::Metadata metadata_of_best(const Progress& p, const std::string& score);
void set_best(Progress& p, const formats::Metadata& m, const std::string& file);
// Does the run keep a moving average of the parameters?
bool has_average(const formats::Metadata& last);
// Of any of these files.
int64_t step_of(const formats::Metadata& m, const std::string& file);

}  // namespace weft::training
