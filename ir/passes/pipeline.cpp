// ir/passes/pipeline.cpp -- the order of the passes, in one place.
#include "ir/passes/pipeline.h"

#include "ir/passes/clean/canonicalize.h"
#include "ir/passes/clean/cse.h"
#include "ir/passes/clean/dce.h"
#include "ir/passes/clean/fold_constants.h"
#include "ir/passes/fuse/attention/fuse_attention.h"
#include "ir/passes/fuse/cells/fuse_cells.h"
#include "ir/passes/fuse/fuse_cross_entropy.h"
#include "ir/passes/fuse/fuse_linear.h"
#include "ir/passes/fuse/fuse_linear_cross_entropy.h"
#include "ir/passes/fuse/fuse_norm.h"
#include "ir/passes/fuse/fuse_optimizer.h"
#include "ir/passes/fuse/fuse_residual.h"
#include "ir/passes/fuse/fuse_top_k.h"
#include "ir/passes/fuse/merge_matmuls.h"
#include "ir/passes/loops/split_scan.h"
#include "ir/passes/padding/drop_ignored_rows.h"
#include "ir/passes/padding/order_packed.h"
#include "ir/passes/padding/pack_attention.h"
#include "ir/passes/padding/pack_tokens.h"
#include "ir/passes/padding/sort_rows.h"
#include "ir/passes/precision/lower_precision.h"
#include "ir/text/text.h"
#include "ir/verify.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace weft::ir {
namespace {

constexpr Pass kPasses[] = {
    {"canonicalize", canonicalize, "one spelling for one meaning"},
    {"cse", cse, "equal nodes are computed once"},
    {"dce", dce, "what no output needs is gone, in loops too"},
    {"drop_ignored_rows", drop_ignored_rows, "rows that a loss leaves out are not zeroed first"},
    {"fold_constants", fold_constants, "what depends on constants alone is computed now"},
    {"fuse_attention", fuse_attention, "score, mask, softmax and weighted sum become one op"},
    {"fuse_cells", fuse_cells, "the equations of GRU and LSTM cells become one op"},
    {"fuse_cross_entropy", fuse_cross_entropy,
     "log-softmax, look-up, smoothing and weights become one op"},
    {"fuse_linear", fuse_linear, "product, bias and activation become one op"},
    {"fuse_linear_cross_entropy", fuse_linear_cross_entropy,
     "the vocabulary's scores, their loss and its gradient become one op"},
    {"fuse_norm", fuse_norm, "mean, variance and their root become layer norm or RMS norm"},
    {"fuse_optimizer", fuse_optimizer, "norms and updates of all parameters become one op each"},
    {"fuse_residual", fuse_residual, "a product and what it is added to become one op"},
    {"fuse_top_k", fuse_top_k, "log-softmax and the choice of its best become one op"},
    {.name = "lower_precision",
     .run = lower_precision,
     .doc = "products read bf16 and add up in f32",
     .rounds = true},
    {"merge_matmuls", merge_matmuls, "products of one value with several weights become one"},
    {"order_packed", order_packed, "packed rows stand as loops read them"},
    {"pack_attention", pack_attention, "attention works on packed sequences"},
    {"pack_tokens", pack_tokens, "work batched over time runs on the real tokens only"},
    {"sort_rows", sort_rows, "rows of a loop stand in the order of their lengths"},
    {"split_scan", split_scan, "what does not recur leaves the loop"},
};

constexpr const Pass* pass(std::string_view name) {
  for (const Pass& p : kPasses)
    if (p.name == name) return &p;
  return nullptr;
}

// Attention and cells are recognised inside the loop, as the user wrote them, and taken out of it
// whole: their batching rules fold the steps, which no rule for their pieces could. The second
// fuse_attention finds what only hoisting and batching made visible. Weights are concatenated by
// fuse_cells, hoisted by split_scan. `linear` comes last, its pieces are what others look for.
constexpr const Pass* kRecognise[] = {
    pass("canonicalize"),
    pass("cse"),
    pass("dce"),
    pass("fold_constants"),
    pass("canonicalize"),
    pass("fuse_attention"),
    pass("fuse_cells"),
    pass("fuse_norm"),
    pass("canonicalize"),
    pass("cse"),
    pass("split_scan"),
    pass("dce"),
    pass("canonicalize"),
    pass("fuse_attention"),
    pass("merge_matmuls"),
    pass("fuse_cross_entropy"),
    pass("fuse_top_k"),
    pass("canonicalize"),
    pass("fuse_linear"),
    pass("split_scan"),
    pass("canonicalize"),
    pass("cse"),
    pass("drop_ignored_rows"),
    pass("dce"),
};

// Recognition is over before differentiation: gradients of fused ops are ops, those of `linear`
// ordinary contractions. What is new afterwards is the reverse loops and the update. Residuals join
// their products last: until then sums are what others look for.
constexpr const Pass* kOptimise[] = {
    pass("canonicalize"),
    pass("cse"),
    pass("dce"),
    pass("fold_constants"),
    pass("fuse_optimizer"),
    pass("drop_ignored_rows"),
    pass("split_scan"),
    pass("canonicalize"),
    pass("cse"),
    pass("dce"),
    pass("pack_tokens"),
    pass("pack_attention"),
    pass("sort_rows"),
    pass("order_packed"),
    pass("fuse_linear_cross_entropy"),
    pass("fuse_residual"),
};

// Casts come last: what others recognise is f32.
constexpr const Pass* kLower[] = {pass("lower_precision")};

bool same(const Graph& a, const Graph& b) {
  const auto same_argument = [](const Argument& x, const Argument& y) {
    return x.value == y.value && x.kind == y.kind && x.path == y.path;
  };
  const auto same_node = [](const Node& x, const Node& y) {
    return x.op == y.op && x.operands == y.operands && x.group_sizes == y.group_sizes &&
           x.results == y.results && x.attrs == y.attrs &&
           std::equal(x.regions.begin(), x.regions.end(), y.regions.begin(), y.regions.end(), same);
  };
  const auto same_output = [](const Output& x, const Output& y) {
    return x.value == y.value && x.name == y.name;
  };
  return std::equal(a.arguments().begin(), a.arguments().end(), b.arguments().begin(),
                    b.arguments().end(), same_argument) &&
         std::equal(a.nodes().begin(), a.nodes().end(), b.nodes().begin(), b.nodes().end(),
                    same_node) &&
         std::equal(a.outputs().begin(), a.outputs().end(), b.outputs().begin(), b.outputs().end(),
                    same_output);
}

void dump(const char* folder, int number, std::string_view pass, const Graph& before,
          const Graph& after) {
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  for (const auto& [graph, when] : {std::pair{&before, "before"}, {&after, "after"}}) {
    const std::string path =
        concat(folder, "/", number < 10 ? "0" : "", number, "-", pass, ".", when, ".ir");
    std::ofstream out(path);
    out << print(*graph, {.locations = true});
    if (!out.flush()) throw RuntimeError(path + ": cannot write the dump that WEFT_DUMP asks for");
  }
}

}  // namespace

