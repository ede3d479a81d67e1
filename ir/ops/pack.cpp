// ir/ops/pack.cpp -- inference of pack, unpack and length_order.
#include "ir/ops/pack.h"

#include "ir/graph.h"

namespace weft::ir::ops {
namespace {

const Dim& batch_of(const OpView& op) {
  const TensorType& lengths = op.operand("lengths");
  if (lengths.dtype != DType::s32 || lengths.rank() != 1)
    op.fail(concat(op.def().name, ".1"), "needs lengths s32[B], found ", lengths);
  if (op.def().operands.size() > 1 && op.has("places") && op.operand("places") != lengths)
    op.fail(concat(op.def().name, ".3"), "needs places of ", lengths, ", found ",
            op.operand("places"));
  return lengths.dim(0);
}

}  // namespace

Types infer_pack(const OpView& op) {
  const TensorType& x = op.operand(0);
  const Dim& batch = batch_of(op);
  const bool by_sequence = op.flag("by_sequence");
  if (x.rank() < 2 || x.dim(by_sequence ? 0 : 1) != batch)
    op.fail("pack.2", "needs x of ", by_sequence ? concat("[", batch, ",T") : concat("[T,", batch),
            ",...], found ", x);
  Shape shape{x.dim(0) * x.dim(1)};
  shape.insert(shape.end(), x.shape.begin() + 2, x.shape.end());
  return {{x.dtype, shape}};
}

Types infer_unpack(const OpView& op) {
  const TensorType& p = op.operand(0);
  const Dim &batch = batch_of(op), &steps = op.dim("steps");
  if (p.rank() < 1 || p.dim(0) != steps * batch)
    op.fail("unpack.2", "needs ", steps * batch, " rows, found ", p);
  Shape shape{steps, batch};
  if (op.flag("by_sequence")) std::swap(shape[0], shape[1]);
  shape.insert(shape.end(), p.shape.begin() + 1, p.shape.end());
  return {{p.dtype, shape}};
}

Types infer_length_order(const OpView& op) {
  batch_of(op);
  return {op.operand(0), op.operand(0)};
}

}  // namespace weft::ir::ops
