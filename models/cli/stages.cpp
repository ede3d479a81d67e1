// models/cli/stages.cpp -- running passes and telling of it.
#include "models/cli/stages.h"

#include "backends/backend.h"
#include "models/cli/command.h"

#include <algorithm>

namespace weft::cli {
namespace {

Compiled run(const ir::Graph& graph, std::span<const ir::Pass* const> passes,
             const std::vector<std::string>& disabled, size_t passes_before = 0) {
  ir::PassContext context = pass_context();
  context.passes_run = static_cast<int>(passes_before);
  ir::PipelineResult result = ir::run_passes(graph, passes, context, {.disabled = disabled});
  return {std::move(result.graph), std::move(context.notes)};
}

}  // namespace

ir::PassContext pass_context() {
  ir::PassContext context;
  context.evaluate = [](const ir::Graph& constants) {
    std::vector<ir::Array> results;  // floats unrounded, as the reference computes them
    for (const ir::Output& output : constants.outputs()) {
      const ir::TensorType& type = constants.type(output.value);
      results.emplace_back(ir::is_float(type.dtype) ? ir::DType::f64 : type.dtype,
                           ir::values(type.shape, {}));
    }
    backends::make_reference()->compile(constants, {})->run({}, results);
    return results;
  };
  return context;
}

Compiled recognised(const ir::Graph& graph, const std::vector<std::string>& disabled) {
  return run(graph, ir::recognise_passes(), disabled);
}
Compiled optimised(const ir::Graph& graph, const std::vector<std::string>& disabled) {
  return run(graph, ir::optimise_passes(), disabled, ir::recognise_passes().size());
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

std::string explained(const std::vector<ir::Note>& notes) {
  std::string s;
  for (const ir::Note& note : notes)
    s +=
        note.pass + (note.kind == ir::Note::Kind::done ? ": " : ": held back: ") + note.text + "\n";
  return s;
}

}  // namespace weft::cli
