// ir/passes/fuse/fuse_cells.cpp -- the equations of GRU and LSTM cells become one op.
#include "ir/passes/fuse/fuse_cells.h"

#include "ir/error.h"
#include "ir/passes/fuse/gate_terms.h"
#include "ir/passes/loops/regions.h"

#include <algorithm>

namespace weft::ir {
namespace {

// The terms of a gate without the recurrent product, and that.
struct Gate {
  Terms inputs;
  Term recurrent;
};

class CellFinder {
 public:
  // `carries`: how many of the graph's first arguments a loop carries.
  CellFinder(const Readers& readers, PassContext& context, int carries)
      : r_(readers), context_(context), carries_(carries) {}

  std::optional<Replacement> gru(const Node& root, int index) {
    for (const Pattern& update : updates()) {
      if (root.op != update.parts().op) continue;
      const auto m = match(r_, update, root.results[0]);
      if (!m) continue;
      const Value from = m->old("from"), to = m->old("to");
      if (const bool new_is_to = is_tanh(to); new_is_to || is_tanh(from)) {
        start(root, index, m->nodes());
        if (auto r = gru_of(m->old("z"), new_is_to ? to : from, new_is_to ? from : to, new_is_to))
          return r;
      }
    }
    return std::nullopt;
  }

  std::optional<Replacement> lstm(const Node& root, int index) {
    static const Pattern output = op(ops::mul, any("o"),
                                     op(ops::tanh, op(ops::add, op(ops::mul, any("f"), any("c")),
                                                      op(ops::mul, any("i"), any("n")))
                                                       .named("c1"))
                                         .named("t"));
    const auto m = match(r_, output, root.results[0]);
    if (!m) return std::nullopt;
    // Each product's factors, and the products themselves, may stand in either order.
    const Value x[2][2] = {{m->old("f"), m->old("c")}, {m->old("i"), m->old("n")}};
    for (const int p : {1, 0})
      for (const int q : {1, 0}) {
        const Value n = x[p][q], i = x[p][1 - q];
        if (!is_tanh(n) || !is_sigmoid(i)) continue;
        for (const int s : {0, 1}) {
          const Value f = x[1 - p][s], c = x[1 - p][1 - s];
          if (!is_sigmoid(f)) continue;
          start(root, index, m->nodes());
          return lstm_of(i, f, n, m->old("o"), c, m->old("c1"));
        }
      }
    return std::nullopt;
  }

 private:
  static const std::vector<Pattern>& updates() {
    const Pattern z = any("z"), from = any("from"), to = any("to");
    static const std::vector<Pattern> list{
        op(ops::add, from, op(ops::mul, z, op(ops::sub, to, from))),  // x + z (y - x)
        op(ops::sub, from, op(ops::mul, z, op(ops::sub, from, to))),  // x - z (x - y)
        op(ops::add, op(ops::mul, op(ops::sub, scalar(1.0), z), from),
           op(ops::mul, z, to)),  // (1-z) x + z y
        op(ops::add, op(ops::sub, from, op(ops::mul, z, from)),
           op(ops::mul, z, to)),  // x - z x + z y
    };
    return list;
  }

  void start(const Node& root, int index, const std::vector<int>& matched) {
    root_ = &root;
    nodes_ = matched;
    std::erase(nodes_, index);
    nodes_.insert(nodes_.begin(), index);
    inner_ = nodes_;
  }

  bool made_by(Value v, const OpDef& op) const {
    std::vector<int> nodes;
    return through(r_, op, all_lanes_or_none(v), nodes).v.valid();
  }
  Lanes all_lanes_or_none(Value v) const {
    return r_.graph->type(v).rank() > 0 ? all_lanes(r_, v) : Lanes{v, 0, 0};
  }
  bool is_tanh(Value v) const { return made_by(v, ops::tanh); }
  bool is_sigmoid(Value v) const { return made_by(v, ops::sigmoid); }

  std::optional<Replacement> miss(std::string_view cell, const std::string& why) {
    context_.near_miss("fuse_cells",
                       concat(where(*root_), ": ", r_.graph->display_name(root_->results[0]),
                              " is nearly a ", cell, ", but ", why));
    return std::nullopt;
  }
  std::string name(Value v) const { return r_.graph->display_name(v); }

