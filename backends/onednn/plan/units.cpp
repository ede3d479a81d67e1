// backends/onednn/plan/units.cpp -- units and their readers.
#include "backends/onednn/plan/units.h"

#include "ir/check.h"
#include "ir/ops/scan.h"
#include "ir/ops/shape.h"

#include <algorithm>

namespace weft::onednn {

Units::Units(const ir::Graph& graph, std::span<const Lowering> lowerings, bool group, bool pad_rows)
    : graph_(graph),
      lowerings_(lowerings),
      pad_rows_(pad_rows),
      of_node_(graph.nodes().size()),
      readers_(static_cast<size_t>(graph.value_count())) {
  for (std::vector<int>& nodes : group_elementwise(graph, lowerings, group)) {
    Unit u{std::move(nodes), nullptr, {}};
    u.lowering = find_lowering(lowerings, node(u).op);
    WEFT_CHECK(u.lowering != nullptr && u.lowering->lower != nullptr);
    for (const int n : u.nodes) of_node_[static_cast<size_t>(n)] = count();
    units_.push_back(std::move(u));
  }
  for (int i = 0; i < count(); ++i) {
    Unit& u = units_[static_cast<size_t>(i)];
    for (const int n : u.nodes)
      for (const ir::Value v : graph.nodes()[static_cast<size_t>(n)].operands) {
        const int made_by = graph.info(v).node;
        if (made_by >= 0 && of_node(made_by) == i) continue;
        if (std::find(u.inputs.begin(), u.inputs.end(), v) != u.inputs.end()) continue;
        u.inputs.push_back(v);
        readers_[static_cast<size_t>(v.id)].push_back(i);
      }
  }
  for (const ir::Output& o : graph.outputs())
    readers_[static_cast<size_t>(o.value.id)].push_back(-1);
}

Layout Units::layout(const Unit& u, ir::Value operand) const {
  if (u.nodes.size() > 1) return Layout::any;
  const ir::OpView op(graph_, node(u));
  Layout strictest = Layout::any;
  for (size_t i = 0; i < node(u).operands.size(); ++i)
    if (node(u).operands[i] == operand)
      strictest = std::max(strictest, operand_layout(*u.lowering, op, static_cast<int>(i)));
  return strictest;
}

bool Units::takes(const Unit& u, ir::Value operand, const Tensor& place) const {
  if (!place.wide && !place.narrow) return true;
  const auto may = place.wide ? u.lowering->rounds : u.lowering->widens;
  if (u.nodes.size() > 1 || may == nullptr) return false;
  const ir::OpView op(graph_, node(u));
  for (size_t i = 0; i < node(u).operands.size(); ++i)
    if (node(u).operands[i] == operand && !may(op, static_cast<int>(i))) return false;
  return true;
}

bool Units::readers_accept(ir::Value v, const Tensor& place) const {
  return std::all_of(readers(v).begin(), readers(v).end(), [&](int reader) {
    if (reader < 0) return !place.wide && !place.narrow;
    const Unit& u = (*this)[reader];
    if (u.lowering->view != nullptr) return true;
    return fits(layout(u, v), place) && takes(u, v, place);
  });
}

bool Units::bodies_accept(ir::Value v, const Tensor& place) const {
  for (const int reader : readers(v)) {
    if (reader < 0) continue;
    const ir::Node& loop = node((*this)[reader]);
    if (loop.op != &ir::ops::scan) continue;
    const ir::Graph& body = loop.regions[0];
    const Tensor slice = without_axis(place, 0);
    for (size_t i = 0; i < loop.operands.size(); ++i) {
      if (loop.operands[i] != v) continue;
      const ir::Value x = body.arguments()[i].value;
      for (const ir::Node& inner : body.nodes())
        for (size_t k = 0; k < inner.operands.size(); ++k)
          if (inner.operands[k] == x &&
              !fits(operand_layout(*find_lowering(lowerings_, inner.op), ir::OpView(body, inner),
                                   static_cast<int>(k)),
                    slice))
            return false;
    }
  }
  return true;
}

bool Units::wants_padding(ir::Value v) const {
  const ir::DType dtype = graph_.type(v).dtype;
  const Dims dims = dims_of(graph_.type(v));
  const Tensor padded{dtype, dims, padded_strides(dims, dtype), {}};
  if (!pad_rows_ || is_dense(padded)) return false;
  bool matrix = false;
  for (const int reader : readers(v)) {
    if (reader < 0) continue;
    const Unit& u = (*this)[reader];
    if (u.lowering->view != nullptr && !u.lowering->view(ir::OpView(graph_, node(u)), padded))
      return false;
    matrix |= u.lowering->view == nullptr && layout(u, v) == Layout::matrix;
  }
  return matrix && readers_accept(v, padded);
}

Dims Units::result_strides(const Unit& u, ir::Value y) const {
  const Dims dims = dims_of(graph_.type(y));
  if (u.lowering->results == Layout::dense) return dense_strides(dims);
  if (wants_padding(y)) return padded_strides(dims, graph_.type(y).dtype);
  if (u.lowering->results != Layout::inner) return dense_strides(dims);
  const ir::Integers* perm = nullptr;
  for (const int reader : readers(y)) {
    if (reader < 0) return dense_strides(dims);
    const ir::Node& moves = node((*this)[reader]);
    if (moves.op != &ir::ops::transpose) continue;
    const ir::Integers& p = ir::OpView(graph_, moves).integers("perm");
    if (perm != nullptr && *perm != p) return dense_strides(dims);
    perm = &p;
  }
  if (perm == nullptr || perm->back() + 1 != static_cast<int64_t>(dims.size()))
    return dense_strides(dims);
  Dims moved;
  for (const int64_t axis : *perm) moved.push_back(dims[static_cast<size_t>(axis)]);
  const Dims dense = dense_strides(moved);
  Tensor turned{graph_.type(y).dtype, dims, Dims(dims.size()), {}};
  for (size_t i = 0; i < perm->size(); ++i)
    turned.strides[static_cast<size_t>((*perm)[i])] = dense[i];
  return readers_accept(y, turned) ? turned.strides : dense_strides(dims);
}

}  // namespace weft::onednn
