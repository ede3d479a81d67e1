// models/cli/graphs/stages_command.cpp -- weft stages: a graph at every stage of its life on one page of
// Markdown.
#include "ir/text/text.h"
#include "models/cli/command.h"
#include "models/cli/graphs/graph_file.h"
#include "models/cli/graphs/stages.h"
#include "models/cli/graphs/subject.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <span>

namespace weft::cli {
namespace {

struct StagesOptions {
  std::string what, output, gradient;
};

std::string listing(const ir::Graph& graph) {
  return "```\n" + ir::print(graph, {.types = true, .scopes = true, .locations = false}) + "```\n";
}

// What passes did, as a table, and what they say.
std::string passes_text(std::span<const ir::PassRecord> records, std::span<const ir::Note> notes) {
  std::string table = "| pass | what it is for | nodes |\n|---|---|---|\n";
  for (const ir::PassRecord& r : records)
    if (r.changed)
      table += fmt::format("| `{}` | {} | {} to {} |\n", r.pass, ir::find_pass(r.pass)->doc,
                           r.nodes_before, r.nodes_after);
  if (!notes.empty())
    table += "\nWhat the passes say (`--explain`):\n\n```\n" + explained(notes) + "```\n";
  return table;
}

// Those before and after the gradient was taken.
struct Halves {
  std::string fused, optimised;

  explicit Halves(const Stages& stages) {
    size_t record = 0, note = 0;
    for (; stages.records[record].pass != "differentiate"; ++record)
      note += static_cast<size_t>(stages.records[record].notes);
    const std::span records = stages.records;
    const std::span notes = stages.notes;
    fused = passes_text(records.first(record), notes.first(note));
    optimised = passes_text(records.subspan(record + 1), notes.subspan(note));
  }
};

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
  const std::string result = o.gradient.empty() ? "loss" : o.gradient;
  const Stages stages = compile_stages(built, graph_plan({result}));
  const Halves passes(stages);
  text += fmt::format(
      "\n## fused: patterns recognised, loops taken apart\n\nPasses that changed something, in "
      "order:\n\n{}\n",
      passes.fused);
  text += listing(stages.at("fused"));
  const ir::Graph& differentiated = stages.at("differentiated");
  text += fmt::format(
      "\n## fused-differentiated: the gradient of `{}` by every float argument\n\n{} nodes. Nodes "
      "of the "
      "backward pass "
      "are marked.\n\n",
      result, differentiated.node_count());
  text += listing(differentiated);
  text += fmt::format("\n## optimised: as it is lowered\n\n{}\n", passes.optimised);
  text += listing(stages.graph());
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
