// ir/passes/fuse/cells/cell_parts.cpp -- a recurrent cell being recognised: its gates, the nodes it covers.
#include "ir/passes/fuse/cells/cell_parts.h"

#include "ir/error.h"

#include <algorithm>

namespace weft::ir {
namespace {

Lanes lanes_or_scalar(const GraphUses& r, Value v) {
  return r.graph->type(v).rank() > 0 ? all_lanes(r, v) : Lanes{v, 0, 0};
}

}  // namespace

Gate Gate::negated() const {
  Gate gate = *this;
  for (Term& t : gate.inputs) t.negated = true;
  gate.recurrent.negated = true;
  return gate;
}

CellParts::CellParts(const GraphUses& readers, const Node& root, int index,
                     const std::vector<int>& matched)
    : r_(&readers), root_(&root), nodes_(matched) {
  std::erase(nodes_, index);
  nodes_.insert(nodes_.begin(), index);
  inner_ = nodes_;
}

void CellParts::cover(Value v) {
  nodes_.push_back(r_->graph->info(v).node);
  inner_.push_back(nodes_.back());
}

Terms CellParts::terms(Value v, const OpDef& activation) {
  std::vector<int> seen;
  const Lanes lanes = through(*r_, activation, all_lanes(*r_, v), seen);
  inner_.insert(inner_.end(), seen.begin(), seen.end());
  nodes_.insert(nodes_.end(), seen.begin(), seen.end());
  Terms list;
  collect_terms(*r_, lanes, list, nodes_);
  return list;
}

Terms CellParts::terms(Value v) {
  Terms list;
  collect_terms(*r_, lanes_or_scalar(*r_, v), list, nodes_);
  return list;
}

std::optional<Gate> CellParts::split(Terms list, Value state) {
  const auto is_recurrent = [&](const Term& t) { return t.product() && t.left == state; };
  if (std::count_if(list.begin(), list.end(), is_recurrent) != 1) return std::nullopt;
  const auto it = std::find_if(list.begin(), list.end(), is_recurrent);
  Gate gate{{}, *it};
  list.erase(it);
  gate.inputs = std::move(list);
  if (!gate.recurrent.some_rows) cover(gate.recurrent.v);
  return gate;
}

std::string CellParts::read_elsewhere(const Values& results) const {
  const Graph& g = *r_->graph;
  const auto first_result = [&](int n) { return g.nodes()[static_cast<size_t>(n)].results[0]; };
  for (const int n : inner_)
    for (const Value v : g.nodes()[static_cast<size_t>(n)].results) {
      if (std::find(results.begin(), results.end(), v) != results.end()) continue;
      for (const int reader : r_->of(v)) {
        if (reader >= 0 && std::find(nodes_.begin(), nodes_.end(), reader) != nodes_.end())
          continue;
        const std::string who = reader < 0
                                    ? "a result of the graph"
                                    : concat("'", g.nodes()[static_cast<size_t>(reader)].op->name,
                                             "' ", g.display_name(first_result(reader)));
        return concat(g.display_name(v), " is read elsewhere, by ", who);
      }
    }
  return {};
}

bool made_by(const GraphUses& r, Value v, const OpDef& op) {
  std::vector<int> nodes;
  return through(r, op, lanes_or_scalar(r, v), nodes).v.valid();
}

bool fit(const GraphUses& r, const std::vector<Gate>& gates, const TensorType& state) {
  const auto fits = [&](const Term& t) {
    const TensorType& x = r.graph->type(t.v);
    return t.stop - t.start == state.dim(-1) &&
           (x.rank() == 1 || (x.rank() == 2 && (x.dim(0) == state.dim(0) || x.dim(0).is(1))));
  };
  return state.rank() == 2 && is_float(state.dtype) &&
         std::all_of(gates.begin(), gates.end(), [&](const Gate& g) {
           return fits(g.recurrent) && std::all_of(g.inputs.begin(), g.inputs.end(), fits);
         });
}

void add_inputs(Replacement& r, const Terms& terms) {
  for (const Term& t : terms) {
    // Of a product with a concat only the part and the weight are read.
    if (!t.some_rows) r.inputs.push_back(t.v);
    if (t.product()) r.inputs.push_back(t.left), r.inputs.push_back(t.w);
  }
}

void add_inputs(Replacement& r, const std::vector<Gate>& gates) {
  for (const Gate& g : gates) {
    add_inputs(r, g.inputs);
    r.inputs.push_back(g.recurrent.w);
  }
}

Value recurrent_weights(Rewriter& rw, const Terms& terms) {
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

}  // namespace weft::ir
