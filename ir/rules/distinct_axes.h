// ir/rules/distinct_axes.h -- a graph in which the axes of rows and steps have sizes of their own.
//
// Passes and derivatives compare sizes to see whether two axes are the same: is this the batch of
// the lengths? In a graph where the batch is 4, and a width too, that would be a guess. So they are
// given the graph with every axis that lengths count written as a symbol of its own where the
// graph's ops allow it (ir/rules/axes.h says which axes must be the same): for that graph equal
// sizes are the same axis, and what is right for any size of the symbol is right for the one it
// has. What they make of it gets its sizes back.
//
//   graph(%x: f32[4,4], %w: f32[4,4], %n: s32[4]) ...
//     =>
//   graph(%x: f32[rows_4,4], %w: f32[4,4], %n: s32[rows_4]) ...
//
// A symbol that stands for two axes (f32[B,B]) is taken apart likewise.
#pragma once
#include "ir/graph.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace weft::ir {

class DistinctAxes {
 public:
  explicit DistinctAxes(const Graph& graph);

  // Do rows and steps have sizes that nothing else has? Where not, an op demands that they be a
  // number (or a symbol) that other axes are too, and nobody can tell them apart.
  bool apart() const { return apart_; }
  const Graph& graph() const { return distinct_ ? *distinct_ : *original_; }
  bool changed() const { return distinct_.has_value(); }
  // With the sizes of the original.
  Graph restored(const Graph& graph) const;

 private:
  const Graph* original_;
  std::optional<Graph> distinct_;
  std::map<std::string, Dim, std::less<>> sizes_;  // by new symbol
  bool apart_ = true;
};

// Of a loop with lengths, by argument of its body: is its leading axis that of the rows, judged by
// what the body does with it? For graphs whose symbols are bound, where types do not say.
std::vector<bool> row_arguments(const OpView& scan);

// The graph with a symbol of its own for every axis that its ops let be of any size, and what each
// stands for: what the rules of axes (ir/rules/axes.h) make of it.
struct General {
  Graph graph;
  std::map<std::string, Dim, std::less<>> sizes;  // by symbol
};
General most_general(const Graph& graph);

inline constexpr std::string_view kRowsUnknown =
    "rows cannot be told from other axes of their size: nothing is done";

// `pass` of the graph with distinct axes, with its sizes restored; the graph itself where rows
// cannot be told apart (`held_back` is called).
Graph by_rows(const Graph& graph, const std::function<Graph(const Graph&)>& pass,
              const std::function<void()>& held_back = {});

}  // namespace weft::ir
