// models/cli/graphs/dump.cpp -- weft dump: a graph at any stage of its life, as text or picture.
#include "backends/backend.h"
#include "frontend/inspect/drawing/dot.h"
#include "frontend/inspect/memory.h"
#include "ir/text/text.h"
#include "models/cli/command.h"
#include "models/cli/graphs/bind_arguments.h"
#include "models/cli/graphs/graph_file.h"
#include "models/cli/graphs/stages.h"
#include "models/cli/graphs/subject.h"
#include "models/cli/options/engine_option.h"
#include "models/cli/options/precision_option.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

namespace weft::cli {
namespace {

const std::vector<std::string> kStages = {
    "built", "fused", "differentiated", "fused-differentiated", "optimised", "planned"};

struct DumpOptions {
  std::string what, stage = "built", format, output, focus, budget, engine;
  std::vector<std::string> bind, disabled, gradient;
  PrecisionOption precision;
  int radius = 2;
  bool explain = false, locations = false, whole = false, memory = false;
};

// Of the way through the compiler: the last that is needed.
std::string last_stage(const DumpOptions& o) {
  if (o.stage == "planned") return "optimised";
  return o.stage == "fused-differentiated" ? "differentiated" : o.stage;
}

// As written, with gradients and nothing else: no pass is run.
bool without_passes(const DumpOptions& o) { return o.stage == "differentiated"; }

// By what the file is to be called, unless it was said.
std::string format_of(const DumpOptions& o) {
  if (!o.format.empty()) return o.format;
  if (o.output.ends_with(".svg")) return "svg";
  if (o.output.ends_with(".json")) return "json";
  return o.output.ends_with(".dot") || o.output.ends_with(".gv") ? "dot" : "text";
}

// The result to differentiate where none was named: 'loss', or the only one.
std::string differentiable_result(const ir::Graph& graph, const std::string& file) {
  if (graph.find_output("loss") >= 0) return "loss";
  if (graph.outputs().size() == 1) return graph.outputs()[0].name;
  throw UsageError(
      file + ": no result is called 'loss'; --gradient RESULT says which one to differentiate");
}

std::unique_ptr<backends::Executable> planned(const ir::Graph& graph, const ir::Bindings& bindings,
                                              const std::string& engine) {
  for (const std::string& symbol : graph.symbols())
    if (!bindings.contains(symbol))
      throw UsageError("a plan is made for sizes: --bind " + symbol + "=...");
  check_sizes(graph, bindings);
  return backend_with(engine)->compile(graph, bindings);
}

// The plan, or its memory over time.
std::string plan_text(const DumpOptions& o, const ir::Graph& graph, const ir::Bindings& bindings) {
  const auto executable = planned(graph, bindings, o.engine);
  if (!o.memory) return executable->plan_text();
  const backends::Report report = executable->report();
  return format_of(o) == "svg" ? inspect::memory_svg(report.graph, report.memory)
                               : inspect::memory_text(report.graph, report.memory);
}

struct Dumped {
  ir::Graph graph;
  std::vector<ir::Note> notes;
};

// A graph of the user's own, differentiated if there is a loss, or if that was asked for.
Dumped graph_at_stage(const DumpOptions& o) {
  const ir::Graph built = read_graph(o.what);
  check_bindings(built, parse_bindings(o.bind));
  std::vector<std::string> gradients = o.gradient;
  const bool must = last_stage(o) == "differentiated";
  if (gradients.empty() && (must || built.find_output("loss") >= 0))
    gradients.push_back(differentiable_result(built, o.what));
  StagePlan plan = graph_plan(gradients, o.disabled);
  plan.optimize = !without_passes(o);
  plan.precision = o.precision.over(ir::Precision::f32);
  plan.last = last_stage(o);
  const Stages stages = compile_stages(built, plan);
  return {stages.graph(), stages.notes};
}

// The training step of a recipe, or of a model with Adam.
Dumped training_step_at_stage(const DumpOptions& o, const Subject& subject) {
  if (!o.gradient.empty())
    throw UsageError(
        "--gradient is for graphs (.ir); a model is differentiated by all of its parameters");
  ProgramOptions options = subject.options();
  options.disabled_passes = o.disabled;
  options.optimize = !without_passes(o);
  const Program program = subject.step(options);
  if (program.budget()) say(program.budget()->text(options.memory_budget));
  return {program.stage(last_stage(o)), program.notes()};
}

std::string drawn(const DumpOptions& o, const std::string& format, const ir::Graph& graph) {
  inspect::DrawOptions drawing{.title = "@" + graph.name + ", " + o.stage,
                               .repeats = !o.whole,
                               .focus = o.focus,
                               .radius = o.radius};
  if (o.whole) drawing.max_boxes = 4000;
  if (format == "json") return inspect::json(inspect::draw(graph, drawing));
  return format == "dot" ? inspect::dot(graph, drawing) : inspect::svg(graph, drawing);
}

void check_options(const DumpOptions& o, const std::string& format) {
  check_pass_names(o.disabled);
  if (o.memory && format != "text" && format != "svg")
    throw UsageError("memory over time is text or svg; --memory has no --format " + format);
  if (o.stage == "planned" && !o.memory && format != "text")
    throw UsageError("a plan is text; --stage planned has no --format " + format);
  if (!o.focus.empty() && (format == "text" || o.stage == "planned"))
    throw UsageError("--focus is for drawings: --format dot, svg or json");
}

void dump(DumpOptions o) {
  if (o.memory) o.stage = "planned";
  const std::string format = format_of(o);
  check_options(o, format);
  std::optional<Subject> subject;
  if (is_model(o.what)) {
    o.precision.check();
    subject = read_subject(o.what, o.bind, o.budget);
    subject->precision = o.precision.over(subject->precision);
  }
  const Dumped at = subject ? training_step_at_stage(o, *subject) : graph_at_stage(o);
  if (o.explain) say(explained(at.notes));
  if (o.stage == "planned")
    put_result(o.output,
               plan_text(o, at.graph, subject ? subject->bindings() : parse_bindings(o.bind)));
  else if (format == "text")
    put_result(o.output,
               ir::print(at.graph, {.types = true, .scopes = true, .locations = o.locations}));
  else
    put_result(o.output, drawn(o, format, at.graph));
}

}  // namespace

void add_dump(Command& program) {
  Command* command = program.add_command(
      "dump", "Print or draw a graph as built, fused, differentiated, optimised or planned",
      "weft dump pronounce.toml --stage fused --format svg -o fused.svg");
  const auto o = std::make_shared<DumpOptions>();
  command
      ->add_option("WHAT", o->what,
                   "A recipe (.toml) or a model's folder: its training step; or a graph (.ir)")
      ->required();
  command
      ->add_option(
          "--stage", o->stage,
          "built: as written; fused: patterns recognised, loops taken apart; differentiated: as "
          "written, with gradients; fused-differentiated: fused, then with gradients; "
          "optimised: as it is lowered; planned: as it runs, with places in memory")
      ->one_of(kStages)
      ->show_default();
  command
      ->add_option("--format", o->format,
                   "text, dot, svg or json (default: by the name of the file)")
      ->one_of({"text", "dot", "svg", "json"});
  command->add_option("-o,--output", o->output, "Write here instead of to standard output")
      ->type_name("FILE");
  command
      ->add_option("--gradient", o->gradient,
                   std::string(kGradientHelp) + " (default: 'loss', or the only result)")
      ->one_at_a_time()
      ->type_name("RESULT[:ARGUMENT,...]");
  command
      ->add_option(
          "--bind", o->bind,
          "Sizes for --stage planned and --memory, as in S=7 (of a recipe: B rows of S and "
          "T tokens; default: its largest batch)")
      ->type_name("SYMBOL=SIZE");
  command->add_option("--disable", o->disabled, "Passes to leave out")
      ->delimiter(',')
      ->type_name("NAME,...");
  command->add_flag("--explain", o->explain,
                    "Say on stderr what was fused into what, and what was held back");
  command->add_flag("--locations", o->locations, "Print the lines nodes come from");
  command->add_flag("--whole", o->whole,
                    "Draw every node, however many there are, and every layer");
  command->add_option("--focus", o->focus, "Draw what is near this value, scope or op, as in %q")
      ->type_name("NAME");
  command->add_option("--radius", o->radius, "With --focus: this many links away")
      ->in_range(0, 1000)
      ->show_default();
  command->add_flag("--memory", o->memory,
                    "The planned arena over time: what is in use at each step, who holds the peak "
                    "(text or svg)");
  command
      ->add_option("--memory-budget", o->budget,
                   "What a training step may take, parameters and optimiser state included, as in "
                   "200MB: less is kept, more computed again")
      ->type_name("SIZE");
  add_engine_option(*command, o->engine);
  o->precision.add_to(*command, "the recipe's, or f32");
  command->callback([o] { dump(*o); });
}

}  // namespace weft::cli