  // The terms of sigmoid's or tanh's operand where `v` is (lanes of) its result.
  Terms terms(Value v, const OpDef& activation) {
    std::vector<int> seen;
    const Lanes lanes = through(r_, activation, all_lanes(r_, v), seen);
    inner_.insert(inner_.end(), seen.begin(), seen.end());
    nodes_.insert(nodes_.end(), seen.begin(), seen.end());
    Terms list;
    collect_terms(r_, lanes, list, nodes_);
    return list;
  }

  // Takes the product with `state` out of a gate's terms.
  std::optional<Gate> split(Terms list, Value state) {
    const auto is_recurrent = [&](const Term& t) { return t.product() && t.left == state; };
    if (std::count_if(list.begin(), list.end(), is_recurrent) != 1) return std::nullopt;
    const auto it = std::find_if(list.begin(), list.end(), is_recurrent);
    Gate gate{{}, *it};
    list.erase(it);
    gate.inputs = std::move(list);
    if (!gate.recurrent.some_rows) {
      nodes_.push_back(r_.graph->info(gate.recurrent.v).node);
      inner_.push_back(nodes_.back());
    }
    return gate;
  }

  // Every value of the cell that it alone should compute, but for its results; null: none is read
  // elsewhere.
  std::string read_elsewhere(const Values& results) {
    for (const int n : inner_)
      for (const Value v : r_.graph->nodes()[static_cast<size_t>(n)].results) {
        if (std::find(results.begin(), results.end(), v) != results.end()) continue;
        for (const int reader : r_.of(v))
          if (reader < 0 || std::find(nodes_.begin(), nodes_.end(), reader) == nodes_.end())
            return concat(
                name(v), " is read elsewhere, by ",
                reader < 0
                    ? "a result of the graph"
                    : concat("'", r_.graph->nodes()[static_cast<size_t>(reader)].op->name, "' ",
                             name(r_.graph->nodes()[static_cast<size_t>(reader)].results[0])));
      }
    return {};
  }

  bool right_shapes(const std::vector<Gate>& gates, const TensorType& state) const {
    const auto fits = [&](const Term& t) {
      const TensorType& x = r_.graph->type(t.v);
      return t.stop - t.start == state.dim(-1) &&
             (x.rank() == 1 || (x.rank() == 2 && (x.dim(0) == state.dim(0) || x.dim(0).is(1))));
    };
    return state.rank() == 2 && is_float(state.dtype) &&
           std::all_of(gates.begin(), gates.end(), [&](const Gate& g) {
             return fits(g.recurrent) && std::all_of(g.inputs.begin(), g.inputs.end(), fits);
           });
  }

  static void negate(Gate& gate) {
    for (Term& t : gate.inputs) t.negated = true;
    gate.recurrent.negated = true;
  }

  static void add_inputs(Replacement& r, const Terms& terms) {
    for (const Term& t : terms) {
      // Of a product with a concat only the part and the weight are read.
      if (!t.some_rows) r.inputs.push_back(t.v);
      if (t.product()) r.inputs.push_back(t.left), r.inputs.push_back(t.w);
    }
  }

  // --- GRU

