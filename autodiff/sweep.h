// autodiff/sweep.h -- a graph and its adjoint in one graph: what `gradient` returns, and what the
// derivative of a loop's body is cut out of.
#pragma once
#include "autodiff/policy.h"
#include "ir/rewrite/builder.h"

#include <functional>
#include <vector>

namespace weft::autodiff {

// Which values carry a derivative: floats that depend on a wanted argument (varied) and lead to a
// seeded output (useful).
struct Activity {
  std::vector<bool> varied, useful;  // by value id
  bool operator()(ir::Value v) const {
    return varied[static_cast<size_t>(v.id)] && useful[static_cast<size_t>(v.id)];
  }
};
Activity activity(const ir::Graph& graph, const std::vector<bool>& wanted,
                  const std::vector<bool>& seeded);

struct Question {
  std::vector<bool> wanted;  // arguments whose adjoints are asked for
  std::vector<bool> seeded;  // outputs that have a cotangent,
  std::function<ir::Value(ir::Builder&, int output)>
      seed;  // made (or added as an argument) by this
  ResidualPolicy policy = {};
};

struct Joint {
  ir::Graph graph;        // the arguments, then those that `seed` added; no outputs yet
  ir::Values outputs;     // what stands for the graph's outputs
  int forward_nodes = 0;  // the nodes before this one are the forward graph's
  ir::Values adjoints;    // by argument; not valid: zero, or not wanted
};

Joint differentiate(const ir::Graph& graph, const Question& question);

}  // namespace weft::autodiff
