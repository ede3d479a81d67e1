// ir/ops/elementwise.cpp -- inference of elementwise ops.
#include "ir/ops/elementwise.h"

#include "ir/graph.h"

namespace weft::ir::ops {
namespace {

void need(const OpView& op, bool ok, std::string_view label, std::string_view what) {
  if (!ok)
    op.fail(label, "needs ", what, ", found ", name(op.operand(op.operand_count() - 1).dtype));
}

void need_one_dtype(const OpView& op, int a, int b, std::string_view label) {
  if (op.operand(a).dtype != op.operand(b).dtype)
    op.fail(label, "needs operands of one dtype, found ", name(op.operand(a).dtype), " and ",
            name(op.operand(b).dtype));
}

}  // namespace

Shape broadcast_shapes(const OpView& op, std::string_view label) {
  size_t rank = 0;
  for (int i = 0; i < op.operand_count(); ++i) rank = std::max(rank, op.operand(i).shape.size());
  Shape result(rank, Dim(1));
  for (int i = 0; i < op.operand_count(); ++i) {
    const Shape& s = op.operand(i).shape;
    for (size_t d = 0; d < s.size(); ++d) {
      Dim& out = result[rank - s.size() + d];
      if (s[d] == out || s[d].is(1)) continue;
      if (!out.is(1))
        op.fail(label, "cannot broadcast ", s[d], " against ", out, " along axis ",
                static_cast<int64_t>(d) - static_cast<int64_t>(s.size()));
      out = s[d];
    }
  }
  return result;
}

Types infer_unary_float(const OpView& op) {
  need(op, is_float(op.operand(0).dtype), "unary.1", "a float operand");
  return {op.operand(0)};
}

Types infer_unary_number(const OpView& op) {
  need(op, op.operand(0).dtype != DType::pred, "unary.2", "a number");
  return {op.operand(0)};
}

Types infer_unary_pred(const OpView& op) {
  need(op, op.operand(0).dtype == DType::pred, "unary.3", "a pred operand");
  return {op.operand(0)};
}

Types infer_is_finite(const OpView& op) {
  need(op, is_float(op.operand(0).dtype), "unary.1", "a float operand");
  return {{DType::pred, op.operand(0).shape}};
}

Types infer_binary_number(const OpView& op) {
  need_one_dtype(op, 0, 1, "binary.1");
  need(op, op.operand(0).dtype != DType::pred, "binary.2", "numbers");
  return {{op.operand(0).dtype, broadcast_shapes(op, "binary.3")}};
}

Types infer_compare(const OpView& op) {
  need_one_dtype(op, 0, 1, "compare.1");
  return {{DType::pred, broadcast_shapes(op, "compare.2")}};
}

Types infer_binary_pred(const OpView& op) {
  need_one_dtype(op, 0, 1, "logical.1");
  need(op, op.operand(0).dtype == DType::pred, "logical.2", "pred operands");
  return {{DType::pred, broadcast_shapes(op, "logical.3")}};
}

Types infer_select(const OpView& op) {
  if (op.operand(0).dtype != DType::pred)
    op.fail("select.1", "needs a pred condition, found ", name(op.operand(0).dtype));
  need_one_dtype(op, 1, 2, "select.2");
  return {{op.operand(1).dtype, broadcast_shapes(op, "select.3")}};
}

Types infer_cast(const OpView& op) { return {{op.dtype("dtype"), op.operand(0).shape}}; }

}  // namespace weft::ir::ops
