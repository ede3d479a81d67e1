// ir/passes/fuse/cells/find_lstm.cpp -- the equations of an LSTM.
#include "ir/error.h"
#include "ir/passes/fuse/cells/cell_parts.h"
#include "ir/passes/fuse/cells/cells.h"

#include <algorithm>

namespace weft::ir {
namespace {

// c1 = f * c + i * n, h1 = o * tanh(c1), by value.
struct Lstm {
  Value i, f, n, o, c, c1;
};

// Each product's factors, and the products themselves, may stand in either order.
std::optional<Lstm> told_apart(const GraphUses& r, const Match& m) {
  const Value x[2][2] = {{m.old("f"), m.old("c")}, {m.old("i"), m.old("n")}};
  for (const int p : {1, 0})
    for (const int q : {1, 0}) {
      const Value n = x[p][q], i = x[p][1 - q];
      if (!made_by(r, n, ops::tanh) || !made_by(r, i, ops::sigmoid)) continue;
      for (const int s : {0, 1}) {
        const Value f = x[1 - p][s], c = x[1 - p][1 - s];
        if (made_by(r, f, ops::sigmoid)) return Lstm{i, f, n, m.old("o"), c, m.old("c1")};
      }
    }
  return std::nullopt;
}

// The value whose product every gate has: the carry, if there is a choice.
Value hidden_state(const GraphUses& r, const std::vector<Terms>& gates, const TensorType& state,
                   int carries) {
  Value best;
  for (const Term& t : gates[0]) {
    const bool everywhere =
        t.product() && std::all_of(gates.begin(), gates.end(), [&](const Terms& g) {
          return std::count_if(g.begin(), g.end(),
                               [&](const Term& u) { return u.product() && u.left == t.left; }) == 1;
        });
    if (!everywhere || r.graph->type(t.left) != state) continue;
    best = t.left;
    const int argument = r.graph->argument_index(t.left);
    if (argument >= 0 && argument < carries) break;
  }
  return best;
}

}  // namespace

std::optional<Replacement> find_lstm(const GraphUses& r, const Node& root, int index, int carries,
                                     PassContext& context) {
  static const Pattern output = op(
      ops::mul, any("o"),
      op(ops::tanh, op(ops::add, op(ops::mul, any("f"), any("c")), op(ops::mul, any("i"), any("n")))
                        .named("c1"))
          .named("t"));
  const auto m = match(r, output, root.results[0]);
  const auto x = m ? told_apart(r, *m) : std::nullopt;
  if (!x || !made_by(r, x->o, ops::sigmoid)) return std::nullopt;
  const auto miss = [&](const std::string& why) {
    return nearly_a_cell(r, root, "LSTM", why, context);
  };
  const TensorType state = r.graph->type(x->c);
  CellParts parts(r, root, index, m->nodes());
  const std::vector<Terms> all{parts.terms(x->i, ops::sigmoid), parts.terms(x->f, ops::sigmoid),
                               parts.terms(x->n, ops::tanh), parts.terms(x->o, ops::sigmoid)};
  const Value h = hidden_state(r, all, state, carries);
  if (!h.valid()) return miss("its gates have no product with one hidden state in common");
  std::vector<Gate> gates;
  for (const Terms& t : all) gates.push_back(*parts.split(t, h));
  if (!fit(r, gates, state)) return miss("its gates are not all of the state's shape");
  const Value h1 = root.results[0], c = x->c;
  if (const std::string who = parts.read_elsewhere({h1, x->c1}); !who.empty()) return miss(who);
  Replacement out;
  out.outputs = {h1, x->c1};
  out.inputs = {h, c};
  add_inputs(out, gates);
  for (const Value v : out.inputs)
    if (r.depends(v, {r.graph->info(x->c1).node}))
      return miss(concat("its gates read the new cell state through ", r.graph->display_name(v),
                         " (a peephole)"));
  out.nodes = parts.nodes();
  out.build = [gates, h, c, state](Rewriter& rw) {
    Terms recurrent;
    std::vector<Terms> inputs;
    for (const Gate& g : gates) recurrent.push_back(g.recurrent), inputs.push_back(g.inputs);
    const Value u = recurrent_weights(rw, recurrent);
    const Value g = side_by_side(rw, inputs, state);
    return rw.builder.emit_all(ops::lstm_cell, {{g}, {rw(h)}, {rw(c)}, {u}});
  };
  context.done("fuse_cells", concat(where(root), ": ", r.graph->display_name(h1), " and ",
                                    parts.size() - 1, " more became lstm_cell"));
  return out;
}

}  // namespace weft::ir
