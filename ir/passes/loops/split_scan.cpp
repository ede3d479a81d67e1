// ir/passes/loops/split_scan.cpp -- what does not recur leaves the loop.
#include "ir/passes/loops/split_scan.h"

#include "ir/check.h"
#include "ir/passes/clean/dce.h"
#include "ir/passes/clean/drop_unused_results.h"
#include "ir/passes/loops/cut_loop.h"
#include "ir/passes/loops/loop_places.h"
#include "ir/rewrite/pattern.h"
#include "ir/rewrite/rewrite.h"
#include "ir/rules/distinct_axes.h"

#include <algorithm>
#include <map>

namespace weft::ir {
namespace {

constexpr std::string_view kName = "split_scan";

size_t at(Value v) { return static_cast<size_t>(v.id); }

class Splitter {
 public:
  Splitter(Rewriter& rewriter, const Node& scan, PassContext& context)
      : outer_(rewriter),
        scan_(scan),
        context_(context),
        view_(rewriter.from(), scan),
        a_(rewriter.from(), scan) {}

  // The results of the loop taken apart, or nothing where all of it recurs.
  std::optional<Values> run() {
    if (!a_.worthwhile()) return cut_loop(outer_, scan_, a_, context_);
    emit_before();
    emit_loop();
    emit_after();
    report();
    return results_;
  }

 private:
  // ---------------------------------------------------------------- values outside
  Builder& b() { return outer_.builder; }

  Value outer_operand(std::string_view group, int i) const {
    return outer_(scan_.operands[static_cast<size_t>(view_.position(group) + i)]);
  }

  // Moves axis `axis` of x to the front.
  Value to_front(Value x, int64_t axis) {
    if (axis == 0) return x;
    Integers perm{axis};
    for (int64_t d = 0; d < b().type(x).rank(); ++d)
      if (d != axis) perm.push_back(d);
    return b().transpose(x, perm);
  }
  Value from_front(Value x, int64_t axis) {
    if (axis == 0) return x;
    Integers perm;
    for (int64_t d = 1; d < b().type(x).rank(); ++d) perm.push_back(d);
    perm.insert(perm.begin() + axis, 0);
    return b().transpose(x, perm);
  }

  Value live_mask() {  // pred[T,B]
    if (!live_.valid()) {
      const Value m =
          b().emit(ops::length_mask, {{outer_operand("lengths", 0)}}, {{"size", a_.parts.steps}});
      live_ = b().transpose(m, {1, 0});
    }
    return live_;
  }

  // x [T,B,...] with ended rows set to zero.
  Value zero_ended(Value x) {
    Shape shape = b().type(live_mask()).shape;
    while (static_cast<int>(shape.size()) < b().type(x).rank()) shape.emplace_back(1);
    const DType dtype = b().type(x).dtype;
    if (dtype == DType::pred)
      return b().emit(ops::logical_and, {{b().reshape(live_mask(), shape)}, {x}});
    return b().select(b().reshape(live_mask(), shape), x, b().scalar(0, dtype));
  }

  struct Outside {
    Value value;
    bool lifted = false;
    bool zero = false;  // on ended rows
  };

  // The value of the body as seen outside: invariant as it is, everything else lifted.
  Outside outside(Value v) {
    if (const auto it = outside_.find(v.id); it != outside_.end()) return it->second;
    Outside o;
    const Node* p = a_.body.producer(v);
    if (p == nullptr) {
      const int k = a_.body.argument_index(v) - a_.parts.carries;
      if (k < 0) {
        o = stacked(v);
      } else if (k < a_.parts.scanned) {
        o = {to_front(outer_operand("scanned", k), a_.parts.axes[static_cast<size_t>(k)]), true,
             false};
      } else if (k < a_.parts.scanned + a_.parts.invariants) {
        o = {outer_operand("invariants", k - a_.parts.scanned), false, false};
      } else {
        o = {live_mask(), true, true};
      }
    } else if (is_trivial(*p)) {
      b().from = p->from;
      o = {b().emit(*p->op, {}, p->attrs), false, false};
    } else {
      switch (a_.place_of(v)) {
        case Place::loop:
          if (!a_.is_mask(v)) {
            o = stacked(v);
            break;
          }
          [[fallthrough]];
        case Place::hoisted:
        case Place::before:
        case Place::after:
          emit_batched(*p);
          return outside_.at(v.id);
      }
    }
    outside_[v.id] = o;
    return o;
  }

  // A value of the loop as a stacked output of it: registered before the loop is made, read after.
  Outside stacked(Value v) {
    const auto it = std::find(stacks_.begin(), stacks_.end(), v);
    WEFT_CHECK(it != stacks_.end() && !loop_results_.empty());
    return {loop_results_[static_cast<size_t>(kept_carries_.size()) +
                          static_cast<size_t>(it - stacks_.begin())],
            true, a_.parts.has_lengths};
  }

