// backends/onednn/run/executable.cpp -- compiling, running and reading back.
#include "backends/onednn/run/executable.h"

#include "backends/onednn/lower/choice.h"
#include "backends/onednn/lower/table.h"
#include "backends/onednn/machine/waiting.h"
#include "backends/onednn/plan/moves.h"
#include "ir/check.h"
#include "ir/ops/scan.h"
#include "ir/rewrite/rewrite.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <utility>

namespace weft::onednn {
namespace {

#ifdef NDEBUG
constexpr bool kDebug = false;
#else
constexpr bool kDebug = true;
#endif

// Bytes. A smaller one is not worth planning twice.
constexpr int64_t kArenaWorthFitting = 16 << 20;

void refuse_f64(const ir::Graph& graph) {
  const auto refuse = [&](ir::Value v) {
    if (graph.type(v).dtype != ir::DType::f64) return;
    const ir::Node* node = graph.producer(v);
    throw ir::GraphError(
        ir::concat(node != nullptr && node->from.loc.known() ? node->from.loc.str() + ": " : "",
                   "error: ", graph.display_name(v), ": ", graph.type(v),
                   " is of f64, which the onednn backend does not have: use f32, or the reference "
                   "backend [onednn.1]"));
  };
  for (int id = 0; id < graph.value_count(); ++id) refuse({id});
  for (const ir::Node& node : graph.nodes())
    for (const ir::Graph& region : node.regions) refuse_f64(region);
}

ir::Graph expanded(const ir::Graph& graph) {
  return ir::rewrite_nodes(
      graph, [](ir::Rewriter& r, const ir::Node& node) -> std::optional<ir::Values> {
        const ir::OpView op(r.from(), node);
        if (is_lowered(op)) return std::nullopt;
        if (node.op == &ir::ops::custom_vjp)
          return ir::inline_graph(r.builder, expanded(node.regions[0]), r(node.operands));
        WEFT_CHECK(node.op->expand != nullptr);
        return ir::inline_graph(r.builder, expanded(node.op->expand(op)), r(node.operands));
      });
}

// Outer kernels first, bodies behind their loops.
void number_kernels(Program& program, int& next) {
  for (Kernel& k : program.kernels) {
    k.number = next++;
    if (k.body == nullptr) continue;
    k.body->loop = k.number;
    number_kernels(*k.body, next);
  }
}

ir::Memory allocate(int64_t bytes) {
  ir::Memory memory = ir::allocate(static_cast<size_t>(bytes));
  if (memory == nullptr)
    throw ir::RuntimeError(ir::concat("error: out of memory: a plan needs ", bytes, " bytes"));
  return memory;
}

// Will be filled completely, so huge pages pay.
ir::Memory allocate_filled(int64_t bytes) {
  ir::Memory memory = allocate(bytes);
  ir::want_huge_pages(memory.get(), static_cast<size_t>(bytes));
  return memory;
}

}  // namespace

ir::Graph prepared(const ir::Graph& graph, const ir::Bindings& bindings) {
  const ir::Graph bound = ir::specialize(graph, bindings);
  refuse_f64(bound);
  return ir::with_regions(bound, expanded);
}

Executable::Executable(std::shared_ptr<const Engine> engine, const ir::Graph& graph,
                       const ir::Bindings& bindings, const ExecutableOptions& options)
    : engine_(std::move(engine)), options_(options), graph_(prepared(graph, bindings)) {
  if (options_.shared == nullptr) options_.shared = std::make_shared<backends::Shared>();
  plan(options, std::nullopt);
  if (plan_.arena_bytes >= (plan_.options.poison ? 0 : kArenaWorthFitting)) {
    Offsets offsets = fitted(plan_.timelines);
    if (offsets.peaks.front() < plan_.arena_bytes) {
      const std::deque<Timeline> before = std::move(plan_.timelines);
      plan(options, std::move(offsets));
      WEFT_CHECK(same_buffers(before, plan_.timelines));
    }
  }
  int kernels = 0;
  number_kernels(plan_.programs.front(), kernels);
  constants_ = allocate_filled(static_cast<int64_t>(plan_.constants.size()));
  if (!plan_.constants.empty())
    std::memcpy(constants_.get(), plan_.constants.data(), plan_.constants.size());
  bases_.resize(static_cast<size_t>(plan_.bases));
  steps_.resize(static_cast<size_t>(plan_.loops) + 1);
  shadows_.resize(graph_.outputs().size());
  for (size_t i = 0; i < graph_.arguments().size(); ++i)
    for (size_t j = 0; j < graph_.outputs().size(); ++j) {
      const int a = static_cast<int>(i), r = static_cast<int>(j);
      may_share_.push_back(
          graph_.arguments()[i].donated &&
          (planner_->last_read(a) < planner_->first_write(r) || planner_->updates_in_place(a, r)));
    }
}

void Executable::plan(const ExecutableOptions& options, std::optional<Offsets> offsets) {
  planner_.reset();
  plan_ = Plan();
  expected_.clear();
  plan_.offsets = std::move(offsets);
  plan_.engine = engine_.get();
  plan_.lowerings = lowerings();
  plan_.shared = options_.shared.get();
  plan_.options = {.poison = options.poison || kDebug,
                   .check_nan = options.check_nan,
                   .keep_all = options.keep_all,
                   .group = options.group_elementwise,
                   .engine = options.engine.value_or(backends::engine_of_environment())};
  plan_.options.pad_rows = pads_rows(plan_.options.engine);
  const auto place = [&](ir::Value v) {
    const ir::TensorType& type = graph_.type(v);
    return expected_.emplace_back(dense(type.dtype, dims_of(type), {plan_.new_base(), 0}));
  };
  planner_ = std::make_unique<Planner>(plan_, graph_, plan_.programs.emplace_back(), kArenaBase, 0);
  for (size_t i = 0; i < graph_.arguments().size(); ++i)
    planner_->place_argument(static_cast<int>(i), place(graph_.arguments()[i].value));
  for (size_t j = 0; j < graph_.outputs().size(); ++j)
    planner_->target_output(static_cast<int>(j), place(graph_.outputs()[j].value));
  plan_.fixed.resize(kArgumentBase);
  plan_.fixed.insert(plan_.fixed.end(), options.fixed.begin(), options.fixed.end());
  planner_->lower();
  plan_.arena_bytes = planner_->arena_bytes();
}

void Executable::check(std::span<const ir::Array> arguments, std::span<ir::Array> results) const {
  const size_t count = graph_.arguments().size();
  if (arguments.size() != count)
    throw ir::GraphError(ir::concat("error: the graph takes ", count, " arguments, found ",
                                    arguments.size(), " [run.2]"));
  if (results.size() != graph_.outputs().size())
    throw ir::GraphError(ir::concat("error: the graph has ", graph_.outputs().size(),
                                    " results, found ", results.size(), " [run.3]"));
  for (size_t i = 0; i < expected_.size(); ++i) {
    const ir::Array& a = i < count ? arguments[i] : results[i - count];
    const Tensor& want = expected_[i];
    if (a.dtype() == want.dtype && a.dims() == want.dims) continue;
    std::string name = i < count ? graph_.info(graph_.arguments()[i].value).name
                                 : graph_.outputs()[i - count].name;
    if (name.empty() && i < count) name = graph_.arguments()[i].path;
    throw ir::GraphError(ir::concat("error: ", i < count ? "argument" : "result", " '", name,
                                    "' needs ", str(want), ", found ", ir::name(a.dtype()),
                                    ir::dims_str(a.dims()), " [run.1]"));
  }
}

// A result may lie in a donated argument's buffer if the plan has read the argument by then.
char* Executable::result_buffer(size_t j, std::span<const ir::Array> arguments,
                                std::span<ir::Array> results) {
  char* buffer = static_cast<char*>(results[j].raw());
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].raw() != buffer || buffer == nullptr ||
        may_share_[i * results.size() + j] != 0)
      continue;
    if (!shadows_[j]) {
      shadows_[j] = allocate_filled(results[j].bytes());
      notes_ +=
          ir::concat("copied: ", graph_.outputs()[j].name, " over ",
                     graph_.display_name(graph_.arguments()[i].value), " (argument ", i, ")\n");
    }
    return static_cast<char*>(shadows_[j].get());
  }
  return buffer;
}

