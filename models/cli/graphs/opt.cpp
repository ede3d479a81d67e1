// models/cli/graphs/opt.cpp -- weft opt: passes on a graph.
#include "ir/text/text.h"
#include "models/cli/command.h"
#include "models/cli/graphs/graph_file.h"
#include "models/cli/graphs/stages.h"

#include <fmt/format.h>

#include <memory>

namespace weft::cli {
namespace {

struct OptOptions {
  std::string graph, output;
  std::vector<std::string> passes, disabled;
  bool list = false, explain = false, timing = false, locations = false;
};

void list_passes() {
  for (const ir::Pass& pass : ir::all_passes())
    put(fmt::format("{:<22} {}\n", pass.name, pass.doc));
  const auto sequence = [](std::span<const ir::Pass* const> passes) {
    std::string s;
    for (const ir::Pass* pass : passes) s += fmt::format("{}{}", s.empty() ? "" : ",", pass->name);
    return s;
  };
  put(fmt::format("\nrecognise = {}\noptimise = {}\n", sequence(ir::recognise_passes()),
                  sequence(ir::optimise_passes())));
}

// "recognise" and "optimise" stand for the compiler's own sequences.
std::vector<std::string> expanded(const std::vector<std::string>& names) {
  std::vector<std::string> all;
  for (const std::string& name : names) {
    if (name != "recognise" && name != "optimise") {
      all.push_back(name);
      continue;
    }
    for (const ir::Pass* pass :
         name == "recognise" ? ir::recognise_passes() : ir::optimise_passes())
      all.emplace_back(pass->name);
  }
  return all;
}

void opt(const OptOptions& o) {
  if (o.list) return list_passes();
  if (o.graph.empty()) throw UsageError("opt needs a graph: weft opt FILE.ir --passes=a,b");
  check_pass_names(expanded(o.passes));
  const ir::Graph graph = read_graph(o.graph);
  ir::PassContext context = pass_context();
  const ir::PipelineResult result =
      run_named_passes(graph, expanded(o.passes), o.disabled, context);
  if (o.timing)
    for (const ir::PassRecord& r : result.records)
      say(fmt::format("{:<22} {:9.3f} ms  {:5} -> {:5} nodes{}", r.pass, r.milliseconds,
                      r.nodes_before, r.nodes_after, r.changed ? "" : "  (unchanged)"));
  if (o.explain) say(explained(context.notes));
  put_result(o.output,
             ir::print(result.graph, {.types = true, .scopes = true, .locations = o.locations}));
}

}  // namespace

void add_opt(Command& program) {
  Command* command =
      program.add_command("opt", "Run passes on a graph and print what comes out",
                          "weft opt attention.ir --passes=canonicalize,fuse_attention --explain");
  const auto o = std::make_shared<OptOptions>();
  command->add_option("FILE.ir", o->graph, "The graph, as text");
  command
      ->add_option("--passes", o->passes,
                   "Passes in order; 'recognise' and 'optimise' are the compiler's own sequences")
      ->delimiter(',')
      ->type_name("NAME,...");
  command->add_option("--disable", o->disabled, "Passes to leave out")
      ->delimiter(',')
      ->type_name("NAME,...");
  command->add_option("-o,--output", o->output, "Write here instead of to standard output")
      ->type_name("FILE");
  command->add_flag("--explain", o->explain,
                    "Say on stderr what was fused into what, and what was held back");
  command->add_flag("--timing", o->timing,
                    "Say on stderr how long each pass took and what it did to the number of nodes");
  command->add_flag("--locations", o->locations, "Print the lines nodes come from");
  command->add_flag("--list", o->list, "List the passes there are");
  command->callback([o] { opt(*o); });
}

}  // namespace weft::cli
