// models/cli/stages.h -- a graph on its way through the compiler, stage by stage.
#pragma once
#include "ir/graph.h"
#include "ir/passes/pipeline.h"

#include <string>
#include <vector>

namespace weft::cli {

struct Compiled {
  ir::Graph graph;
  std::vector<ir::Note> notes;  // what was fused into what, and what was held back
};

Compiled recognised(const ir::Graph& graph, const std::vector<std::string>& disabled = {});
Compiled optimised(const ir::Graph& graph, const std::vector<std::string>& disabled = {});

// Passes by name, in that order. Throws UsageError for a name that is none.
ir::PipelineResult run_named_passes(const ir::Graph& graph, const std::vector<std::string>& names,
                                    const std::vector<std::string>& disabled,
                                    ir::PassContext& context);
void check_pass_names(const std::vector<std::string>& names);

// Constants are folded by the reference backend.
ir::PassContext pass_context();

// As --explain prints them: one a line.
std::string explained(const std::vector<ir::Note>& notes);

}  // namespace weft::cli
