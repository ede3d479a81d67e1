// models/cli/stages_command.cpp -- weft stages: a graph at every stage of its life on one page of
// Markdown.
#include "ir/text/text.h"
#include "models/cli/command.h"
#include "models/cli/graph_file.h"
#include "models/cli/stages.h"
#include "models/cli/subject.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

namespace weft::cli {
namespace {

struct StagesOptions {
  std::string what, output, gradient;
};

std::string listing(const ir::Graph& graph) {
  return "```\n" + ir::print(graph, {.types = true, .scopes = true, .locations = false}) + "```\n";
}

struct Stage {
  ir::Graph graph;
  std::string passes;  // as a table
};

Stage taken_through(const ir::Graph& graph, std::span<const ir::Pass* const> passes) {
  ir::PassContext context = pass_context();
  ir::PipelineResult result = ir::run_passes(graph, passes, context);
  std::string table = "| pass | what it is for | nodes |\n|---|---|---|\n";
  for (const ir::PassRecord& r : result.records)
    if (r.changed)
      table += fmt::format("| `{}` | {} | {} to {} |\n", r.pass, ir::find_pass(r.pass)->doc,
                           r.nodes_before, r.nodes_after);
  if (!context.notes.empty())
    table += "\nWhat the passes say (`--explain`):\n\n```\n" + explained(context.notes) + "```\n";
  return {std::move(result.graph), std::move(table)};
}

void stages(const StagesOptions& o) {
  const ir::Graph built = is_model(o.what) ? read_subject(o.what).loss : read_graph(o.what);
  const std::string name = std::filesystem::path(o.what).filename().string();
  std::string text = fmt::format(
      "# A model at every stage\n\n<!-- made by `weft stages {0}`: docs/update -->\n\n"
      "`{0}` on its way through the compiler, in the language of [ir.md](ir.md). Any stage is "
      "printed by\n"
      "`weft dump {0} --stage NAME`; the last one, the plan, needs sizes (`--bind B=32`) and "
      "depends on the\n"
      "machine, so it is not shown here.\n\n## built: as the user writes it\n\n{1} nodes, those of "
      "loops included.\n\n",
      name, built.node_count());
  text += listing(built);
  const Stage fused = taken_through(built, ir::recognise_passes());
  text += fmt::format(
      "\n## fused: patterns recognised, loops taken apart\n\nPasses that changed something, in "
      "order:\n\n{}\n",
      fused.passes);
  text += listing(fused.graph);
  const std::string result = o.gradient.empty() ? "loss" : o.gradient;
  const ir::Graph differentiated =
      with_gradients(fused.graph, gradients_asked_for(result, fused.graph));
  text += fmt::format(
      "\n## differentiated: the gradient of `{}` by every float argument\n\n{} nodes. Nodes of the "
      "backward pass "
      "are marked.\n\n",
      result, differentiated.node_count());
  text += listing(differentiated);
  const Stage optimised = taken_through(differentiated, ir::optimise_passes());
  text += fmt::format("\n## optimised: as it is lowered\n\n{}\n", optimised.passes);
  text += listing(optimised.graph);
  put_result(o.output, text);
}

}  // namespace

void add_stages(Command& program) {
  Command* command =
      program.add_command("stages", "A graph at every stage of its life, as one page of Markdown",
                          "weft stages decoder.ir -o stages.md");
  const auto o = std::make_shared<StagesOptions>();
  command
      ->add_option(
          "WHAT", o->what,
          "A graph (.ir), or a recipe (.toml) or a model's folder: the loss of its training")
      ->required();
  command->add_option("-o,--output", o->output, "Write here instead of to standard output")
      ->type_name("FILE");
  command->add_option("--gradient", o->gradient, "What to differentiate (default: 'loss')")
      ->type_name("RESULT[:ARGUMENT,...]");
  command->callback([o] { stages(*o); });
}

}  // namespace weft::cli