  void emit_batched(const Node& node) {
    Values operands;
    Flags lifted;
    bool any = false;
    for (const Value v : node.operands) {
      const Outside o = outside(v);
      operands.push_back(o.value);
      lifted.push_back(o.lifted);
      any = any || o.lifted;
    }
    b().from = node.from;
    Values made;
    if (!any) {  // hoisted
      OperandGroups groups;
      size_t k = 0;
      for (const int n : node.group_sizes) {
        groups.emplace_back();
        for (int i = 0; i < n; ++i) groups.back().push_back(operands[k++]);
      }
      made = b().emit_all(*node.op, groups, node.attrs, node.regions);
    } else {
      const Lift lift{OpView(a_.body, node), b(), a_.parts.steps, operands, lifted};
      const bool all = a_.place_of(node.results[0]) != Place::after;
      made = batching_rule(*node.op)->emit(
          lift, all ? Wants(node.results.size(), Want::each) : a_.each_wants(node));
    }
    for (size_t r = 0; r < node.results.size(); ++r)
      if (made[r].valid()) {
        name_like(made[r], node.results[r]);
        outside_[node.results[r].id] = {made[r], any,
                                        any && zero_outside(node, static_cast<int>(r))};
      }
  }

  void name_like(Value outer_value, Value body_value) {
    if (b().graph().info(outer_value).name.empty())
      b().graph().set_name(outer_value, a_.body.info(body_value).name);
  }

  // Are the ended rows of a node done outside zero, given which of its operands are?
  bool zero_outside(const Node& node, int result) {
    if (!a_.parts.has_lengths) return false;
    Graph one;  // the node alone, its operands as arguments: the analysis of the body serves
    Values operands, zeros;
    for (const Value v : node.operands) {
      const Node* p = a_.body.producer(v);
      if (p != nullptr && is_trivial(*p)) {
        operands.push_back(
            one.add_copy(a_.body, *p, {})[static_cast<size_t>(a_.body.info(v).index)]);
        continue;
      }
      operands.push_back(one.add_argument(a_.body.type(v), {}));
      if (outside_.at(v.id).zero) zeros.push_back(operands.back());
    }
    const Values made = one.add_copy(a_.body, node, operands);
    return dead_rows(one, a_.batch, {}, zeros).zero[at(made[static_cast<size_t>(result)])];
  }

  // ---------------------------------------------------------------- emission
  void emit_before() {
    for (size_t n = 0; n < a_.body.nodes().size(); ++n)
      if (a_.place[n] == Place::hoisted || a_.place[n] == Place::before)
        emit_batched(a_.body.nodes()[n]);
  }

  bool stays(const Node& node, size_t n) const {
    return a_.place[n] == Place::loop && !a_.is_accumulating_add(n) && !is_trivial(node);
  }

  // Values the loop must stack: read by what moves after, or by contributions.
  void collect_stacks() {
    const auto want = [&](Value v) {
      if (a_.of_loop(v) && std::find(stacks_.begin(), stacks_.end(), v) == stacks_.end())
        stacks_.push_back(v);
    };
    const std::function<void(Value)> want_sum = [&](Value v) {
      const int n = a_.body.info(v).node;
      if (n < 0 || a_.place[static_cast<size_t>(n)] == Place::before ||
          a_.place[static_cast<size_t>(n)] == Place::hoisted)
        return;
      const Node& node = a_.body.nodes()[static_cast<size_t>(n)];
      switch (a_.sum_step(node, static_cast<size_t>(a_.body.info(v).index))) {
        case SumStep::add:
          want_sum(node.operands[0]);
          want_sum(node.operands[1]);
          break;
        case SumStep::linear:
          want_sum(node.operands[0]);
          break;
        case SumStep::rule:
          summed_results_.push_back(v);
          [[fallthrough]];
        default:
          for (const Value x : node.operands) want(x);
      }
    };
    for (size_t c = 0; c < a_.accumulator.size(); ++c)
      if (a_.accumulator[c] >= 0) want_sum(a_.contribution(c));
    for (size_t n = 0; n < a_.body.nodes().size(); ++n)
      if (a_.place[n] == Place::after)
        for (const Value v : a_.body.nodes()[n].operands) want(v);
    for (int i = 0; i < a_.parts.stacked; ++i)
      want(a_.body.outputs()[static_cast<size_t>(a_.parts.carries + i)].value);
  }

