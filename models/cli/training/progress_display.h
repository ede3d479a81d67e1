// models/cli/training/progress_display.h -- a run's progress as one line on stderr.
#pragma once
#include "models/training/trainer.h"

namespace weft::cli {

// Rewritten in place on a terminal, elsewhere a line every ten seconds:
//   step 1200, epoch 3: loss 2.1034, 21,300 tokens/s, rate 0.0005, BLEU 31.20 at 1000, 4:10, 9:31 left
// And a line for every validation, with all it measured.
training::Trainer::Observer progress_display();

}  // namespace weft::cli
