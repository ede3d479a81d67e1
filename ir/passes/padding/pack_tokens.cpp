// ir/passes/padding/pack_tokens.cpp -- work batched over time runs on the real tokens only.
#include "ir/passes/padding/pack_tokens.h"

#include "ir/ops/all.h"
#include "ir/passes/padding/pack_choice.h"
#include "ir/rewrite/rewrite.h"
#include "ir/rules/distinct_axes.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace weft::ir {
namespace {

constexpr std::string_view kName = "pack_tokens";

// Where a loop runs over them their rows are packed step by step, else one sequence after the
// other.
std::vector<Sequences> sequences_of(const Graph& g) {
  std::vector<Sequences> all;
  const auto scans = [&](Value lengths) {
    return std::any_of(g.nodes().begin(), g.nodes().end(), [&](const Node& node) {
      return node.op == &ops::scan && OpView(g, node).has("lengths") &&
             node.operands.back() == lengths;
    });
  };
  const auto add = [&](Value lengths, const Dim& steps) {
    const Sequences s{lengths, steps, g.type(lengths).dim(0), !scans(lengths)};
    if (std::find(all.begin(), all.end(), s) == all.end()) all.push_back(s);
  };
  for (const Node& node : g.nodes()) {
    const OpView op(g, node);
    if (node.op == &ops::scan && op.has("lengths"))
      add(node.operands[static_cast<size_t>(op.position("lengths"))], ops::ScanParts(op).steps);
    else if (node.op == &ops::length_mask && op.operand(0).rank() == 1)
      add(node.operands[0], op.dim("size"));
  }
  return all;
}

class Packing {
 public:
  Packing(const Graph& g, const Sequences& s, const PackChoice& choice)
      : g_(g), s_(s), choice_(choice), r_(g) {}

  Graph run() {
    for (size_t n = 0; n < g_.nodes().size(); ++n) {
      const Node& node = g_.nodes()[n];
      if (!choice_.packs(n)) {
        r_.copy(node);
        continue;
      }
      r_.at(node);
      const Values made = emit(node, choice_.summed(n));
      for (size_t i = 0; i < made.size(); ++i) finish(node.results[i], made[i], choice_.summed(n));
    }
    return r_.finish();
  }

 private:
  Builder& build() { return r_.builder; }

  // Is row-wise result `v` of a packed node read by one that is not?
  bool is_read_unpacked(Value v) const {
    for (size_t n = 0; n < g_.nodes().size(); ++n)
      if (!choice_.packs(n) &&
          std::find(g_.nodes()[n].operands.begin(), g_.nodes()[n].operands.end(), v) !=
              g_.nodes()[n].operands.end())
        return true;
    return std::any_of(g_.outputs().begin(), g_.outputs().end(),
                       [&](const Output& o) { return o.value == v; });
  }

  void finish(Value old, Value made, bool summed) {
    if (summed) return r_.replace(old, made);
    packed_[old] = made;
    if (!is_read_unpacked(old)) return;
    Value back = build().emit(ops::unpack, {{made}, {r_(s_.lengths)}},
                              {{"steps", s_.steps}, {"by_sequence", s_.by_sequence}});
    if (choice_.form(old).by_sequence != s_.by_sequence) back = steps_swapped(back);
    r_.replace(old, build().reshape(back, g_.type(old).shape));
  }

  // Shape of a value's rows, packed.
  Shape packed_shape(Value v) const {
    const Shape& whole = g_.type(v).shape;
    Shape shape{s_.steps * s_.batch};
    shape.insert(shape.end(), whole.begin() + choice_.form(v).axes, whole.end());
    return shape;
  }

  Value packed(Value old) {
    if (const auto known = packed_.find(old); known != packed_.end()) return known->second;
    const auto [axes, by_sequence] = choice_.form(old);
    Value x = r_(old);
    if (axes == 1) {
      Shape shape = g_.type(old).shape;
      shape[0] = by_sequence ? s_.batch : s_.steps;
      shape.insert(shape.begin() + 1, by_sequence ? s_.steps : s_.batch);
      x = build().reshape(x, shape);
    }
    return packed_[old] = pack(x, by_sequence);
  }
  Value pack(Value x, bool by_sequence) {
    return build().emit(ops::pack,
                        {{by_sequence == s_.by_sequence ? x : steps_swapped(x)}, {r_(s_.lengths)}},
                        {{"by_sequence", s_.by_sequence}});
  }
  Value steps_swapped(Value x) {
    Integers perm(static_cast<size_t>(build().type(x).rank()));
    std::iota(perm.begin(), perm.end(), 0);
    std::swap(perm[0], perm[1]);
    return build().transpose(x, perm);
  }

  // Does this slice take all that is wanted of columns nobody has packed? They are cut first then.
  bool cuts_first(const Node& node) const {
    const Value x = node.operands[0];
    if (node.op != &ops::slice || choice_.form(x).axes != 2 || packed_.count(x) != 0) return false;
    for (size_t n = 0; n < g_.nodes().size(); ++n) {
      const Values& operands = g_.nodes()[n].operands;
      if (&g_.nodes()[n] != &node && choice_.packs(n) &&
          std::find(operands.begin(), operands.end(), x) != operands.end())
        return false;
    }
    return true;
  }