  std::optional<Replacement> gru_of(Value z, Value n, Value s, bool towards_new) {
    if (!is_sigmoid(z)) return std::nullopt;
    const TensorType state = r_.graph->type(s);
    Terms candidate = terms(n, ops::tanh);
    std::optional<Gate> update = split(terms(z, ops::sigmoid), s);
    if (!update)
      return miss("GRU",
                  concat("its update gate ", name(z), " has no product with the state ", name(s)));
    // Where the reset gate stands tells the two kinds apart.
    for (size_t i = 0; i < candidate.size(); ++i) {
      const Term t = candidate[i];
      const Value product = t.product() ? t.left : t.v;
      const Node* m = r_.producer(product, ops::mul);
      if (m == nullptr) continue;
      for (const size_t k : {0, 1}) {
        const Value r = m->operands[k], other = m->operands[1 - k];
        if (!is_sigmoid(r) || (t.product() && other != s)) continue;
        const std::vector<int> nodes = nodes_, inner = inner_;
        nodes_.push_back(r_.graph->info(product).node);
        inner_.push_back(nodes_.back());
        if (t.product() && !t.some_rows)
          nodes_.push_back(r_.graph->info(t.v).node), inner_.push_back(nodes_.back());
        Gate last{candidate, t};
        last.inputs.erase(last.inputs.begin() + static_cast<int64_t>(i));
        Terms after_bias;
        bool fits = true;
        if (!t.product()) {
          Terms inside;
          collect_terms(r_, all_lanes_or_none(other), inside, nodes_);
          const std::optional<Gate> inner_gate = split(inside, s);
          fits = inner_gate.has_value() &&
                 std::all_of(inner_gate->inputs.begin(), inner_gate->inputs.end(),
                             [&](const Term& b) { return r_.graph->type(b.v).rank() == 1; });
          if (fits) last.recurrent = inner_gate->recurrent, after_bias = inner_gate->inputs;
        }
        std::optional<Gate> reset = split(terms(r, ops::sigmoid), s);
        if (fits && reset)
          return gru_replacement(*update, *reset, last, after_bias, s, state, t.product(),
                                 towards_new);
        nodes_ = nodes, inner_ = inner;
      }
    }
    return miss("GRU",
                concat("its candidate ", name(n), " has no reset state r * s (or r * (s U))"));
  }

  std::optional<Replacement> gru_replacement(Gate z, Gate r, Gate n, Terms bias, Value s,
                                             const TensorType& state, bool before,
                                             bool towards_new) {
    if (!right_shapes({z, r, n}, state))
      return miss("GRU", "its gates are not all of the state's shape");
    if (const std::string who = read_elsewhere({root_->results[0]}); !who.empty())
      return miss("GRU", who);
    if (before != towards_new) negate(z);
    const std::vector<Gate> gates = before ? std::vector{z, r, n} : std::vector{r, z, n};
    Replacement out;
    out.outputs = {root_->results[0]};
    out.inputs = {s};
    for (const Gate& g : gates) add_inputs(out, g.inputs), out.inputs.push_back(g.recurrent.w);
    add_inputs(out, bias);
    out.nodes = nodes_;
    out.build = [gates, bias, s, state, before](Rewriter& rw) {
      Builder& b = rw.builder;
      const Value u = recurrent_weights(rw, {gates[0].recurrent, gates[1].recurrent}),
                  un = weight_columns(rw, gates[2].recurrent);
      const Value g = side_by_side(rw, {gates[0].inputs, gates[1].inputs, gates[2].inputs}, state);
      Values bias_n;
      for (const Term& t : bias) {
        const Value v = b.slice(rw(t.v), -1, t.start, t.stop);
        bias_n = {bias_n.empty() ? v : b.add(bias_n[0], v)};
      }
      return b.emit_all(ops::gru_cell, {{g}, {rw(s)}, {u}, {un}, bias_n},
                        {{"reset", std::string(before ? "before" : "after")}});
    };
    context_.done("fuse_cells",
                  concat(where(*root_), ": ", name(root_->results[0]), " and ", inner_.size() - 1,
                         " more became gru_cell (reset ", before ? "before" : "after", ")"));
    return out;
  }

  // Columns of several recurrent weights side by side; one slice where they are already.
  static Value recurrent_weights(Rewriter& rw, const Terms& terms) {
    Values parts;
    for (size_t i = 0; i < terms.size();) {
      Term run = terms[i++];
      const auto follows = [&](const Term& t) {
        return t.w == run.w && t.start == run.stop && !t.negated && !run.negated &&
               t.transposed == run.transposed && t.some_rows == run.some_rows && t.row0 == run.row0;
      };
      while (i < terms.size() && follows(terms[i])) run.stop = terms[i++].stop;
      parts.push_back(weight_columns(rw, run));
    }
    return rw.builder.concat(parts, -1);
  }

  // --- LSTM

