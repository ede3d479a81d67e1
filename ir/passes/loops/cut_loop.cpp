// ir/passes/loops/cut_loop.cpp -- one loop becomes two, where some of its carries do without the others.
#include "ir/passes/loops/cut_loop.h"

#include "ir/passes/clean/dce.h"
#include "ir/passes/padding/ended_rows.h"

#include <algorithm>

namespace weft::ir {
namespace {

using Set = std::vector<bool>;

size_t at(Value v) { return static_cast<size_t>(v.id); }
size_t at(int i) { return static_cast<size_t>(i); }

bool any(const Set& s) { return std::find(s.begin(), s.end(), true) != s.end(); }
bool within(const Set& a, const Set& b) {
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i] && !b[i]) return false;
  return true;
}
void add(Set& a, const Set& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] = a[i] || b[i];
}

class Cutter {
 public:
  Cutter(Rewriter& outer, const Node& scan, const LoopPlaces& places, PassContext& context)
      : outer_(outer), scan_(scan), a_(places), body_(places.body), context_(context) {}

  std::optional<Values> run() {
    if (a_.parts.carries < 2) return std::nullopt;
    mark_needs();
    for (const Set& first : candidates())
      if (cut(first)) return emit();
    return std::nullopt;
  }

 private:
  Value yielded(int carry) const { return body_.outputs()[at(carry)].value; }
  bool is_carry(Value v) const {
    const int i = body_.argument_index(v);
    return i >= 0 && i < a_.parts.carries;
  }

  // Of each value, the carries it is made from.
  void mark_needs() {
    needs_.assign(at(body_.value_count()), Set(at(a_.parts.carries)));
    for (int c = 0; c < a_.parts.carries; ++c)
      needs_[at(body_.arguments()[at(c)].value)][at(c)] = true;
    for (const Node& node : body_.nodes()) {
      Set all(at(a_.parts.carries));
      for (const Value v : node.operands) add(all, needs_[at(v)]);
      for (const Value v : node.results) needs_[at(v)] = all;
    }
  }

  // Sets of carries that need no others, each with what one carry needs; the smallest first.
  std::vector<Set> candidates() const {
    std::vector<Set> sets;
    for (int c = 0; c < a_.parts.carries; ++c) {
      Set all(at(a_.parts.carries));
      all[at(c)] = true;
      for (bool grew = true; grew;) {
        grew = false;
        for (int d = 0; d < a_.parts.carries; ++d)
          if (all[at(d)] && !within(needs_[at(yielded(d))], all)) {
            add(all, needs_[at(yielded(d))]);
            grew = true;
          }
      }
      if (std::find(all.begin(), all.end(), false) == all.end()) continue;
      if (std::find(sets.begin(), sets.end(), all) == sets.end()) sets.push_back(all);
    }
    std::stable_sort(sets.begin(), sets.end(), [](const Set& x, const Set& y) {
      return std::count(x.begin(), x.end(), true) < std::count(y.begin(), y.end(), true);
    });
    return sets;
  }

  Set ancestors(Values wanted, bool of_second) {
    Set nodes(body_.nodes().size());
    while (!wanted.empty()) {
      const Value v = wanted.back();
      wanted.pop_back();
      if (of_second && crosses(v)) {
        if (std::find(crossing_.begin(), crossing_.end(), v) == crossing_.end())
          crossing_.push_back(v);
        continue;
      }
      const int n = body_.info(v).node;
      if (n < 0 || nodes[at(n)]) continue;
      nodes[at(n)] = true;
      for (const Value x : body_.nodes()[at(n)].operands) wanted.push_back(x);
    }
    return nodes;
  }

  // Made by the first loop and read by the second; what is cheap and made from no carry is made
  // again.
  bool crosses(Value v) const {
    const int n = body_.info(v).node;
    if (n < 0) return is_carry(v) && first_[at(body_.argument_index(v))];
    return in_first_[at(n)] && (any(needs_[at(v)]) || is_heavy(body_.nodes()[at(n)]));
  }

