// models/cli/graphs/bench.h -- what `weft bench` can time besides a training step.
#pragma once
#include "models/cli/command.h"

namespace weft::cli {

// weft bench attention
Command* add_bench_attention(Command& bench_command);

}  // namespace weft::cli
