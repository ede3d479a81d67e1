// backends/onednn/plan/units.h -- a graph cut into the units that run, which units read which values,
// and what layouts their readers accept.
//
// A unit is a node, or a group of elementwise nodes that run as one kernel.
#pragma once
#include "backends/onednn/plan/lowering.h"

#include <span>
#include <vector>

namespace weft::onednn {

struct Unit {
  std::vector<int> nodes;
  const Lowering* lowering;  // of the last node
  ir::Values inputs;         // from outside the unit, each once
};

// Nodes that run as one kernel, executed at the place of the last; single nodes are groups of one.
std::vector<std::vector<int>> group_elementwise(const ir::Graph& graph,
                                                std::span<const Lowering> lowerings, bool enabled);

class Units {
 public:
  // `pad_rows`: of what products read.
  Units(const ir::Graph& graph, std::span<const Lowering> lowerings, bool group,
        bool pad_rows = true);

  const ir::Graph& graph() const { return graph_; }
  int count() const { return static_cast<int>(units_.size()); }
  const Unit& operator[](int index) const { return units_[static_cast<size_t>(index)]; }
  int of_node(int node) const { return of_node_[static_cast<size_t>(node)]; }
  const ir::Node& node(const Unit& u) const {  // its last
    return graph_.nodes()[static_cast<size_t>(u.nodes.back())];
  }
  // Units, and -1 for each output.
  const std::vector<int>& readers(ir::Value v) const { return readers_[static_cast<size_t>(v.id)]; }
  int reader_count(ir::Value v) const { return static_cast<int>(readers(v).size()); }

  // Whether every reader can read the value as it lies. One that makes a view decides for itself
  // whether to copy.
  bool readers_accept(ir::Value v, const Tensor& place) const;
  // Whether the loops that are given this value a step at a time can read it as it lies.
  bool bodies_accept(ir::Value v, const Tensor& place) const;
  bool wants_padding(ir::Value v) const;  // a matrix product reads it
  // Of a result that has a place of its own: padded for products; dense in another order of axes
  // where it is read transposed and its kernel writes any rows (Layout::inner); else dense.
  Dims result_strides(const Unit& u, ir::Value y) const;

 private:
  Layout layout(const Unit& u, ir::Value operand) const;
  bool takes(const Unit& u, ir::Value operand, const Tensor& place) const;  // wide, narrow

  const ir::Graph& graph_;
  std::span<const Lowering> lowerings_;
  const bool pad_rows_;
  std::vector<Unit> units_;
  std::vector<int> of_node_;
  std::vector<std::vector<int>> readers_;  // by value
};

}  // namespace weft::onednn
