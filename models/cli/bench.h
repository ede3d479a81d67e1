// models/cli/bench.h -- what `weft bench` can time besides a training step.
#pragma once
#include <CLI/CLI.hpp>

namespace weft::cli {

// weft bench attention
CLI::App* add_bench_attention(CLI::App& bench_command);

}  // namespace weft::cli
