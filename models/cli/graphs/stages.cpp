// models/cli/graphs/stages.cpp -- running passes and telling of it.
#include "models/cli/graphs/stages.h"

#include "backends/backend.h"
#include "models/cli/command.h"
#include "models/cli/graphs/graph_file.h"

namespace weft::cli {
namespace {

// Floats unrounded, as the reference computes them.
Evaluate evaluated_by_reference() {
  return evaluated_by(backends::make_reference(), ir::DType::f64);
}

}  // namespace

StagePlan graph_plan(const std::vector<std::string>& gradients,
                     const std::vector<std::string>& disabled) {
  StagePlan plan{.disabled = disabled, .evaluate = evaluated_by_reference()};
  if (!gradients.empty())
    plan.middle.push_back(
        {"differentiate",
         [gradients](const ir::Graph& graph) { return differentiated(graph, gradients).graph; },
         "differentiated"});
  return plan;
}

ir::PassContext pass_context() {
  ir::PassContext context;
  context.evaluate = evaluated_by_reference();
  return context;
}

void check_pass_names(const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (ir::find_pass(name) == nullptr)
      throw UsageError("there is no pass '" + name + "'; weft opt --list lists them");
}

ir::PipelineResult run_named_passes(const ir::Graph& graph, const std::vector<std::string>& names,
                                    const std::vector<std::string>& disabled,
                                    ir::PassContext& context) {
  check_pass_names(names);
  check_pass_names(disabled);
  std::vector<const ir::Pass*> passes;
  for (const std::string& name : names) passes.push_back(ir::find_pass(name));
  return ir::run_passes(graph, passes, context, {.disabled = disabled});
}

std::string explained(std::span<const ir::Note> notes) {
  std::string s;
  for (const ir::Note& note : notes)
    s +=
        note.pass + (note.kind == ir::Note::Kind::done ? ": " : ": held back: ") + note.text + "\n";
  return s;
}

}  // namespace weft::cli
