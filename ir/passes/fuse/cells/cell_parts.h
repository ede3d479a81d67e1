// ir/passes/fuse/cells/cell_parts.h -- a recurrent cell being recognised: its gates, the nodes it covers.
#pragma once
#include "ir/passes/fuse/cells/gate_terms.h"

namespace weft::ir {

// The terms of a gate without the product with the state, and that.
struct Gate {
  Terms inputs;
  Term recurrent;

  Gate negated() const;
};

// Grows while a cell is read from its root towards its inputs; a copy is a way back.
class CellParts {
 public:
  // `matched`: by the pattern that found it, the root among them.
  CellParts(const GraphUses& readers, const Node& root, int index, const std::vector<int>& matched);

  const Node& root() const { return *root_; }
  const std::vector<int>& nodes() const { return nodes_; }  // the root first
  size_t size() const { return inner_.size(); }             // of what it alone may read

  // The producer of v, whose results nothing outside may read.
  void cover(Value v);
  // Of the gate that v is (lanes of) the result of, by its activation.
  Terms terms(Value v, const OpDef& activation);
  // Of a sum within the cell.
  Terms terms(Value v);
  // Takes the product with `state` out of a gate's terms: nothing, unless there is exactly one.
  std::optional<Gate> split(Terms list, Value state);

  // Who else reads what the cell alone should compute, but for its results; empty: nobody.
  std::string read_elsewhere(const Values& results) const;

 private:
  const GraphUses* r_;
  const Node* root_;
  std::vector<int> nodes_;  // all that is matched
  std::vector<int> inner_;  // of them, those that nothing else may read
};

// Is v (lanes of) what `op` makes?
bool made_by(const GraphUses& r, Value v, const OpDef& op);
// Are all terms rows of the state, or one row for all of them?
bool fit(const GraphUses& r, const std::vector<Gate>& gates, const TensorType& state);
// What the gates' terms are made of, as inputs of a replacement.
void add_inputs(Replacement& r, const std::vector<Gate>& gates);
void add_inputs(Replacement& r, const Terms& terms);
// Columns of several recurrent weights side by side; one slice where they are already.
Value recurrent_weights(Rewriter& rw, const Terms& terms);

}  // namespace weft::ir
