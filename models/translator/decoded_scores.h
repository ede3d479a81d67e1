// models/translator/decoded_scores.h -- what a model says of a task's validation data while it is
// trained, scored.
#pragma once
#include "models/training/validation.h"
#include "models/translator/task.h"

namespace weft {

// Decodes with the parameters it is given, without a copy of them, and scores the text as `weft
// evaluate` does: lines with the same source are one segment with several references. A function of
// the parameters alone.
training::DecodedScores decoded_scores(const Task& task, const ProgramOptions& program);

}  // namespace weft