  void emit_loop() {
    collect_stacks();
    for (int c = 0; c < a_.parts.carries; ++c)
      if (a_.accumulator[static_cast<size_t>(c)] < 0) kept_carries_.push_back(c);
    if (kept_carries_.empty() && stacks_.empty()) return;

    // Which values of outside the loop's nodes read.
    std::vector<Value> scanned, invariants;
    const auto reads = [&](Value v) {
      const Node* p = a_.body.producer(v);
      if (p != nullptr && (is_trivial(*p) || a_.place_of(v) == Place::loop)) return;
      if (p == nullptr && (a_.body.argument_index(v) < a_.parts.carries || v == a_.live)) return;
      std::vector<Value>& list =
          a_.invariant[at(v)] || (p != nullptr && a_.place_of(v) == Place::hoisted) ? invariants
                                                                                    : scanned;
      if (std::find(list.begin(), list.end(), v) == list.end()) list.push_back(v);
    };
    for (size_t n = 0; n < a_.body.nodes().size(); ++n)
      if (stays(a_.body.nodes()[n], n) && !only_contributes(n))
        for (const Value v : a_.body.nodes()[n].operands) reads(v);
    for (const int c : kept_carries_) reads(a_.body.outputs()[static_cast<size_t>(c)].value);

    Graph body;
    body.name = a_.body.name;
    Values map(static_cast<size_t>(a_.body.value_count()));
    const auto argument = [&](Value v) {
      map[at(v)] = body.add_argument(a_.body.type(v), a_.body.info(v).name);
    };
    OperandGroups groups(4);
    Integers axes;
    for (const int c : kept_carries_) {
      argument(a_.body.arguments()[static_cast<size_t>(c)].value);
      groups[0].push_back(outer_operand("carries", c));
    }
    for (const Value v : scanned) {
      argument(v);
      const int k =
          a_.body.producer(v) == nullptr ? a_.body.argument_index(v) - a_.parts.carries : -1;
      groups[1].push_back(k >= 0 ? outer_operand("scanned", k) : outside(v).value);
      axes.push_back(k >= 0 ? a_.parts.axes[static_cast<size_t>(k)] : 0);
    }
    for (const Value v : invariants) {
      argument(v);
      groups[2].push_back(outside(v).value);
    }
    if (a_.parts.has_lengths) {
      argument(a_.live);
      groups[3].push_back(outer_operand("lengths", 0));
    }
    for (size_t n = 0; n < a_.body.nodes().size(); ++n) {
      const Node& node = a_.body.nodes()[n];
      if (!is_trivial(node) && (!stays(node, n) || only_contributes(n))) continue;
      Values operands;
      for (const Value v : node.operands) operands.push_back(map[at(v)]);
      const Values made = body.add_copy(a_.body, node, operands);
      for (size_t i = 0; i < made.size(); ++i) map[at(node.results[i])] = made[i];
    }
    const auto yield = [&](Value v) {
      body.add_output("r" + std::to_string(body.outputs().size()), map[at(v)]);
    };
    for (const int c : kept_carries_) yield(a_.body.outputs()[static_cast<size_t>(c)].value);
    for (const Value v : stacks_) yield(v);
    body = drop_unused_results(drop_dead(body));
    std::vector<bool> row_carry;
    for (const int c : kept_carries_)
      row_carry.push_back(a_.parts.row_carry[static_cast<size_t>(c)]);
    if (a_.parts.has_lengths) {
      body = drop_live_selects(body, row_carry, a_.batch, body.arguments().back().value);
    }
    b().from = scan_.from;
    const Attrs attrs = ops::scan_attrs(b().graph(), groups, axes, Integers(stacks_.size(), 0),
                                        a_.parts.reverse, a_.parts.steps, row_carry);
    loop_results_ = b().emit_all(ops::scan, groups, attrs, {std::move(body)});
    for (size_t i = 0; i < stacks_.size(); ++i)
      name_like(loop_results_[kept_carries_.size() + i], stacks_[i]);
  }

  // Its results are read only as contributions (or by nodes of which that holds), so it is done
  // outside.
  bool only_contributes(size_t n) {
    if (contributes_.empty()) {
      contributes_.assign(a_.body.nodes().size(), 0);
      std::vector<bool> used(static_cast<size_t>(a_.body.value_count()));
      for (const int c : kept_carries_)
        used[at(a_.body.outputs()[static_cast<size_t>(c)].value)] = true;
      for (const Value v : stacks_) used[at(v)] = true;
      for (size_t i = a_.body.nodes().size(); i-- > 0;) {
        const Node& node = a_.body.nodes()[i];
        bool needed = false;
        for (const Value v : node.results) needed = needed || used[at(v)];
        if (!needed || a_.place[i] != Place::loop || a_.is_accumulating_add(i)) {
          contributes_[i] = 1;
          continue;
        }
        for (const Value v : node.operands) used[at(v)] = true;
      }
    }
    return contributes_[n] != 0;
  }

