// ir/passes/loops/kept_loop.cpp -- the loop that is left: what it stacks, reads, and does.
#include "ir/passes/loops/kept_loop.h"

#include "ir/passes/clean/drop_unused_results.h"

#include <algorithm>

namespace weft::ir {
namespace {

size_t at(Value v) { return static_cast<size_t>(v.id); }

void add_once(Values& list, Value v) {
  if (std::find(list.begin(), list.end(), v) == list.end()) list.push_back(v);
}

// What is read by what moves after the loop, or by contributions.
class Stacks {
 public:
  Stacks(const LoopPlaces& places, KeptLoop& kept) : a_(places), kept_(kept) {}

  void find() {
    for (size_t c = 0; c < a_.accumulator.size(); ++c)
      if (a_.accumulator[c] >= 0) want_sum(a_.contribution(c));
    for (size_t n = 0; n < a_.body.nodes().size(); ++n)
      if (a_.place[n] == Place::after)
        for (const Value v : a_.body.nodes()[n].operands) want(v);
    for (int i = 0; i < a_.parts.stacked; ++i)
      want(a_.body.outputs()[static_cast<size_t>(a_.parts.carries + i)].value);
  }

 private:
  void want(Value v) {
    if (a_.of_loop(v)) add_once(kept_.stacks, v);
  }

  void want_sum(Value v) {
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
        kept_.summed.push_back(v);
        [[fallthrough]];
      default:
        for (const Value x : node.operands) want(x);
    }
  }

  const LoopPlaces& a_;
  KeptLoop& kept_;
};

class Writer {
 public:
  Writer(const LoopPlaces& places, const KeptLoop& kept, const Node& scan, LiftedValues& outside)
      : a_(places),
        kept_(kept),
        scan_(scan),
        outside_(outside),
        map_(static_cast<size_t>(places.body.value_count())) {
    mark_kept_nodes();
    find_reads();
  }

  Values emit() {
    body_.name = a_.body.name;
    add_arguments();
    copy_nodes();
    for (const int c : kept_.carries) yield(yielded(c));
    for (const Value v : kept_.stacks) yield(v);
    Builder& b = outside_.builder();
    b.from = scan_.from;
    const std::vector<bool> rows = row_carries();
    std::vector<Graph> regions{finished_body(rows)};
    const Attrs attrs = ops::scan_attrs(b.graph(), groups_, axes_, Integers(kept_.stacks.size(), 0),
                                        a_.parts.reverse, a_.parts.steps, rows);
    return b.emit_all(ops::scan, groups_, attrs, std::move(regions));
  }

 private:
  Value yielded(int carry) const { return a_.body.outputs()[static_cast<size_t>(carry)].value; }

  // Those that a kept carry or a stack needs. Others are read only as contributions (or by nodes of
  // which that holds), so they are done outside.
  void mark_kept_nodes() {
    kept_nodes_.assign(a_.body.nodes().size(), false);
    std::vector<bool> used(static_cast<size_t>(a_.body.value_count()));
    for (const int c : kept_.carries) used[at(yielded(c))] = true;
    for (const Value v : kept_.stacks) used[at(v)] = true;
    for (size_t n = a_.body.nodes().size(); n-- > 0;) {
      const Node& node = a_.body.nodes()[n];
      const bool needed = std::any_of(node.results.begin(), node.results.end(),
                                      [&](Value v) { return used[at(v)]; });
      if (!needed || a_.place[n] != Place::loop || a_.is_accumulating_add(n)) continue;
      kept_nodes_[n] = !is_trivial(node);
      for (const Value v : node.operands) used[at(v)] = true;
    }
  }

  // Which values of outside the loop's nodes read.
  void find_reads() {
    for (size_t n = 0; n < a_.body.nodes().size(); ++n)
      if (kept_nodes_[n])
        for (const Value v : a_.body.nodes()[n].operands) reads(v);
    for (const int c : kept_.carries) reads(yielded(c));
  }
  void reads(Value v) {
    const Node* p = a_.body.producer(v);
    if (p != nullptr && (is_trivial(*p) || a_.place_of(v) == Place::loop)) return;
    if (p == nullptr && (a_.body.argument_index(v) < a_.parts.carries || v == a_.live)) return;
    const bool once = a_.invariant[at(v)] || (p != nullptr && a_.place_of(v) == Place::hoisted);
    add_once(once ? invariants_ : scanned_, v);
  }

  void argument(Value v) {
    map_[at(v)] = body_.add_argument(a_.body.type(v), a_.body.info(v).name);
  }

  void add_arguments() {
    for (const int c : kept_.carries) {
      argument(a_.body.arguments()[static_cast<size_t>(c)].value);
      groups_[0].push_back(outside_.operand("carries", c));
    }
    for (const Value v : scanned_) {
      argument(v);
      const int k =
          a_.body.producer(v) == nullptr ? a_.body.argument_index(v) - a_.parts.carries : -1;
      groups_[1].push_back(k >= 0 ? outside_.operand("scanned", k) : outside_(v).value);
      axes_.push_back(k >= 0 ? a_.parts.axes[static_cast<size_t>(k)] : 0);
    }
    for (const Value v : invariants_) {
      argument(v);
      groups_[2].push_back(outside_(v).value);
    }
    if (!a_.parts.has_lengths) return;
    argument(a_.live);
    groups_[3].push_back(outside_.operand("lengths", 0));
  }

  void copy_nodes() {
    for (size_t n = 0; n < a_.body.nodes().size(); ++n) {
      const Node& node = a_.body.nodes()[n];
      if (!is_trivial(node) && !kept_nodes_[n]) continue;
      Values operands;
      for (const Value v : node.operands) operands.push_back(map_[at(v)]);
      const Values made = body_.add_copy(a_.body, node, operands);
      for (size_t i = 0; i < made.size(); ++i) map_[at(node.results[i])] = made[i];
    }
  }

  void yield(Value v) {
    body_.add_output("r" + std::to_string(body_.outputs().size()), map_[at(v)]);
  }

  std::vector<bool> row_carries() const {
    std::vector<bool> rows;
    for (const int c : kept_.carries) rows.push_back(a_.parts.row_carry[static_cast<size_t>(c)]);
    return rows;
  }

  Graph finished_body(const std::vector<bool>& rows) const {
    Graph body = drop_unused_results(drop_dead(body_));
    if (!a_.parts.has_lengths) return body;
    return drop_live_selects(body, rows, a_.batch, body.arguments().back().value);
  }

  const LoopPlaces& a_;
  const KeptLoop& kept_;
  const Node& scan_;
  LiftedValues& outside_;
  std::vector<bool> kept_nodes_;
  Values scanned_, invariants_;  // values of the body that come from outside
  Graph body_;
  Values map_;  // by value of the old body
  OperandGroups groups_{4};
  Integers axes_;
};

}  // namespace

KeptLoop kept_loop(const LoopPlaces& places) {
  KeptLoop kept;
  Stacks(places, kept).find();
  for (int c = 0; c < places.parts.carries; ++c)
    if (places.accumulator[static_cast<size_t>(c)] < 0) kept.carries.push_back(c);
  return kept;
}

Values emit_kept_loop(const LoopPlaces& places, const KeptLoop& kept, const Node& scan,
                      LiftedValues& outside) {
  return Writer(places, kept, scan, outside).emit();
}

}  // namespace weft::ir
