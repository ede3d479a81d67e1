// ir/rules/pool.cpp -- pooling for all steps at once: the steps are more batch.
#include "ir/rules/table.h"

namespace weft::ir::batching {

Values pool(const Lift& lift, const Wants&) {
  Values operands;
  for (size_t i = 0; i < lift.operands.size(); ++i)
    operands.push_back(with_steps_in_batch(lift, lift.each(static_cast<int>(i))));
  return with_steps_in_front(lift, lift.emit(operands));
}

}  // namespace weft::ir::batching
