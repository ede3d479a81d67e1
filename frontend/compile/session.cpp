// frontend/compile/session.cpp -- stages, executables by sizes, arguments by name.
#include "frontend/compile/session.h"

#include "autodiff/gradient.h"
#include "autodiff/residuals.h"
#include "frontend/compile/memory_budget.h"
#include "ir/error.h"
#include "ir/host/memory.h"
#include "ir/rewrite/prologue.h"
#include "ir/rewrite/transposed_parameters.h"
#include "ir/verify.h"

#include <algorithm>
#include <chrono>

namespace weft {
namespace {

using ir::Array;
using ir::concat;
using ir::GraphError;
using ir::NamedArrays;

// What an executable costs besides its arena: kernels, primitives, tables.
constexpr int64_t kBytesOfNode = 8192;

// The dtype that values of a graph are held in outside of it: f32 as the program's real numbers.
ir::DType held(ir::DType dtype, ir::DType real) { return dtype == ir::DType::f32 ? real : dtype; }

}  // namespace

Program::Program(const ProgramOptions& options) : options_(options) {
  if (options_.backend == nullptr) throw GraphError("a program needs a backend");
  backends::check_precision(*options_.backend, options_.precision);
  if (options_.compile.shared == nullptr)
    options_.compile.shared = std::make_shared<backends::Shared>();
}

void Program::go_through_stages(const ir::Graph& built, std::vector<StageStep> middle,
                                std::vector<StageStep> end) {
  stages_ = compile_stages(built, {.middle = std::move(middle),
                                   .end = std::move(end),
                                   .optimize = options_.optimize,
                                   .precision = options_.precision,
                                   .disabled = options_.disabled_passes,
                                   .evaluate = evaluated_by(options_.backend, options_.real),
                                   .observe = options_.observe});
  ir::verify(graph());
  for (const ir::Output& o : graph().outputs()) {
    int at = -1;
    for (size_t i = 0; i < graph().arguments().size(); ++i)
      if (graph().arguments()[i].kind != ir::ArgumentKind::input &&
          output_name(graph().arguments()[i].path) == o.name)
        at = static_cast<int>(i);
    stored_.push_back(at);
  }
}

Program Program::inference(const ir::Graph& built, const ProgramOptions& options) {
  Program p(options);
  p.go_through_stages(built, {}, {});
  return p;
}

Program Program::step(const ir::Graph& built, const Ending& ending, const ProgramOptions& options,
                      const std::string& loss, const autodiff::ResidualPolicy& policy) {
  Program p(options);
  const std::vector<std::string> paths = trainable_parameters(built);
  const StageStep differentiate{
      "differentiate",
      [&](const ir::Graph& g) { return autodiff::gradient(g, loss, paths, {.residuals = policy}); },
      "differentiated"};
  const StageStep update{ending.name, [&](const ir::Graph& g) { return ending.append(g, paths); }};
  const StageStep recompute{"recompute",
                            [&](const ir::Graph& g) { return autodiff::recomputed(g, policy); }};
  p.go_through_stages(built, {differentiate, update},
                      options.optimize ? std::vector{recompute} : std::vector<StageStep>{});
  return p;
}

Program Program::within_budget(const ir::Graph& built, const Ending& ending,
                               const ProgramOptions& options, const std::string& loss,
                               int64_t other_bytes) {
  if (options.memory_budget <= 0) return step(built, ending, options, loss, {});
  ProgramOptions quiet = options;
  quiet.observe = nullptr;
  const BudgetChoice choice = choose_policy(
      options,
      [&](const autodiff::ResidualPolicy& policy) {
        return step(built, ending, quiet, loss, policy).graph();
      },
      other_bytes);
  ProgramOptions bounded = options;
  bounded.cache_bytes = std::min(options.cache_bytes, options.memory_budget - choice.stored_bytes);
  Program p = step(built, ending, bounded, loss, choice.policy);
  p.budget_ = choice;
  return p;
}

Program Program::training(const ir::Graph& built, const OptimizerSettings& settings,
                          const ProgramOptions& options, const std::string& loss) {
  return within_budget(built,
                       {"append_optimizer",
                        [&](const ir::Graph& g, const std::vector<std::string>& paths) {
                          return append_optimizer(g, paths, settings);
                        }},
                       options, loss, 0);
}

Program Program::accumulate(const ir::Graph& built, const ProgramOptions& options,
                            const std::string& loss, const std::string& weight,
                            int64_t other_bytes) {
  return within_budget(built,
                       {"append_accumulators",
                        [&](const ir::Graph& g, const std::vector<std::string>& paths) {
                          return append_accumulators(g, paths, weight);
                        }},
                       options, loss, other_bytes);
}

Program Program::apply(const ir::Graph& built, const OptimizerSettings& settings,
                       const ProgramOptions& options, const std::string& weight) {
  const std::vector<std::string> paths = trainable_parameters(built);
  return inference(append_optimizer(accumulated_gradients(built, paths), paths, settings, weight),
                   options);
}

std::vector<Array> Program::arguments(ParameterStore& store, const NamedArrays& inputs) const {
  store.prepare(graph());
  std::vector<Array> list;
  for (const ir::Argument& a : graph().arguments()) {
    if (a.kind != ir::ArgumentKind::input) {
      list.push_back(store.at(a.path));
      continue;
    }
    const std::string& name = graph().info(a.value).name;
    const ir::DType need = graph().type(a.value).dtype;
    const Array& given = inputs.at(name);
    if (given.dtype() != need && !(ir::is_float(need) && given.dtype() == options_.real))
      throw GraphError(concat("input '", name, "' is ", graph().type(a.value), ", found ",
                              ir::name(given.dtype()), ir::dims_str(given.dims())));
    list.push_back(given);
  }
  return list;
}

Program::Entry& Program::entry_for(const std::vector<Array>& arguments) {
  const ir::Bindings bindings = backends::infer_bindings(graph(), arguments);
  for (auto it = entries_.begin(); it != entries_.end(); ++it)
    if (it->bindings == bindings) {
      entries_.splice(entries_.begin(), entries_, it);
      return entries_.front();
    }
  const auto start = std::chrono::steady_clock::now();
  Entry entry{bindings, options_.backend->compile(graph(), bindings, options_.compile),
              backends::result_dims(graph(), bindings), 0};
  entry.bytes = kBytesOfNode * graph().node_count();
  statistics_.compile_seconds +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  // What passes and lowering left, before the arena is touched.
  if (++statistics_.compiled == 1) ir::return_freed_memory();
  entries_.push_front(std::move(entry));
  int64_t arena = 0;  // one for all
  const auto count_bytes = [&] {
    statistics_.bytes = arena = 0;
    for (const Entry& e : entries_) {
      arena = std::max(arena, e.executable->arena_bytes());
      statistics_.bytes += e.bytes;
    }
    statistics_.bytes += arena;
  };
  for (count_bytes(); entries_.size() > 1 && statistics_.bytes > options_.cache_bytes;
       count_bytes()) {
    entries_.pop_back();
    ++statistics_.evicted;
  }
  backends::Shared& shared = *options_.compile.shared;
  if (shared.arena_bytes > arena) shared.arena.reset(), shared.arena_bytes = 0;
  statistics_.entries = static_cast<int64_t>(entries_.size());
  return entries_.front();
}

backends::Executable& Program::executable(ParameterStore& store, const NamedArrays& inputs) {
  return *entry_for(arguments(store, inputs)).executable;
}

NamedArrays Program::run(ParameterStore& store, const NamedArrays& inputs) {
  const std::vector<Array> args = arguments(store, inputs);
  Entry& entry = entry_for(args);
  std::vector<Array> results;
  for (size_t i = 0; i < stored_.size(); ++i) {
    if (const int a = stored_[i]; a >= 0 && graph().arguments()[static_cast<size_t>(a)].donated) {
      results.push_back(args[static_cast<size_t>(a)]);  // the same buffer
      continue;
    }
    const ir::DType dtype = graph().type(graph().outputs()[i].value).dtype;
    results.push_back(Array::unset(held(dtype, options_.real), entry.results[i]));
  }
  entry.executable->run(args, results);
  ++statistics_.runs;
  NamedArrays returned;
  for (size_t i = 0; i < results.size(); ++i) {
    if (stored_[i] < 0)
      returned.add(graph().outputs()[i].name, results[i]);
    else
      store.set(graph().arguments()[static_cast<size_t>(stored_[i])].path,
                graph().arguments()[static_cast<size_t>(stored_[i])].kind, results[i]);
  }
  return returned;
}

struct Program::Repeated {
  Program prologue, rest;
  uint64_t version = 0;  // of the store the prologue ran with
  NamedArrays made;      // by it
};

std::vector<backends::Report> Program::reports() const {
  std::vector<backends::Report> all;
  for (const Entry& entry : entries_) all.push_back(entry.executable->report());
  if (repeated_ != nullptr)
    for (const Program* part : {&repeated_->prologue, &repeated_->rest})
      for (backends::Report& report : part->reports()) all.push_back(std::move(report));
  return all;
}

void Program::reset_timings() {
  for (Entry& entry : entries_) entry.executable->reset_timings();
  if (repeated_ == nullptr) return;
  repeated_->prologue.reset_timings();
  repeated_->rest.reset_timings();
}

RepeatedRun Program::repeated(ParameterStore& store, const NamedArrays& inputs) {
  if (repeated_ == nullptr) {
    const ir::Prologue split = ir::split_prologue(ir::with_transposed_parameters(
        graph(), [&](std::string_view path) { return store.is_transposed(path); }));
    ProgramOptions as_it_is = options_;
    as_it_is.optimize = false;
    as_it_is.compile.shared = nullptr;  // to each its own
    ProgramOptions again = as_it_is;    // whatever goes from run to run, the parameters stay
    const auto made = split.prologue.outputs();
    for (const ir::Argument& a : split.rest.arguments())
      again.compile.fixed.push_back(a.kind == ir::ArgumentKind::parameter ||
                                    std::any_of(made.begin(), made.end(), [&](const ir::Output& o) {
                                      return o.name == split.rest.info(a.value).name;
                                    }));
    repeated_ = std::make_shared<Repeated>(
        Repeated{inference(split.prologue, as_it_is), inference(split.rest, again), 0, {}});
  }
  store.prepare(graph());
  if (repeated_->version != store.version()) {
    repeated_->version = store.version();
    ++repeated_->rest.options_.compile.shared->version;
    if (const Program& first = repeated_->prologue; !first.graph().outputs().empty()) {
      for (const ir::Argument& a : first.graph().arguments()) store.at(a.path).fetch();
      repeated_->made = repeated_->prologue.run(store, {});
      for (const ir::Argument& a : first.graph().arguments()) store.at(a.path).release();
    }
  }
  NamedArrays all = inputs;
  for (const auto& [name, array] : repeated_->made) all.add(name, array);
  return repeated_->rest.bound(store, all);
}

RepeatedRun Program::bound(ParameterStore& store, const NamedArrays& inputs) {
  RepeatedRun r;
  r.arguments_ = arguments(store, inputs);
  const Entry& entry = entry_for(r.arguments_);
  r.executable_ = entry.executable;
  for (size_t i = 0; i < graph().arguments().size(); ++i) {
    if (graph().arguments()[i].kind != ir::ArgumentKind::input) continue;
    r.inputs_.push_back(i);
    r.input_names_.push_back(graph().info(graph().arguments()[i].value).name);
  }
  for (size_t j = 0; j < stored_.size(); ++j) {
    const ir::Output& output = graph().outputs()[j];
    if (stored_[j] >= 0)
      throw GraphError(concat("result '", output.name, "' goes back to the store: run it once"));
    const ir::DType dtype = graph().type(output.value).dtype;
    const Array* const carried = r.find_input(output.name);
    r.result_names_.push_back(output.name);
    if (carried != nullptr && carried->dims() == entry.results[j])
      r.results_.push_back(*carried);  // the same buffer
    else
      r.results_.emplace_back(held(dtype, options_.real), entry.results[j]);
  }
  return r;
}

Array* RepeatedRun::find_input(std::string_view name) {
  for (size_t i = 0; i < inputs_.size(); ++i)
    if (input_names_[i] == name) return &arguments_[inputs_[i]];
  return nullptr;
}

Array& RepeatedRun::input(std::string_view name) {
  if (Array* const found = find_input(name)) return *found;
  throw GraphError(concat("there is no input '", name, "'"));
}

const Array* RepeatedRun::find_result(std::string_view name) const {
  for (size_t j = 0; j < results_.size(); ++j)
    if (result_names_[j] == name) return &results_[j];
  return nullptr;
}

const Array& RepeatedRun::result(std::string_view name) const {
  if (const Array* const found = find_result(name)) return *found;
  throw GraphError(concat("there is no result '", name, "'"));
}

void RepeatedRun::run() { executable_->run(arguments_, results_); }

}  // namespace weft
