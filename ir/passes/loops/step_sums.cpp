// ir/passes/loops/step_sums.cpp -- what a loop added up step by step, in one go.
#include "ir/passes/loops/step_sums.h"

#include <algorithm>

namespace weft::ir {

Value StepSums::of_lifted(Value v) {
  LiftedValues::Lifted o = outside_(v);
  if (a_.parts.has_lengths && !o.zero && a_.ended.zero[static_cast<size_t>(v.id)])
    o.value = outside_.zero_ended(o.value);
  return outside_.builder().sum(o.value, {0});
}

Value StepSums::operator()(Value v) {
  const Node& node = *a_.body.producer(v);
  const auto n = static_cast<size_t>(a_.body.info(v).node),
             r = static_cast<size_t>(a_.body.info(v).index);
  Builder& b = outside_.builder();
  if (a_.place[n] == Place::before) return of_lifted(v);
  switch (a_.sum_step(node, r)) {
    case SumStep::add: {
      const Value x = (*this)(node.operands[0]), y = (*this)(node.operands[1]);
      b.from = node.from;
      return b.emit(*node.op, {{x}, {y}}, node.attrs);
    }
    case SumStep::linear: {
      const Value x = (*this)(node.operands[0]);
      b.from = node.from;
      return b.emit(*node.op, {{x}}, node.attrs);
    }
    case SumStep::rule:
      return by_rule(node, r);
    default:
      break;
  }
  if (a_.place[n] != Place::loop) return of_lifted(v);
  // Each, but not placed after: it is done here.
  return b.sum(batching_rule(*node.op)->emit(outside_.lift_of(node), {Want::each})[r], {0});
}

// All results of a node that are wanted summed come from one node outside (attention_grad).
Value StepSums::by_rule(const Node& node, size_t result) {
  const std::pair key{a_.body.info(node.results[result]).node, static_cast<int>(result)};
  if (const auto it = known_.find(key); it != known_.end()) return it->second;
  Wants wants(node.results.size(), Want::nothing);
  for (size_t r = 0; r < wants.size(); ++r)
    if (std::find(by_rule_.begin(), by_rule_.end(), node.results[r]) != by_rule_.end())
      wants[r] = Want::sum;
  const Values made = batching_rule(*node.op)->emit(outside_.lift_of(node), wants);
  for (size_t r = 0; r < wants.size(); ++r)
    if (wants[r] == Want::sum) known_[{key.first, static_cast<int>(r)}] = made[r];
  return made[result];
}

}  // namespace weft::ir