  bool cut(const Set& first) {
    first_ = first;
    crossing_.clear();
    Values kept, others;
    for (int c = 0; c < a_.parts.carries; ++c)
      (first_[at(c)] ? kept : others).push_back(yielded(c));
    in_first_ = ancestors(kept, false);
    Set feeds_second = ancestors(others, true);  // not merely stacked: that leaves without a cut
    const Set first_nodes = in_first_;
    bool worthwhile = false;
    for (size_t n = 0; n < feeds_second.size() && !worthwhile; ++n) {
      const Node& node = body_.nodes()[n];
      const Set& needs = node.results.empty() ? first_ : needs_[at(node.results[0])];
      worthwhile = feeds_second[n] && is_heavy(node) && any(needs) && within(needs, first_) &&
                   a_.can_batch_each(node);
    }
    if (!worthwhile) return false;
    for (int i = 0; i < a_.parts.stacked; ++i) {
      const Value v = body_.outputs()[at(a_.parts.carries + i)].value;
      if (!of_first(v)) others.push_back(v);
    }
    crossing_.clear();
    in_second_ = ancestors(others, true);
    if (std::any_of(crossing_.begin(), crossing_.end(),
                    [this](Value v) { return !a_.stackable(v); }))
      return false;
    return !a_.parts.has_lengths || mixes_ended_rows(body_, a_.batch, a_.live) == nullptr;
  }

  // A stacked output that the first loop makes.
  bool of_first(Value v) const {
    const int n = body_.info(v).node;
    return n < 0 ? is_carry(v) && first_[at(body_.argument_index(v))] : bool(in_first_[at(n)]);
  }

  Value outer_operand(int i) const { return outer_(scan_.operands[at(i)]); }

  struct Stack {
    Value value;
    int64_t axis;
  };

  // A loop over these nodes; `stacked_before` gives values of the body that lie stacked already.
  Values make_loop(const Set& nodes, const std::vector<int>& carries,
                   const std::vector<std::pair<Value, Value>>& stacked_before,
                   const std::vector<Stack>& stacks) {
    Set read(at(body_.value_count()));
    for (size_t n = 0; n < nodes.size(); ++n)
      if (nodes[n])
        for (const Value v : body_.nodes()[n].operands) read[at(v)] = true;
    for (const int c : carries) read[at(yielded(c))] = true;
    for (const Stack& s : stacks) read[at(s.value)] = true;

    Graph body;
    body.name = body_.name;
    Values map(at(body_.value_count()));
    OperandGroups groups(4);
    Integers axes, out_axes;
    const auto argument = [&](Value v) {
      map[at(v)] = body.add_argument(body_.type(v), body_.info(v).name);
    };
    for (const int c : carries) {
      argument(body_.arguments()[at(c)].value);
      groups[0].push_back(outer_operand(c));
    }
    for (int k = 0; k < a_.parts.scanned; ++k) {
      const int i = a_.parts.carries + k;
      if (!read[at(body_.arguments()[at(i)].value)]) continue;
      argument(body_.arguments()[at(i)].value);
      groups[1].push_back(outer_operand(i));
      axes.push_back(a_.parts.axes[at(k)]);
    }
    for (const auto& [inside, outside] : stacked_before) {
      if (!read[at(inside)]) continue;
      argument(inside);
      groups[1].push_back(outside);
      axes.push_back(0);
    }
    for (int k = 0; k < a_.parts.invariants; ++k) {
      const int i = a_.parts.carries + a_.parts.scanned + k;
      if (!read[at(body_.arguments()[at(i)].value)]) continue;
      argument(body_.arguments()[at(i)].value);
      groups[2].push_back(outer_operand(i));
    }
    if (a_.parts.has_lengths) {
      argument(a_.live);
      groups[3].push_back(outer_operand(static_cast<int>(scan_.operands.size()) - 1));
    }
    for (size_t n = 0; n < nodes.size(); ++n) {
      const Node& node = body_.nodes()[n];
      if (!nodes[n] && !is_trivial(node)) continue;
      Values operands;
      for (const Value v : node.operands) operands.push_back(map[at(v)]);
      const Values made = body.add_copy(body_, node, operands);
      for (size_t r = 0; r < made.size(); ++r)
        if (!map[at(node.results[r])].valid()) map[at(node.results[r])] = made[r];
    }
    const auto yield = [&](Value v) {
      body.add_output("r" + std::to_string(body.outputs().size()), map[at(v)]);
    };
    for (const int c : carries) yield(yielded(c));
    for (const Stack& s : stacks) {
      yield(s.value);
      out_axes.push_back(s.axis);
    }
    body = drop_dead(body);
    outer_.builder.from = scan_.from;
    std::vector<bool> row_carry;
    for (const int c : carries) row_carry.push_back(a_.parts.row_carry[at(c)]);
    const Attrs attrs = ops::scan_attrs(outer_.builder.graph(), groups, axes, out_axes,
                                        a_.parts.reverse, a_.parts.steps, row_carry);
    return outer_.builder.emit_all(ops::scan, groups, attrs, {std::move(body)});
  }

