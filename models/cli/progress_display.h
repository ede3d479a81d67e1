// models/cli/progress_display.h -- a run's progress as one line on stderr.
#pragma once
#include "models/training/trainer.h"

namespace weft::cli {

// Rewritten in place on a terminal: step, epoch, loss, examples/s, time left.
training::Trainer::Observer progress_display();

}  // namespace weft::cli
