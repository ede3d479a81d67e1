// ir/passes/loops/step_sums.h -- what a loop added up step by step, in one go.
//
//   carry += x1 + f(x2)  for all t   =>   carry + sum_t x1[t] + f(sum_t x2[t]),  f linear
//
// and a contribution whose batching rule can sum (dW += x' dz) is one contraction over all steps.
#pragma once
#include "ir/passes/loops/lifted_values.h"

#include <map>
#include <utility>

namespace weft::ir {

class StepSums {
 public:
  // `by_rule`: values of the body that their batching rule sums.
  StepSums(const LoopPlaces& places, Values by_rule, LiftedValues& outside)
      : a_(places), by_rule_(std::move(by_rule)), outside_(outside) {}

  Value operator()(Value v);  // the sum over all steps of a value of the body

 private:
  Value of_lifted(Value v);
  Value by_rule(const Node& node, size_t result);

  const LoopPlaces& a_;
  const Values by_rule_;
  LiftedValues& outside_;
  std::map<std::pair<int, int>, Value> known_;  // by node and result
};

}  // namespace weft::ir
