// ir/rules/batching.cpp -- aligning lifted operands.
#include "ir/rules/batching.h"

#include "ir/rules/op_rules.h"

namespace weft::ir {

Value Lift::each(int i) const {
  const Value v = operands[static_cast<size_t>(i)];
  if (lifted[static_cast<size_t>(i)]) return v;
  Shape shape = builder.type(v).shape;
  shape.insert(shape.begin(), steps);
  return builder.broadcast(v, shape);
}

Value Lift::aligned(int i, int rank) const {
  const Value v = operands[static_cast<size_t>(i)];
  if (!lifted[static_cast<size_t>(i)]) return v;
  Shape shape = builder.type(v).shape;
  while (static_cast<int>(shape.size()) < rank + 1) shape.insert(shape.begin() + 1, Dim(1));
  return builder.reshape(v, shape);
}

Values Lift::emit(const Values& values, Attrs attrs) const {
  OperandGroups groups;
  size_t at = 0;
  for (const int n : op.node().group_sizes) {
    groups.emplace_back();
    for (int i = 0; i < n; ++i) groups.back().push_back(values[at++]);
  }
  return builder.emit_all(op.def(), groups, std::move(attrs));
}

const BatchingRule* batching_rule(const OpDef& op) {
  const BatchingRule& rule = rules_of(op).batching;
  return rule.emit == nullptr ? nullptr : &rule;
}

}  // namespace weft::ir