std::string where(const Node& node) {
  std::string s = node.from.loc.str();
  if (!node.from.scope.empty()) s += (s.empty() ? "" : " ") + node.from.scope;
  return s;
}

std::span<const Pass> all_passes() { return kPasses; }
const Pass* find_pass(std::string_view name) { return pass(name); }
std::span<const Pass* const> recognise_passes() { return kRecognise; }
std::span<const Pass* const> optimise_passes() { return kOptimise; }
std::span<const Pass* const> precision_passes(Precision precision) {
  return precision == Precision::bf16 ? std::span<const Pass* const>(kLower)
                                      : std::span<const Pass* const>();
}

PipelineResult run_passes(const Graph& graph, std::span<const Pass* const> passes,
                          PassContext& context, const PipelineOptions& options) {
  PipelineResult result{graph, {}};
  for (const std::string& name : options.disabled)
    if (find_pass(name) == nullptr)
      throw GraphError(concat("there is no pass '", name, "' to leave out"));
  for (const Pass* p : passes) {
    if (std::find(options.disabled.begin(), options.disabled.end(), p->name) !=
        options.disabled.end())
      continue;
    const size_t notes = context.notes.size();
    const auto start = std::chrono::steady_clock::now();
    Graph after = p->run(result.graph, context);
    const std::chrono::duration<double, std::milli> elapsed =
        std::chrono::steady_clock::now() - start;
    result.records.push_back({p->name, elapsed.count(), result.graph.node_count(),
                              after.node_count(), !same(result.graph, after),
                              static_cast<int>(context.notes.size() - notes)});
    // Before verifying: a dump shows what went wrong.
    ++context.passes_run;
    if (const char* folder = std::getenv("WEFT_DUMP");
        folder != nullptr && result.records.back().changed)
      dump(folder, context.passes_run, p->name, result.graph, after);
    if (options.observe)
      options.observe(p->name, result.graph,
                      after);  // before verifying: a dump shows what went wrong
    if (options.verify) verify(after, std::string(p->name));
    result.graph = std::move(after);
  }
  if (!options.verify) verify(result.graph);
  return result;
}

}  // namespace weft::ir
