// models/cli/graphs/stages.h -- graphs of the user's own on their way through the compiler.
#pragma once
#include "frontend/compile/stages.h"
#include "ir/graph.h"
#include "ir/passes/pipeline.h"

#include <string>
#include <vector>

namespace weft::cli {

// With these gradients (graph_file.h) after recognition, by the reference's arithmetic.
StagePlan graph_plan(const std::vector<std::string>& gradients,
                     const std::vector<std::string>& disabled = {});

// Passes by name, in that order. Throws UsageError for a name that is none.
ir::PipelineResult run_named_passes(const ir::Graph& graph, const std::vector<std::string>& names,
                                    const std::vector<std::string>& disabled,
                                    ir::PassContext& context);
void check_pass_names(const std::vector<std::string>& names);

// Constants are folded by the reference backend.
ir::PassContext pass_context();

// As --explain prints them: one a line.
std::string explained(std::span<const ir::Note> notes);

}  // namespace weft::cli