void Executable::bind_arena() {
  backends::Shared& shared = *options_.shared;
  if (shared.arena == nullptr || shared.arena_bytes < plan_.arena_bytes) {
    shared.arena.reset();  // before there is another
    shared.arena = allocate(plan_.arena_bytes);
    shared.arena_bytes = plan_.arena_bytes;
  }
  char* const arena = static_cast<char*>(shared.arena.get());
  if (std::exchange(bases_[kArenaBase], arena) == arena) return;
  for (const auto& [begin, end] : planner_->arena().touched())
    ir::want_huge_pages(arena + begin, static_cast<size_t>(end - begin));
}

void Executable::pack_fixed(const Run& run, std::span<const ir::Array> arguments) {
  for (const Plan::Packed& p : plan_.packed) {
    backends::Shared::Made& made = *p.made;
    if (made.memory == nullptr) made.memory = allocate_filled(p.bytes);
    bases_[static_cast<size_t>(p.base)] = static_cast<char*>(made.memory.get());
    const void* const from = bases_[static_cast<size_t>(p.argument_base)];
    if (made.of == from && made.version == options_.shared->version) continue;
    Run packing = run;
    packing.source = &arguments[static_cast<size_t>(p.argument_base - kArgumentBase)];
    execute(p.make, packing);
    packing.source->release();
    made.of = from;
    made.version = options_.shared->version;
  }
}

