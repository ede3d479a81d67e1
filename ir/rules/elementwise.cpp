// ir/rules/elementwise.cpp -- elementwise ops: operands are aligned behind the steps axis.
#include "ir/rules/table.h"

namespace weft::ir::batching {

const BatchingRule* elementwise_rule() {
  static constexpr BatchingRule kRule{
      nullptr, only_each, [](const Lift& lift, const Wants&) -> Values {
        const int rank = lift.op.result().rank();
        Values operands;
        for (size_t i = 0; i < lift.operands.size(); ++i)
          operands.push_back(lift.aligned(static_cast<int>(i), rank));
        return lift.emit(operands);
      }};
  return &kRule;
}

}  // namespace weft::ir::batching
