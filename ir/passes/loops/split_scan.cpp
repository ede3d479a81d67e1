// ir/passes/loops/split_scan.cpp -- what does not recur leaves the loop.
#include "ir/passes/loops/split_scan.h"

#include "ir/passes/clean/dce.h"
#include "ir/passes/loops/cut_loop.h"
#include "ir/passes/loops/kept_loop.h"
#include "ir/passes/loops/loop_places.h"
#include "ir/passes/loops/step_sums.h"
#include "ir/rewrite/pattern.h"
#include "ir/rewrite/rewrite.h"
#include "ir/rules/distinct_axes.h"

#include <algorithm>
#include <map>

namespace weft::ir {
namespace {

constexpr std::string_view kName = "split_scan";

// [T,...] with the steps put at `axis`.
Value from_front(Builder& b, Value x, int64_t axis) {
  if (axis == 0) return x;
  Integers perm;
  for (int64_t d = 1; d < b.type(x).rank(); ++d) perm.push_back(d);
  perm.insert(perm.begin() + axis, 0);
  return b.transpose(x, perm);
}

class Splitter {
 public:
  Splitter(Rewriter& rewriter, const Node& scan, PassContext& context)
      : outer_(rewriter),
        scan_(scan),
        context_(context),
        a_(rewriter.from(), scan),
        outside_(rewriter, scan, a_) {}

  // The results of the loop taken apart, or nothing where all of it recurs.
  std::optional<Values> run() {
    if (!a_.worthwhile()) return cut_loop(outer_, scan_, a_, context_);
    results_.assign(scan_.results.size(), {});
    for (size_t n = 0; n < a_.body.nodes().size(); ++n)
      if (a_.place[n] == Place::hoisted || a_.place[n] == Place::before)
        outside_.emit(a_.body.nodes()[n]);
    const KeptLoop kept = kept_loop(a_);
    if (!kept.empty()) emit_loop(kept);
    add_sums(kept);
    add_stacked();
    report();
    return results_;
  }

 private:
  Builder& b() { return outer_.builder; }

  void emit_loop(const KeptLoop& kept) {
    const Values made = emit_kept_loop(a_, kept, scan_, outside_);
    for (size_t k = 0; k < kept.carries.size(); ++k)
      results_[static_cast<size_t>(kept.carries[k])] = made[k];
    const Values stacked(made.begin() + static_cast<std::ptrdiff_t>(kept.carries.size()),
                         made.end());
    for (size_t i = 0; i < stacked.size(); ++i) outside_.name_like(stacked[i], kept.stacks[i]);
    outside_.found(kept.stacks, stacked);
  }

  void add_sums(const KeptLoop& kept) {
    StepSums sums(a_, kept.summed, outside_);
    for (size_t c = 0; c < a_.accumulator.size(); ++c) {
      if (a_.accumulator[c] < 0) continue;
      const Value total = sums(a_.contribution(c));
      b().from = a_.body.nodes()[static_cast<size_t>(a_.accumulator[c])].from;
      const Value before = outside_.operand("carries", static_cast<int>(c));
      // A sum that starts from 0 is what is added up.
      const bool from_zero =
          scalar_constant(b().graph(), before) == 0.0 && b().type(before) == b().type(total);
      results_[c] = from_zero ? total : b().add(before, total);
    }
  }

  void add_stacked() {
    for (int i = 0; i < a_.parts.stacked; ++i) {
      const Value v = a_.body.outputs()[static_cast<size_t>(a_.parts.carries + i)].value;
      LiftedValues::Lifted o = outside_(v);
      b().from = a_.body.producer(v) != nullptr ? a_.body.producer(v)->from : scan_.from;
      if (!o.lifted) {
        Shape shape = b().type(o.value).shape;
        shape.insert(shape.begin(), a_.parts.steps);
        o.value = b().broadcast(o.value, shape);
      }
      if (a_.parts.has_lengths && !o.zero) o.value = outside_.zero_ended(o.value);
      results_[static_cast<size_t>(a_.parts.carries + i)] =
          from_front(b(), o.value, a_.parts.out_axes[static_cast<size_t>(i)]);
    }
  }

  void report() {
    const auto names = [&](Place place) {
      std::map<std::string, int> count;
      for (size_t n = 0; n < a_.body.nodes().size(); ++n)
        if (a_.place[n] == place) ++count[std::string(a_.body.nodes()[n].op->name)];
      std::string s;
      for (const auto& [name, c] : count)
        s += (s.empty() ? "" : ", ") + name + (c > 1 ? " x" + std::to_string(c) : "");
      return s;
    };
    const std::string loop = where(scan_) + ": ";
    for (const auto& [place, what] : {std::pair{Place::hoisted, "hoisted out of the loop: "},
                                      {Place::before, "done for all steps before the loop: "},
                                      {Place::after, "done for all steps after the loop: "}})
      if (const std::string s = names(place); !s.empty()) context_.done(kName, loop + what + s);
    const auto sums =
        std::count_if(a_.accumulator.begin(), a_.accumulator.end(), [](int n) { return n >= 0; });
    if (sums > 0)
      context_.done(kName, loop + std::to_string(sums) +
                               " accumulated carries became contractions over all steps");
  }

  Rewriter& outer_;
  const Node& scan_;
  PassContext& context_;
  const LoopPlaces a_;
  LiftedValues outside_;
  Values results_;
};

// What moved out of a loop may leave more that can: repeated until no loop changes. Every round
// takes nodes out of loops or carries out of one, so it ends.
Graph split_level(const Graph& graph, PassContext& context, bool& any_changed) {
  Graph result = graph;
  for (bool changed = true; changed;) {
    changed = false;
    bool any = false;
    for (const Node& node : result.nodes()) any = any || node.op == &ops::scan;
    if (!any) break;
    result = rewrite_nodes(result, [&](Rewriter& r, const Node& node) -> std::optional<Values> {
      if (node.op != &ops::scan) return std::nullopt;
      auto parts = Splitter(r, node, context).run();
      changed = changed || parts.has_value();
      return parts;
    });
    any_changed = any_changed || changed;
    if (changed) result = dce(result, context);
  }
  return result;
}

}  // namespace

Graph split_scan(const Graph& graph, PassContext& context) {
  // What nobody reads would hold back what it reads, and tie axes together.
  Graph current = dce(graph, context);
  if (!contains(current, ops::scan)) return current;
  for (bool changed = true; changed;) {
    changed = false;
    current = by_rows(
        current,
        [&](const Graph& of) {
          return with_regions(of, [&](const Graph& g) { return split_level(g, context, changed); });
        },
        [&] { context.near_miss(kName, std::string(kRowsUnknown)); });
  }
  return current;
}

}  // namespace weft::ir