void Executable::run(std::span<const ir::Array> arguments, std::span<ir::Array> results) {
  check(arguments, results);
  // Workspaces have room for the team that was there when the graph was planned.
  if (omp_get_max_threads() > engine_->threads())
    throw ir::RuntimeError(ir::concat("error: planned for ", engine_->threads(),
                                      " OpenMP threads, run with ", omp_get_max_threads(),
                                      ": keep their number constant"));
  choose_waiting();
  bind_arena();
  bases_[kConstantsBase] = static_cast<char*>(constants_.get());
  for (size_t i = 0; i < arguments.size(); ++i)
    bases_[kArgumentBase + i] = static_cast<char*>(const_cast<void*>(arguments[i].raw()));
  const size_t first_result = kArgumentBase + arguments.size();
  for (size_t j = 0; j < results.size(); ++j)
    bases_[first_result + j] = result_buffer(j, arguments, results);
  if (plan_.options.poison)
    std::memset(bases_[kArenaBase], 0xFF, static_cast<size_t>(plan_.arena_bytes));
  if (options_.trace) trace_.begin();
  const auto start = std::chrono::steady_clock::now();
  const Run how{.bases = bases_.data(),
                .steps = steps_.data(),
                .timed = options_.profile || options_.trace,
                .trace = options_.trace ? &trace_ : nullptr};
  pack_fixed(how, arguments);
  execute(plan_.programs.front(), how);
  for (size_t j = 0; j < results.size(); ++j)
    if (shadows_[j] && bases_[first_result + j] == shadows_[j].get())
      std::memcpy(results[j].raw(), shadows_[j].get(), static_cast<size_t>(results[j].bytes()));
  seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ++runs_;
}

void Executable::reset_timings() {
  runs_ = 0;
  seconds_ = 0;
  for (const Program& p : plan_.programs)
    for (const Kernel& k : p.kernels) k.calls = 0, k.seconds = k.shares = 0;
}

ir::Array Executable::value(ir::Value v) const {
  const Tensor& t = planner_->place(v);
  ir::Array out(t.dtype, t.dims);
  if (t.at.base < 0 || t.size() == 0 || bases_[static_cast<size_t>(t.at.base)] == nullptr)
    return out;
  copy_elements(t, bases_[static_cast<size_t>(t.at.base)] + t.at.offset, dense(t.dtype, t.dims, {}),
                static_cast<char*>(out.raw()));
  return out;
}

std::vector<std::string> Executable::implementations() const {
  std::vector<std::string> names;
  for (const Program& p : plan_.programs)
    for (const Kernel& k : p.kernels)
      if (!k.implementation.empty()) names.push_back(k.implementation);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace weft::onednn
