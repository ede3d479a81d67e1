// ir/ops/convolution.cpp -- inference of convolutions and their adjoints.
#include "ir/ops/convolution.h"

#include "ir/graph.h"

namespace weft::ir::ops {
namespace {

std::string label(const OpView& op, int number) { return ir::concat(op.def().name, ".", number); }

// Of [B,s...,C] and [k...,C/groups,N] alike.
void check_rank(const OpView& op, std::string_view name) {
  const TensorType& x = op.operand(name);
  if (!is_float(x.dtype) || x.rank() < 3 || x.rank() > 2 + kMostWindowAxes)
    op.fail(label(op, 1), "needs floats of rank 3 to ", 2 + kMostWindowAxes, " in ", name,
            ", found ", x);
  if (x.dtype != op.operand(0).dtype || x.rank() != op.operand(0).rank())
    op.fail(label(op, 2), "needs operands of one dtype and rank, found ", op.operand(0), " and ",
            x);
}

int64_t checked_groups(const OpView& op) {
  const int64_t groups = op.integer("groups");
  if (groups < 1) op.fail(label(op, 3), "needs 1 group or more, found ", groups);
  return groups;
}

// Channels cut into the op's groups.
Dim piece(const OpView& op, const Dim& channels, std::string_view of) {
  const int64_t groups = checked_groups(op);
  const auto each = channels.divided_by(groups);
  if (!each)
    op.fail(label(op, 4), "cannot cut ", channels, " channels of ", of, " into ", groups,
            " groups");
  return *each;
}

void check_positions(const OpView& op, const Window& window, const Shape& sizes) {
  const Shape want = window_positions(op, window, sizes), have = between(op.operand("dy").shape);
  if (have != want)
    op.fail(label(op, 6), "needs dy of ", str(want),
            " positions between its first and last axes, "
            "found ",
            str(have));
}

}  // namespace

Types infer_conv(const OpView& op) {
  check_rank(op, "x");
  check_rank(op, "w");
  const TensorType &x = op.operand("x"), &w = op.operand("w");
  if (w.dim(-2) != piece(op, x.dim(-1), "x"))
    op.fail(label(op, 5), "convolves ", x.dim(-1), " channels of x in ", op.integer("groups"),
            " groups with ", w.dim(-2), " channels of w, needs ", piece(op, x.dim(-1), "x"));
  piece(op, w.dim(-1), "w");
  const Window window = window_of(op, {w.shape.begin(), w.shape.end() - 2});
  const TensorType bias{x.dtype, {w.dim(-1)}};
  if (op.has("bias") && op.operand("bias") != bias)
    op.fail(label(op, 7), "needs bias of ", bias, ", found ", op.operand("bias"));
  return {{x.dtype, around(x.dim(0), window_positions(op, window, between(x.shape)), w.dim(-1))}};
}

Types infer_conv_input_grad(const OpView& op) {
  check_rank(op, "dy");
  check_rank(op, "w");
  const TensorType &dy = op.operand("dy"), &w = op.operand("w");
  const Shape& size = op.shape("size");
  if (static_cast<int>(size.size()) + 2 != dy.rank())
    op.fail(label(op, 8), "needs a size for each of ", dy.rank() - 2, " axes, found ", str(size));
  if (dy.dim(-1) != w.dim(-1))
    op.fail(label(op, 5), "needs as many channels of dy as of w, found ", dy.dim(-1), " and ",
            w.dim(-1));
  piece(op, w.dim(-1), "w");
  check_positions(op, window_of(op, {w.shape.begin(), w.shape.end() - 2}), size);
  return {{dy.dtype, around(dy.dim(0), size, w.dim(-2) * checked_groups(op))}};
}

Types infer_conv_weight_grad(const OpView& op) {
  check_rank(op, "x");
  check_rank(op, "dy");
  const TensorType &x = op.operand("x"), &dy = op.operand("dy");
  Shape shape = op.shape("size");
  if (static_cast<int>(shape.size()) + 2 != x.rank())
    op.fail(label(op, 8), "needs a size for each of ", x.rank() - 2, " axes, found ", str(shape));
  if (x.dim(0) != dy.dim(0))
    op.fail(label(op, 9), "needs one batch, found ", x.dim(0), " of x and ", dy.dim(0), " of dy");
  check_positions(op, window_of(op, shape), between(x.shape));
  piece(op, dy.dim(-1), "dy");
  shape.push_back(piece(op, x.dim(-1), "x"));
  shape.push_back(dy.dim(-1));
  return {{x.dtype, shape}};
}

}  // namespace weft::ir::ops