  // Sum over all steps of a body value.
  Value summed(Value v) {
    const Node& node = *a_.body.producer(v);
    const size_t n = static_cast<size_t>(a_.body.info(v).node);
    const size_t r = static_cast<size_t>(a_.body.info(v).index);
    const auto sum_lifted = [&] {
      Outside o = outside(v);
      if (a_.parts.has_lengths && !o.zero && a_.dead.zero[at(v)]) o.value = zero_ended(o.value);
      return b().sum(o.value, {0});
    };
    if (a_.place[n] == Place::before) return sum_lifted();
    switch (a_.sum_step(node, r)) {
      case SumStep::add: {
        const Value x = summed(node.operands[0]), y = summed(node.operands[1]);
        b().from = node.from;
        return b().emit(*node.op, {{x}, {y}}, node.attrs);
      }
      case SumStep::linear: {
        const Value x = summed(node.operands[0]);
        b().from = node.from;
        return b().emit(*node.op, {{x}}, node.attrs);
      }
      case SumStep::rule:
        return emit_summed(node, r);
      default:
        break;
    }
    if (a_.place[n] == Place::loop) {  // each, but not placed after: do it here
      Values operands;
      Flags lifted;
      for (const Value x : node.operands) {
        const Outside o = outside(x);
        operands.push_back(o.value);
        lifted.push_back(o.lifted);
      }
      b().from = node.from;
      const Lift lift{OpView(a_.body, node), b(), a_.parts.steps, operands, lifted};
      return b().sum(batching_rule(*node.op)->emit(lift, {Want::each})[r], {0});
    }
    return sum_lifted();
  }

  // All results of a node that are wanted summed come from one node outside (attention_grad).
  Value emit_summed(const Node& node, size_t result) {
    const auto key = std::pair{a_.body.info(node.results[result]).node, static_cast<int>(result)};
    if (const auto it = sums_.find(key); it != sums_.end()) return it->second;
    Wants wants(node.results.size(), Want::nothing);
    for (size_t r = 0; r < wants.size(); ++r)
      if (std::find(summed_results_.begin(), summed_results_.end(), node.results[r]) !=
          summed_results_.end())
        wants[r] = Want::sum;
    Values operands;
    Flags lifted;
    for (const Value x : node.operands) {
      const Outside o = outside(x);
      operands.push_back(o.value);
      lifted.push_back(o.lifted);
    }
    b().from = node.from;
    const Lift lift{OpView(a_.body, node), b(), a_.parts.steps, operands, lifted};
    const Values made = batching_rule(*node.op)->emit(lift, wants);
    for (size_t r = 0; r < wants.size(); ++r)
      if (wants[r] == Want::sum) sums_[{key.first, static_cast<int>(r)}] = made[r];
    return made[result];
  }

  void emit_after() {
    results_.assign(scan_.results.size(), {});
    for (size_t k = 0; k < kept_carries_.size(); ++k)
      results_[static_cast<size_t>(kept_carries_[k])] = loop_results_[k];
    for (size_t c = 0; c < a_.accumulator.size(); ++c) {
      if (a_.accumulator[c] < 0) continue;
      const Value total = summed(a_.contribution(c));
      b().from = a_.body.nodes()[static_cast<size_t>(a_.accumulator[c])].from;
      const Value before = outer_operand("carries", static_cast<int>(c));
      // A sum that starts from 0 is what is added up.
      const bool from_zero =
          scalar_constant(b().graph(), before) == 0.0 && b().type(before) == b().type(total);
      results_[c] = from_zero ? total : b().add(before, total);
    }
    for (int i = 0; i < a_.parts.stacked; ++i) {
      const Value v = a_.body.outputs()[static_cast<size_t>(a_.parts.carries + i)].value;
      Outside o = outside(v);
      b().from = a_.body.producer(v) != nullptr ? a_.body.producer(v)->from : scan_.from;
      if (!o.lifted) {
        Shape shape = b().type(o.value).shape;
        shape.insert(shape.begin(), a_.parts.steps);
        o.value = b().broadcast(o.value, shape);
      }
      if (a_.parts.has_lengths && !o.zero) o.value = zero_ended(o.value);
      results_[static_cast<size_t>(a_.parts.carries + i)] =
          from_front(o.value, a_.parts.out_axes[static_cast<size_t>(i)]);
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
  OpView view_;
  const LoopPlaces a_;
  std::map<int, Outside> outside_;
  std::vector<Value> stacks_;  // body values the loop stacks, in order
  std::vector<int> kept_carries_;
  Values loop_results_;  // kept carries, then stacks
  std::vector<char> contributes_;
  std::vector<Value> summed_results_;  // body values whose sum a batching rule makes outside
  std::map<std::pair<int, int>, Value> sums_;
  Value live_;
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