  Values emit() {
    std::vector<int> carries[2];
    for (int c = 0; c < a_.parts.carries; ++c) carries[first_[at(c)] ? 0 : 1].push_back(c);
    std::vector<Stack> stacks[2];
    std::vector<std::pair<int, size_t>> stacked_by;  // of each stacked output: loop, position
    for (int i = 0; i < a_.parts.stacked; ++i) {
      const Value v = body_.outputs()[at(a_.parts.carries + i)].value;
      const int loop = of_first(v) ? 0 : 1;
      stacked_by.emplace_back(loop, stacks[loop].size());
      stacks[loop].push_back({v, a_.parts.out_axes[at(i)]});
    }
    std::vector<size_t> position;  // of what crosses, among the first loop's stacks
    for (const Value v : crossing_) {
      const auto found = std::find_if(stacks[0].begin(), stacks[0].end(),
                                      [&](const Stack& s) { return s.value == v && s.axis == 0; });
      position.push_back(static_cast<size_t>(found - stacks[0].begin()));
      if (found == stacks[0].end()) stacks[0].push_back({v, 0});
    }
    Values made[2];
    made[0] = make_loop(in_first_, carries[0], {}, stacks[0]);
    std::vector<std::pair<Value, Value>> between;
    for (size_t i = 0; i < crossing_.size(); ++i) {
      const Value whole = made[0][carries[0].size() + position[i]];
      if (outer_.builder.graph().info(whole).name.empty())
        outer_.builder.graph().set_name(whole, body_.info(crossing_[i]).name);
      between.emplace_back(crossing_[i], whole);
    }
    made[1] = make_loop(in_second_, carries[1], between, stacks[1]);

    Values results(scan_.results.size());
    for (int loop = 0; loop < 2; ++loop)
      for (size_t k = 0; k < carries[loop].size(); ++k)
        results[at(carries[loop][k])] = made[loop][k];
    for (size_t i = 0; i < stacked_by.size(); ++i) {
      const auto [loop, k] = stacked_by[i];
      results[at(a_.parts.carries) + i] = made[loop][carries[loop].size() + k];
    }
    std::string names;
    for (const int c : carries[0])
      names += (names.empty() ? "" : ", ") + body_.display_name(body_.arguments()[at(c)].value);
    context_.done("split_scan", where(scan_) + ": cut in two: " + names +
                                    (carries[0].size() == 1 ? " does" : " do") +
                                    " without the other carries and " +
                                    (carries[0].size() == 1 ? "runs" : "run") + " first");
    return results;
  }

  Rewriter& outer_;
  const Node& scan_;
  const LoopPlaces& a_;
  const Graph& body_;
  PassContext& context_;
  std::vector<Set> needs_;
  Set first_;                 // by carry
  Set in_first_, in_second_;  // by node
  Values crossing_;
};

}  // namespace

std::optional<Values> cut_loop(Rewriter& outer, const Node& scan, const LoopPlaces& places,
                               PassContext& context) {
  return Cutter(outer, scan, places, context).run();
}

}  // namespace weft::ir
