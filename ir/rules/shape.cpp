// ir/rules/shape.cpp -- ops that name whole shapes or axes from the front.
#include "ir/rules/table.h"

namespace weft::ir::batching {
namespace {

Shape with_steps(const Lift& lift, Shape shape) {
  shape.insert(shape.begin(), lift.steps);
  return shape;
}

}  // namespace

Values broadcast(const Lift& lift, const Wants&) {
  const Shape& shape = lift.op.shape("shape");
  const Value x = lift.aligned(0, static_cast<int>(shape.size()));
  return {lift.builder.broadcast(x, with_steps(lift, shape))};
}

Values reshape(const Lift& lift, const Wants&) {
  return {lift.builder.reshape(lift.operands[0], with_steps(lift, lift.op.shape("shape")))};
}

Values transpose(const Lift& lift, const Wants&) {
  Integers perm{0};
  for (const int64_t p : lift.op.integers("perm")) perm.push_back(p + 1);
  return {lift.builder.transpose(lift.operands[0], perm)};
}

}  // namespace weft::ir::batching
