// ir/passes/loops/lifted_values.h -- values of a loop's body as they are outside of it, for all steps at
// once.
//
// What depends on invariants only is one value; everything else is lifted: it has the steps in
// front, [T,...]. Scanned inputs are there already, stacked outputs once the loop that is left has
// been made; what has left the loop is computed by batching rules (ir/rules/batching.h) when it is
// first asked for.
#pragma once
#include "ir/passes/loops/loop_places.h"
#include "ir/rewrite/rewrite.h"
#include "ir/rules/batching.h"

#include <map>

namespace weft::ir {

class LiftedValues {
 public:
  struct Lifted {
    Value value;
    bool lifted = false;
    bool zero = false;  // in ended rows
  };

  LiftedValues(Rewriter& outer, const Node& scan, const LoopPlaces& places)
      : outer_(outer), scan_(scan), view_(outer.from(), scan), places_(places) {}

  Builder& builder() { return outer_.builder; }
  // The i-th operand of a group of the loop, in the new graph.
  Value operand(std::string_view group, int i) const {
    return outer_(scan_.operands[static_cast<size_t>(view_.position(group) + i)]);
  }

  Lifted operator()(Value v);
  void emit(const Node& node);     // a node of the body, outside
  Lift lift_of(const Node& node);  // its operands as they are outside
  Value zero_ended(Value x);       // x [T,B,...] with ended rows set to zero
  // What the loop that is left stacks, and where that is: known once it has been made.
  void found(const Values& stacks, const Values& results);
  // The body's name for a value outside that has none.
  void name_like(Value outside, Value of_body);

 private:
  Lifted argument(Value v);
  Value live_mask();  // pred[T,B]
  bool zero_outside(const Node& node, int result);

  Rewriter& outer_;
  const Node& scan_;
  const OpView view_;
  const LoopPlaces& places_;
  std::map<int, Lifted> known_;  // by value of the body
  Value live_;
};

}  // namespace weft::ir