  // The value whose product every gate has: the carry, if there is a choice.
  Value hidden_state(const std::vector<Terms>& gates, const TensorType& state) const {
    Value best;
    for (const Term& t : gates[0]) {
      const bool everywhere =
          t.product() && std::all_of(gates.begin(), gates.end(), [&](const Terms& g) {
            return std::count_if(g.begin(), g.end(), [&](const Term& u) {
                     return u.product() && u.left == t.left;
                   }) == 1;
          });
      if (!everywhere || r_.graph->type(t.left) != state) continue;
      best = t.left;
      const int argument = r_.graph->argument_index(t.left);
      if (argument >= 0 && argument < carries_) break;
    }
    return best;
  }

  std::optional<Replacement> lstm_of(Value i, Value f, Value n, Value o, Value c, Value c1) {
    if (!is_sigmoid(o)) return std::nullopt;
    const TensorType state = r_.graph->type(c);
    const std::vector<Terms> all{terms(i, ops::sigmoid), terms(f, ops::sigmoid),
                                 terms(n, ops::tanh), terms(o, ops::sigmoid)};
    const Value h = hidden_state(all, state);
    if (!h.valid())
      return miss("LSTM", "its gates have no product with one hidden state in common");
    std::vector<Gate> gates;
    for (const Terms& t : all) gates.push_back(*split(t, h));
    if (!right_shapes(gates, state))
      return miss("LSTM", "its gates are not all of the state's shape");
    const Value h1 = root_->results[0];
    if (const std::string who = read_elsewhere({h1, c1}); !who.empty()) return miss("LSTM", who);
    Replacement out;
    out.outputs = {h1, c1};
    out.inputs = {h, c};
    for (const Gate& g : gates) add_inputs(out, g.inputs), out.inputs.push_back(g.recurrent.w);
    const int c1_node = r_.graph->info(c1).node;
    for (const Value v : out.inputs)
      if (r_.depends(v, {c1_node}))
        return miss("LSTM",
                    concat("its gates read the new cell state through ", name(v), " (a peephole)"));
    out.nodes = nodes_;
    out.build = [gates, h, c, state](Rewriter& rw) {
      Terms recurrent;
      std::vector<Terms> inputs;
      for (const Gate& g : gates) recurrent.push_back(g.recurrent), inputs.push_back(g.inputs);
      const Value u = recurrent_weights(rw, recurrent);
      const Value g = side_by_side(rw, inputs, state);
      return rw.builder.emit_all(ops::lstm_cell, {{g}, {rw(h)}, {rw(c)}, {u}});
    };
    context_.done("fuse_cells", concat(where(*root_), ": ", name(h1), " and ", inner_.size() - 1,
                                       " more became lstm_cell"));
    return out;
  }

  const Readers& r_;
  PassContext& context_;
  int carries_;
  const Node* root_ = nullptr;
  std::vector<int> nodes_;  // all that is matched, the root first
  std::vector<int> inner_;  // of them, those that nothing else may read
};

Graph fused(const Graph& graph, PassContext& context, int carries) {
  const auto made_by = [&](const OpDef& op) {
    return std::any_of(graph.nodes().begin(), graph.nodes().end(),
                       [&](const Node& n) { return n.op == &op; });
  };
  if (!made_by(ops::tanh) || !made_by(ops::sigmoid)) return graph;
  const Readers readers(graph);
  CellFinder finder(readers, context, carries);
  std::vector<Replacement> found;
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    std::optional<Replacement> r;
    if (node.op == &ops::add || node.op == &ops::sub) r = finder.gru(node, static_cast<int>(n));
    if (node.op == &ops::mul) r = finder.lstm(node, static_cast<int>(n));
    if (r) found.push_back(std::move(*r));
  }
  return replace_all(graph, std::move(found));
}

}  // namespace

Graph fuse_cells(const Graph& graph, PassContext& context) {
  return with_owned_regions(graph, [&](const Graph& g, const Node* owner) {
    return fused(g, context,
                 owner != nullptr && owner->op == &ops::scan ? owner->group_sizes[0] : 0);
  });
}

}  // namespace weft::ir
