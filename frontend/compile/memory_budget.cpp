// frontend/compile/memory_budget.cpp -- planning with every policy, choosing the cheapest that fits.
#include "frontend/compile/memory_budget.h"

#include "ir/error.h"
#include "ir/rules/arithmetic.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace weft {
namespace {

using autodiff::ResidualPolicy;
using ir::concat;
using ir::GraphError;

constexpr double kAlways = 1e30;  // of the threshold: whatever must be saved for it

// From the fastest to the smallest; what they really cost is counted.
constexpr ResidualPolicy kPolicies[] = {
    {},
    {.threshold = 4},
    {.segments = 2},
    {.segments = 4},
    {.segments = 8},
    {.segments = 16},
    {.threshold = kAlways, .recompute_contractions = true},
    {.threshold = kAlways, .recompute_contractions = true, .segments = 4},
    {.threshold = kAlways, .recompute_contractions = true, .segments = 8},
    {.threshold = kAlways, .recompute_contractions = true, .segments = 16},
};

int64_t stored_bytes(const ir::Graph& graph, const ir::Bindings& sizes) {
  int64_t bytes = 0;
  for (const ir::Argument& a : graph.arguments()) {
    if (a.kind == ir::ArgumentKind::input) continue;
    const ir::TensorType& type = graph.type(a.value);
    bytes += ir::element_count(ir::values(type.shape, sizes)) * ir::bytes(type.dtype);
  }
  return bytes;
}

std::string megabytes(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text;
}

std::string described(const ResidualPolicy& policy) {
  if (policy == ResidualPolicy()) return "recomputes no more than it would without a budget";
  std::string s;
  if (policy.segments > 1)
    s = concat("recomputes the forward pass in ", policy.segments, " pieces");
  if (policy.recompute_contractions)
    s += concat(s.empty() ? "recomputes " : ", and ", "all but the carries of loops");
  else if (policy.threshold > 1)
    s += concat(s.empty() ? "recomputes " : ", and ", "more of the elementwise work in loops");
  return s;
}

std::string sizes_text(const ir::Bindings& sizes) {
  std::string s;
  for (const auto& [symbol, size] : sizes) s += concat(s.empty() ? "" : " ", symbol, "=", size);
  return s;
}

}  // namespace

BudgetChoice choose_policy(const ProgramOptions& options,
                           const std::function<ir::Graph(const autodiff::ResidualPolicy&)>& step,
                           int64_t other_bytes) {
  const ir::Bindings& sizes = options.budget_sizes;
  BudgetChoice best, least;
  for (const ResidualPolicy& policy : kPolicies) {
    const ir::Graph graph = step(policy);
    BudgetChoice c{.policy = policy, .stored_bytes = stored_bytes(graph, sizes) + other_bytes};
    c.bytes = c.stored_bytes + options.backend->compile(graph, sizes)->arena_bytes();
    c.flops = ir::product_flops(graph, sizes);
    const bool first = policy == ResidualPolicy();
    c.unlimited_bytes = first ? c.bytes : least.unlimited_bytes;
    c.unlimited_flops = first ? c.flops : least.unlimited_flops;
    if (first || c.bytes < least.bytes) {
      const auto [bytes, flops] = std::pair(c.unlimited_bytes, c.unlimited_flops);
      least = c;
      least.unlimited_bytes = bytes, least.unlimited_flops = flops;
    }
    if (c.bytes <= options.memory_budget && (best.bytes == 0 || c.flops < best.flops)) best = c;
    if (first && best.bytes > 0) return best;
  }
  if (best.bytes == 0)
    throw BudgetTooSmall(concat("error: the memory budget of ", megabytes(options.memory_budget),
                                " cannot be met: a training step of ", sizes_text(sizes),
                                " needs at least ", megabytes(least.bytes), ", of which ",
                                megabytes(least.stored_bytes),
                                " are parameters and optimiser state; smaller batches need less"));
  return best;
}

std::string BudgetChoice::text(int64_t budget) const {
  const double more = unlimited_flops > 0 ? (flops / unlimited_flops - 1) * 100 : 0;
  return concat("memory budget ", megabytes(budget), ": a step needs ", megabytes(bytes),
                bytes < unlimited_bytes ? " instead of " + megabytes(unlimited_bytes) : "", ", ",
                megabytes(stored_bytes), " of it parameters and optimiser state; ",
                described(policy),
                more > 0.5 ? concat(", ", std::lround(more), " % more arithmetic") : "");
}

int64_t bytes_named(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  static constexpr std::pair<std::string_view, double> units[] = {{"B", 1},
                                                                  {"kB", 1e3},
                                                                  {"MB", 1e6},
                                                                  {"GB", 1e9},
                                                                  {"KiB", 1024.0},
                                                                  {"MiB", 1024.0 * 1024},
                                                                  {"GiB", 1024.0 * 1024 * 1024}};
  if (error == std::errc())
    for (const auto& [name, bytes] : units)
      if (unit == name && number > 0 && number * bytes < 9e15)
        return static_cast<int64_t>(number * bytes);
  throw GraphError(
      concat("a size in memory needs a number and kB, MB, GB, MiB or GiB, as in 200MB, found '",
             text, "'"));
}

}  // namespace weft
