// ir/passes/pipeline.h -- the order of the passes, in one place.
#pragma once
#include "ir/passes/pass.h"
#include "ir/precision.h"

#include <chrono>

namespace weft::ir {

std::span<const Pass> all_passes();  // sorted by name
const Pass* find_pass(std::string_view name);

// Before differentiation: canonical form, loops taken apart, patterns made domain ops.
std::span<const Pass* const> recognise_passes();
// After it: canonical again, reverse loops taken apart, epilogues and updates fused.
std::span<const Pass* const> optimise_passes();
// Then, of a program that computes in another precision than f32.
std::span<const Pass* const> precision_passes(Precision precision);

struct PassRecord {
  std::string_view pass;
  double milliseconds = 0;
  int nodes_before = 0, nodes_after = 0;  // those of regions included
  bool changed = false;
  int notes = 0;  // that it added to the context's
};

struct PipelineOptions {
  std::vector<std::string> disabled;  // names of passes to leave out; GraphError for others
  bool verify = true;  // after every pass; off in release builds, where it runs once at the end
  // Called around every pass, e.g. to dump.
  std::function<void(std::string_view pass, const Graph& before, const Graph& after)> observe;
};

struct PipelineResult {
  Graph graph;
  std::vector<PassRecord> records;
};

// With WEFT_DUMP=FOLDER in the environment the graph is also written there around every pass that
// changes it: 03-fuse_attention.before.ir, 03-fuse_attention.after.ir.
PipelineResult run_passes(const Graph& graph, std::span<const Pass* const> passes,
                          PassContext& context, const PipelineOptions& options = {});

}  // namespace weft::ir