  // An operand of an elementwise op on [T,B,...] that has not got all of these axes.
  Value converted(Value old, const TensorType& result, bool by_sequence) {
    const TensorType& t = g_.type(old);
    if (t.rank() + 2 <= result.rank()) return r_(old);
    Shape shape(static_cast<size_t>(result.rank() - t.rank()), Dim(1));
    shape.insert(shape.end(), t.shape.begin(), t.shape.end());
    if (shape[0].is(1) && shape[1].is(1)) {
      shape.erase(shape.begin());
      return build().reshape(r_(old), shape);
    }
    const Value x = build().reshape(r_(old), shape);
    shape[0] = by_sequence ? s_.batch : s_.steps;
    shape[1] = by_sequence ? s_.steps : s_.batch;
    return pack(build().broadcast(x, shape), by_sequence);
  }

  Values emit(const Node& node, bool summed) {
    const OpView op(g_, node);
    RowAxes k;
    for (const Value v : node.operands)
      if (choice_.form(v).axes > 0) k = choice_.form(v);
    if (cuts_first(node))
      return {pack(build().emit(ops::slice, {{r_(node.operands[0])}}, node.attrs), k.by_sequence)};
    Values operands;
    for (const Value v : node.operands)
      operands.push_back(choice_.form(v).axes > 0 ? packed(v)
                         : node.op->elementwise && k.axes == 2
                             ? converted(v, op.result(), k.by_sequence)
                             : r_(v));
    if (node.op == &ops::reshape)
      return {build().reshape(operands[0], packed_shape(node.results[0]))};
    if (node.op == &ops::broadcast)
      return {build().broadcast(operands[0], packed_shape(node.results[0]))};
    if (node.op == &ops::transpose) {
      const Integers& perm = op.integers("perm");
      return {build().transpose(operands[0], k.axes == 2 ? without_second(perm) : perm)};
    }
    Attrs attrs = node.attrs;
    if (k.axes == 2 && node.op == &ops::sum && summed) attrs.set("axes", without_second(op.axes()));
    OperandGroups groups;
    for (size_t i = 0, first = 0; i < node.group_sizes.size();
         first += static_cast<size_t>(node.group_sizes[i]), ++i)
      groups.emplace_back(operands.begin() + static_cast<int64_t>(first),
                          operands.begin() + static_cast<int64_t>(first) + node.group_sizes[i]);
    Values made = build().emit_all(*node.op, groups, attrs);
    if (summed) made[0] = build().reshape(made[0], g_.type(node.results[0]).shape);
    return made;
  }

  // Axes 0 and 1 have become axis 0.
  static Integers without_second(const Integers& axes) {
    Integers out;
    for (const int64_t axis : axes)
      if (axis != 1) out.push_back(axis == 0 ? 0 : axis - 1);
    return out;
  }

  const Graph& g_;
  const Sequences& s_;
  const PackChoice& choice_;
  Rewriter r_;
  std::map<Value, Value> packed_;  // old value -> new, packed
};

// The adjoint of a norm by rows and that by columns in nodes of their own.
Graph norms_apart(const Graph& graph) {
  return rewrite_nodes(graph, [&](Rewriter& r, const Node& node) -> std::optional<Values> {
    if (node.op != &ops::layer_norm_grad && node.op != &ops::rms_norm_grad) return std::nullopt;
    const Texts& wanted = OpView(graph, node).texts("wanted");
    if (wanted.size() < 2 || wanted[0] != "x") return std::nullopt;
    OperandGroups groups;
    for (size_t i = 0, n = 0; i < node.group_sizes.size(); ++i) {
      groups.emplace_back();
      for (int k = 0; k < node.group_sizes[i]; ++k) groups.back().push_back(r(node.operands[n++]));
    }
    Attrs rows = node.attrs, columns = node.attrs;
    rows.set("wanted", Texts{"x"});
    columns.set("wanted", Texts(wanted.begin() + 1, wanted.end()));
    Values made = r.builder.emit_all(*node.op, groups, rows);
    for (const Value v : r.builder.emit_all(*node.op, groups, columns)) made.push_back(v);
    return made;
  });
}

Graph of_distinct(const Graph& graph, PassContext& context) {
  bool done = false;
  Graph out = norms_apart(graph);
  // Values of the old graph mean nothing in the new one: sequences are known by their numbers.
  for (size_t i = 0; i < sequences_of(out).size(); ++i) {
    const Sequences s = sequences_of(out)[i];
    if (out.producer(s.lengths) != nullptr) continue;  // known before anything is packed
    const PackChoice choice = choose_packing(out, s);
    if (choice.count() == 0) continue;
    context.done(kName, concat(choice.count(), " ops work on the tokens within ",
                               out.display_name(s.lengths), " only"));
    out = Packing(out, s, choice).run();
    done = true;
  }
  return done ? out : graph;
}

}  // namespace

Graph pack_tokens(const Graph& graph, PassContext& context) {
  return by_rows(
      graph, [&](const Graph& g) { return of_distinct(g, context); },
      [&] { context.near_miss(kName, std::string(kRowsUnknown)); });
}

}  // namespace weft::ir
