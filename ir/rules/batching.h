// ir/rules/batching.h -- how an op is done for all steps of a loop at once.
//
// A lifted value has a new axis in front, one entry a step. A rule makes of a node with some
// operands lifted its results lifted, or summed over the steps: it may then fold the new axis into
// one the op already has (matmul: into the contraction; attention: into the queries), which is why
// it is told. Ops without a rule stay in the loop.
#pragma once
#include "ir/rewrite/builder.h"

#include <vector>

namespace weft::ir {

enum class Want : uint8_t { nothing, each, sum };  // of a result: lifted, or summed over the steps

using Flags = std::vector<bool>;
using Wants = std::vector<Want>;

// One node to be done for all steps: its view in the body, and its operands outside.
struct Lift {
  OpView op;
  Builder& builder;
  Dim steps;
  Values operands;  // outside; where `lifted`, with the steps in front
  Flags lifted;

  // Operand i lifted (repeated over the steps if it was not).
  Value each(int i) const;
  // Operand i fit to broadcast against lifted values whose unlifted rank is `rank`: ones are put
  // behind the steps axis. An unlifted operand broadcasts as it is.
  Value aligned(int i, int rank) const;
  // The node as it is on these operands (grouped as in the body), with these attributes.
  Values emit(const Values& operands, Attrs attrs) const;
  Values emit(const Values& operands) const { return emit(operands, op.node().attrs); }
};

struct BatchingRule {
  bool (*can)(const OpView& op, const Flags& lifted, const Wants& wants) = nullptr;
  Values (*emit)(const Lift& lift, const Wants& wants) = nullptr;  // invalid: nothing is wanted
};

// Null: the op stays in loops.
const BatchingRule* batching_rule(const OpDef& op);

// Every result lifted: what most rules can do.
inline bool only_each(const OpView&, const Flags&, const Wants& wants) {
  for (const Want w : wants)
    if (w == Want::sum) return false;
  return true;
}

}  // namespace weft::ir
