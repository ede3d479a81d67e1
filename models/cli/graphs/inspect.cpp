// models/cli/graphs/inspect.cpp -- weft inspect: everything there is to see of a graph, as one page.
#include "backends/backend.h"
#include "frontend/inspect/hot_kernels.h"
#include "frontend/inspect/report.h"
#include "ir/rewrite/rewrite.h"
#include "models/cli/command.h"
#include "models/cli/graphs/bind_arguments.h"
#include "models/cli/graphs/graph_file.h"
#include "models/cli/graphs/stages.h"
#include "models/cli/graphs/subject.h"
#include "models/cli/options/engine_option.h"
#include "models/cli/options/precision_option.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

namespace weft::cli {
namespace {

struct InspectOptions {
  std::string what, output, budget, engine;
  std::vector<std::string> bind, disabled, gradient;
  PrecisionOption precision;
  int runs = 5;
};

std::string sizes_text(const ir::Bindings& bindings) {
  std::string s;
  for (const auto& [symbol, size] : bindings)
    s += fmt::format("{}{}={}", s.empty() ? "" : " ", symbol, size);
  return s;
}

std::string doc_of(std::string_view step) {
  if (const ir::Pass* pass = ir::find_pass(step)) return std::string(pass->doc);
  if (step == "differentiate") return "the loss by every parameter, backwards through the graph";
  if (step == "append_accumulators") return "gradients added to those of the batch's other parts";
  return step == "append_optimizer" ? "gradients clipped, parameters updated" : "";
}

// Steps as a program or a pipeline observes them; times and notes come later, from its records.
struct Observed {
  std::vector<inspect::PassStep> steps;

  auto observer() {
    return [this](std::string_view name, const ir::Graph&, const ir::Graph& after) {
      steps.push_back({std::string(name), doc_of(name), 0, after, {}});
    };
  }
  void add_records(const std::vector<ir::PassRecord>& records, const std::vector<ir::Note>& notes) {
    size_t note = 0;
    for (size_t i = 0; i < records.size() && i < steps.size(); ++i) {
      steps[i].milliseconds = records[i].milliseconds;
      for (int n = 0; n < records[i].notes && note < notes.size(); ++n)
        steps[i].notes.push_back(notes[note++]);
    }
  }
};

void measure(inspect::Inspection& page, const backends::Backend& backend) {
  page.peak_gflops = backend.peak_flops(0.1) * 1e-9;
  page.peak_bandwidth = backend.peak_bandwidth(0.1) * 1e-9;
}

inspect::Inspection inspected_step(const InspectOptions& o) {
  if (!o.gradient.empty())
    throw UsageError(
        "--gradient is for graphs (.ir); a model is differentiated by all of its parameters");
  o.precision.check();
  Subject subject = read_subject(o.what, o.bind, o.budget);
  subject.precision = o.precision.over(subject.precision);
  ProgramOptions options = subject.options();
  options.backend = backend_with(o.engine);
  options.disabled_passes = o.disabled;
  options.compile.profile = true;
  Observed observed;
  options.observe = observed.observer();
  Program program = subject.step(options);
  observed.add_records(program.passes(), program.notes());
  inspect::Inspection page{.title = subject.title, .built = subject.loss};
  const ir::NamedArrays batch = subject.batch();
  ParameterStore store(1);
  program.run(store, batch);
  program.reset_timings();
  for (int i = 0; i < o.runs; ++i) program.run(store, batch);
  page.report = program.executable(store, batch).report();
  page.subtitle = fmt::format("training step, {}, random tokens, {} threads",
                              sizes_text(subject.bindings()), options.backend->threads());
  page.subtitle += "; " + inspect::engine_shares({&*page.report, 1}).text();
  if (program.budget()) page.subtitle += "; " + program.budget()->text(options.memory_budget);
  page.steps = std::move(observed.steps);
  measure(page, *options.backend);
  return page;
}

// A graph of the user's own; it is planned where all sizes are given, not run.
inspect::Inspection inspected_graph(const InspectOptions& o) {
  const ir::Graph built = read_graph(o.what);
  const ir::Bindings bindings = parse_bindings(o.bind);
  check_bindings(built, bindings);
  inspect::Inspection page{.title = std::filesystem::path(o.what).filename().string(),
                           .built = built};
  Observed observed;
  std::vector<std::string> gradients = o.gradient;
  if (gradients.empty() && built.find_output("loss") >= 0) gradients.emplace_back("loss");
  StagePlan plan = graph_plan(gradients, o.disabled);
  plan.precision = o.precision.over(ir::Precision::f32);
  plan.observe = observed.observer();
  const Stages stages = compile_stages(built, plan);
  const ir::Graph& graph = stages.graph();
  observed.add_records(stages.records, stages.notes);
  page.steps = std::move(observed.steps);
  page.subtitle = sizes_text(bindings);
  for (const std::string& symbol : graph.symbols())
    if (!bindings.contains(symbol)) return page;
  check_sizes(graph, bindings);
  page.report = backend_with(o.engine)->compile(graph, bindings)->report();
  return page;
}

void inspect_command(const InspectOptions& o) {
  check_pass_names(o.disabled);
  const inspect::Inspection page = is_model(o.what) ? inspected_step(o) : inspected_graph(o);
  const std::string path =
      o.output.empty() ? std::filesystem::path(o.what).stem().string() + ".html" : o.output;
  put_result(path, o.output == "-" || !path.ends_with(".json") ? inspect::report_html(page)
                                                               : inspect::report_json(page));
  if (path != "-")
    say(fmt::format("{}: {} passes, {} nodes at the end", path, page.steps.size(),
                    page.steps.empty() ? 0 : page.steps.back().graph.node_count()));
}

}  // namespace

void add_inspect(Command& program) {
  Command* command = program.add_command(
      "inspect",
      "One page of HTML: the passes, the graph after each, kernels and times, the memory plan",
      "weft inspect pronounce.toml -o report.html");
  const auto o = std::make_shared<InspectOptions>();
  command
      ->add_option("WHAT", o->what,
                   "A recipe (.toml) or a model's folder: its training step, run on random tokens; "
                   "or a graph (.ir)")
      ->required();
  command
      ->add_option(
          "-o,--output", o->output,
          "Write here (default: the name of WHAT, .html); a .json gets the page's data alone")
      ->type_name("FILE");
  command
      ->add_option("--bind", o->bind,
                   "Sizes, as in S=7: of a recipe B rows of S and T tokens (default: its largest "
                   "batch); a graph is planned where all are given")
      ->type_name("SYMBOL=SIZE");
  command
      ->add_option("--gradient", o->gradient,
                   std::string("Of a graph (default: 'loss', if there is one): ") + kGradientHelp)
      ->one_at_a_time()
      ->type_name("RESULT[:ARGUMENT,...]");
  command->add_option("--runs", o->runs, "Profiled runs")->in_range(1, 1000)->show_default();
  command->add_option("--disable", o->disabled, "Passes to leave out")
      ->delimiter(',')
      ->type_name("NAME,...");
  command
      ->add_option("--memory-budget", o->budget,
                   "What a training step may take, parameters and optimiser state included, as in "
                   "200MB: less is kept, more computed again")
      ->type_name("SIZE");
  add_engine_option(*command, o->engine);
  o->precision.add_to(*command, "the recipe's, or f32");
  command->callback([o] { inspect_command(*o); });
}

}  // namespace weft::cli
