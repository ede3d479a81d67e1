// ir/ops/random.cpp -- inference of random.
#include "ir/ops/random.h"

namespace weft::ir::ops {

Types infer_random(const OpView& op) {
  const TensorType &step = op.operand("step"), &rows = op.operand("rows");
  if (!is_integer(step.dtype) || step.rank() != 0)
    op.fail("random.1", "needs an integer scalar step, found ", step);
  if (rows.dtype != DType::s64 || rows.rank() != 1)
    op.fail("random.2", "needs row ids s64[B], found ", rows);
  Shape shape;
  if (op.has("position")) {
    if (op.operand("position").dtype != DType::s32)
      op.fail("random.3", "needs positions of s32, found ", name(op.operand("position").dtype));
    shape = op.operand("position").shape;
  }
  shape.push_back(rows.dim(0));
  const Shape& inner = op.shape("inner");
  shape.insert(shape.end(), inner.begin(), inner.end());
  const std::string& form = op.text("form");
  if (op.real("keep") < 0 || op.real("keep") > 1)
    op.fail("random.5", "keep must lie in [0, 1], found ", op.real("keep"));
  if (form == "bits") return {{DType::u32, shape}};
  if (form == "uniform") return {{DType::f32, shape}};
  if (form == "keep") return {{DType::pred, shape}};
  op.fail("random.4", "form must be bits, uniform or keep, found '", form, "'");
}

}  // namespace weft::ir::ops
