// models/training/log/run_log.h -- what a run has said of itself, kept in the model's folder.
//
//   log.jsonl   a line of JSON for every tenth step (the mean of those since the last) and every
//               validation:
//     {"kind":"step","step":20,"epoch":1,"loss":3.12,"gradient_norm":1.8,"rate":0.001,
//      "examples_per_second":910,"tokens_per_second":21300,"seconds":4.2}
//     {"kind":"validation","step":100,"epoch":1,"loss":2.71,"bleu":31.2,"best":true,
//      "seconds":21.7}                             and whatever else it measured (scores.h)
//
// Where risks are learnt (risk.h), steps have a "risk" and no loss.
//
// Lines are appended; a run that goes on from step n writes over what was logged after n, which
// readers take care of. A number that is not finite is null. The same values go to a TensorBoard
// file beside it (event_file.h). A log that cannot be written ends nothing: it is said once.
#pragma once
#include "models/training/log/event_file.h"
#include "models/training/trainer.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weft::training {

struct LogRecord {
  bool validation = false, best = false;
  int64_t step = 0, epoch = 1;
  double loss = 0;  // NaN of steps that learn risks
  std::optional<double> risk;
  Scores scores;                       // of a validation, the loss the first
  double gradient_norm = 0, rate = 0;  // of steps, as the next two
  double examples_per_second = 0, tokens_per_second = 0;
  double seconds = 0;  // of this process's run
};

// In the order of the steps; what a later run has written over is left out. Throws GraphError at
// "path:line".
std::vector<LogRecord> read_run_log(const std::string& path);
std::string run_log_path(const std::string& folder);  // folder/log.jsonl

// Writes the log of a run that begins, or goes on after `step`. `complain` hears of a log that
// cannot be written.
Trainer::Observer run_log(const std::string& folder, int64_t step,
                          std::function<void(const std::string&)> complain);

}  // namespace weft::training
