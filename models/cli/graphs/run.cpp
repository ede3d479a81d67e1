// models/cli/graphs/run.cpp -- weft run: a graph on arrays out of a file.
#include "backends/backend.h"
#include "frontend/formats/checkpoint.h"
#include "frontend/formats/npz.h"
#include "frontend/inspect/trace.h"
#include "ir/text/text.h"
#include "models/cli/command.h"
#include "models/cli/graphs/bind_arguments.h"
#include "models/cli/graphs/compare_reference.h"
#include "models/cli/graphs/graph_file.h"
#include "models/cli/graphs/stages.h"
#include "models/cli/options/engine_option.h"
#include "models/cli/options/precision_option.h"

#include <fmt/format.h>

#include <chrono>
#include <memory>

namespace weft::cli {
namespace {

struct RunOptions {
  std::string graph, inputs, outputs, backend = "reference", trace, engine;
  std::vector<std::string> bind, gradient;
  bool check_nan = false, compare_reference = false, profile = false, optimise = false,
       print = false;
  PrecisionOption precision;
};

ir::NamedArrays read_inputs(const std::string& path, const ir::Graph& graph) {
  if (path.empty()) return {};
  const ir::NamedArrays arrays = formats::read_checkpoint(path);
  const ir::Array* single = arrays.find("");
  if (single == nullptr) return arrays;
  if (graph.arguments().size() != 1)
    throw ir::GraphError(ir::concat(path, ": a .npy file is one array, graph '", graph.name,
                                    "' takes ", graph.arguments().size(), "; give a .npz file"));
  return {{argument_name(graph, graph.arguments()[0]), *single}};
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

// One thing goes to standard output.
void check_outputs(const RunOptions& o) {
  const int there = (o.outputs == "-") + (o.trace == "-") + static_cast<int>(o.profile);
  if (o.outputs == "-" && there > 1)
    throw UsageError("--outputs - leaves no room on standard output for --trace - or --profile");
}

// The graph that runs, and what its results are called.
Differentiated prepared_graph(const RunOptions& o, const ir::Graph& written,
                              const ir::NamedArrays& inputs) {
  const auto cotangent = [&](const std::string& result) {
    return inputs.contains("d" + result) && written.find_argument("d" + result) < 0;
  };
  if (!o.optimise) return differentiated(written, o.gradient, cotangent);
  StagePlan plan = graph_plan({});
  plan.precision = o.precision.over(ir::Precision::f32);
  Differentiated with_gradients;
  plan.middle.push_back({"differentiate", [&](const ir::Graph& fused) {
                           with_gradients = differentiated(fused, o.gradient, cotangent);
                           return with_gradients.graph;
                         }});
  return {compile_stages(written, plan).graph(), with_gradients.results};
}

void run(const RunOptions& o) {
  const bool reference = o.backend == "reference";
  if (reference &&
      (o.profile || o.check_nan || o.compare_reference || !o.trace.empty() || !o.engine.empty()))
    throw UsageError(
        "--profile, --trace, --check-nan, --compare-reference and --engine need --backend onednn");
  check_outputs(o);
  const bool bf16 = o.precision.over(ir::Precision::f32) == ir::Precision::bf16;
  if (bf16 && !o.optimise)
    throw UsageError("--precision bf16 is a pass of the optimiser: give --optimise too");
  if (!reference) o.precision.check();
  const ir::Graph written = read_graph(o.graph);
  const ir::Bindings given = parse_bindings(o.bind);
  check_bindings(written, given);
  const ir::NamedArrays inputs = read_inputs(o.inputs, written);
  const Differentiated prepared = prepared_graph(o, written, inputs);
  const ir::Graph& graph = prepared.graph;
  if (o.print) return put(ir::print(graph, {.types = true, .scopes = true, .locations = false}));

  const std::vector<ir::Array> arguments = bind_arguments(graph, inputs, o.inputs, reference);
  const ir::Bindings bindings = backends::infer_bindings(graph, arguments, given);
  check_sizes(graph, bindings);
  const std::shared_ptr<backends::Backend> backend =
      reference ? backends::make_reference() : backend_with(o.engine);
  const auto executable = backend->compile(
      graph, bindings, {.check_nan = o.check_nan, .profile = o.profile, .trace = !o.trace.empty()});
  std::vector<ir::Array> results = room_for_results(graph, bindings, reference);
  executable->run(arguments, results);
  if (o.compare_reference) compare_reference(*backend, graph, bindings, arguments);

  ir::NamedArrays named;
  for (size_t i = 0; i < results.size(); ++i) named.add(prepared.results[i], results[i]);
  if (!o.outputs.empty()) {
    formats::write_npz(o.outputs, named);
  } else {
    for (const ir::NamedArray& r : named)
      put(fmt::format("{}: {}{}\n", r.name, ir::name(r.array.dtype()),
                      ir::dims_str(r.array.dims())));
  }
  if (o.profile) put(executable->profile_text());
  if (!o.trace.empty())
    put_result(o.trace,
               inspect::chrome_trace(executable->report(), backend->peak_flops(0.05) * 1e-9));
}

}  // namespace

void add_run(Command& program) {
  Command* command = program.add_command("run", "Run a graph on arrays",
                                         "weft run attention.ir --inputs in.npz --outputs out.npz "
                                         "--backend onednn --gradient loss:q,k");
  const auto o = std::make_shared<RunOptions>();
  command->add_option("FILE.ir", o->graph, "The graph, as text")->required();
  command->add_option("--inputs", o->inputs,
                      "Arrays for its arguments (npz, safetensors; npy for a graph of one "
                      "argument; '-': standard input)");
  command->add_option("--outputs", o->outputs,
                      "Where its results go (.npz); without it their types are printed");
  command
      ->add_option("--backend", o->backend,
                   "reference (in double, slow, the judge) or onednn (in float, fast)")
      ->one_of({"reference", "onednn"})
      ->show_default();
  command->add_option("--bind", o->bind, "Sizes of symbols that the arrays do not tell, as in S=7")
      ->one_at_a_time()
      ->type_name("SYMBOL=SIZE");
  command
      ->add_option("--gradient", o->gradient,
                   std::string(kGradientHelp) +
                       ". An array d<RESULT> among the inputs is the adjoint to start from "
                       "(default: ones)")
      ->one_at_a_time()
      ->type_name("RESULT[:ARGUMENT,...]");
  command->add_flag("--optimise", o->optimise,
                    "Run the graph as the optimiser leaves it, not as it is written");
  o->precision.add_to(*command, "f32");
  command->add_flag("--print", o->print,
                    "Print the graph instead of running it: as written with the gradients asked "
                    "for, or, with --optimise, as the optimiser leaves it");
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
  add_engine_option(*command, o->engine);
  command->callback([o] { run(*o); });
}

}  // namespace weft::cli
