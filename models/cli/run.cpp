// models/cli/run.cpp -- weft run: a graph on arrays out of a file.
#include "autodiff/gradient.h"
#include "backends/backend.h"
#include "backends/onednn/kernels/peak.h"
#include "frontend/formats/npz.h"
#include "frontend/inspect/trace.h"
#include "models/cli/bind_arguments.h"
#include "models/cli/command.h"
#include "models/cli/compare_reference.h"
#include "models/cli/graph_file.h"
#include "models/cli/stages.h"

#include <fmt/format.h>

#include <chrono>
#include <memory>

namespace weft::cli {
namespace {

struct RunOptions {
  std::string graph, inputs, outputs, backend = "reference", gradient, trace;
  std::vector<std::string> bind;
  bool check_nan = false, compare_reference = false, profile = false, optimise = false;
};

formats::NamedArrays read_inputs(const std::string& path, const ir::Graph& graph) {
  if (path.empty()) return {};
  const formats::NamedArrays arrays = formats::read_arrays(path);
  const ir::Array* single = arrays.find("");
  if (single == nullptr) return arrays;
  if (graph.arguments().size() != 1)
    throw ir::GraphError(ir::concat(path, ": a .npy file is one array, graph '", graph.name,
                                    "' takes ", graph.arguments().size(), "; give a .npz file"));
  return {{graph.info(graph.arguments()[0].value).name, *single}};
}

// Is there an array for the adjoint of the result, beside those for the arguments?
bool has_cotangent(const Gradients& gradients, const ir::Graph& graph,
                   const formats::NamedArrays& inputs) {
  const std::string name = "d" + gradients.result;
  return inputs.contains(name) && graph.find_argument(name) < 0;
}

// Floats of the reference's results are kept as the doubles they are.
std::vector<ir::Array> room_for_results(const ir::Graph& graph, const ir::Bindings& bindings,
                                        bool exact) {
  std::vector<ir::Array> results;
  for (const ir::Output& output : graph.outputs()) {
    const ir::TensorType& type = graph.type(output.value);
    results.emplace_back(exact && ir::is_float(type.dtype) ? ir::DType::f64 : type.dtype,
                         ir::values(type.shape, bindings));
  }
  return results;
}

void run(const RunOptions& o) {
  const bool reference = o.backend == "reference";
  if (reference && (o.profile || o.check_nan || o.compare_reference || !o.trace.empty()))
    throw UsageError(
        "--profile, --trace, --check-nan and --compare-reference need --backend onednn");
  ir::Graph graph = read_graph(o.graph);
  const formats::NamedArrays inputs = read_inputs(o.inputs, graph);
  if (o.optimise) graph = recognised(graph).graph;
  const Gradients gradients = gradients_asked_for(o.gradient, graph);
  if (!o.gradient.empty())
    graph = with_gradients(graph, gradients, has_cotangent(gradients, graph, inputs));
  if (o.optimise) graph = optimised(graph).graph;

  const std::vector<ir::Array> arguments = bind_arguments(graph, inputs, o.inputs, reference);
  const ir::Bindings bindings = backends::infer_bindings(graph, arguments, parse_bindings(o.bind));
  check_sizes(graph, bindings);
  const auto backend = reference ? backends::make_reference() : backends::make_onednn();
  const auto executable = backend->compile(
      graph, bindings, {.check_nan = o.check_nan, .profile = o.profile, .trace = !o.trace.empty()});
  std::vector<ir::Array> results = room_for_results(graph, bindings, reference);
  executable->run(arguments, results);
  if (o.compare_reference) compare_reference(graph, bindings, arguments);

  // Gradients come last and bear the names that were asked for, slashes of paths included; where
  // there is a dx already, that of the second order is ddx.
  formats::NamedArrays named;
  const size_t first_gradient = results.size() - gradients.arguments.size();
  for (size_t i = 0; i < results.size(); ++i) {
    std::string name = i < first_gradient ? graph.outputs()[i].name
                                          : "d" + gradients.arguments[i - first_gradient];
    while (i >= first_gradient && named.contains(name)) name = "d" + name;
    named.add(std::move(name), results[i]);
  }
  if (!o.outputs.empty()) {
    formats::write_npz(o.outputs, named);
  } else {
    for (const formats::NamedArray& r : named)
      put(fmt::format("{}: {}{}\n", r.name, ir::name(r.array.dtype()),
                      ir::dims_str(r.array.dims())));
  }
  if (o.profile) put(executable->profile_text());
  if (!o.trace.empty())
    put_result(o.trace, inspect::chrome_trace(executable->report(),
                                              onednn::kernels::measure_peak(0.05).gflops));
}

}  // namespace

void add_run(Command& program) {
  Command* command = program.add_command("run", "Run a graph on arrays",
                                         "weft run attention.ir --inputs in.npz --outputs out.npz "
                                         "--backend onednn --gradient loss:q,k");
  const auto o = std::make_shared<RunOptions>();
  command->add_option("FILE.ir", o->graph, "The graph, as text")->required();
  command->add_option("--inputs", o->inputs,
                      "Arrays for its arguments (.npz; .npy for a graph of one argument)");
  command->add_option("--outputs", o->outputs,
                      "Where its results go (.npz); without it their types are printed");
  command
      ->add_option("--backend", o->backend,
                   "reference (in double, slow, the judge) or onednn (in float, fast)")
      ->one_of({"reference", "onednn"})
      ->show_default();
  command->add_option("--bind", o->bind, "Sizes of symbols that the arrays do not tell, as in S=7")
      ->type_name("SYMBOL=SIZE");
  command
      ->add_option("--gradient", o->gradient,
                   "Adds d<argument> for these arguments (default: all float ones) to the results; "
                   "an array d<RESULT> "
                   "among the inputs is the adjoint to start from (default: ones)")
      ->type_name("RESULT[:ARGUMENT,...]");
  command->add_flag("--optimise", o->optimise,
                    "Run the graph as the optimiser leaves it, not as it is written");
  command->add_flag("--check-nan", o->check_nan,
                    "Stop at the first node that makes a NaN and name it (onednn)");
  command->add_flag("--compare-reference", o->compare_reference,
                    "Name the first node whose values differ from the reference's (onednn)");
  command->add_flag("--profile", o->profile,
                    "Print time and implementation of each kernel (onednn)");
  command
      ->add_option("--trace", o->trace,
                   "Write when each kernel and each step of each loop ran, for chrome://tracing or "
                   "ui.perfetto.dev (onednn)")
      ->type_name("FILE.json");
  command->callback([o] { run(*o); });
}

}  // namespace weft::cli
