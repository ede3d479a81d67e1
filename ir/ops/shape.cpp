// ir/ops/shape.cpp -- inference of ops that move, repeat or make elements.
#include "ir/ops/shape.h"

#include "ir/graph.h"
#include "ir/host/array.h"

#include <algorithm>
#include <cmath>

namespace weft::ir::ops {
namespace {

int64_t checked_axis(const OpView& op, std::string_view label) {
  const int rank = op.operand(0).rank();
  const int64_t axis = op.axis();
  if (axis < 0 || axis >= rank) op.fail(label, "axis must lie in [", -rank, ", ", rank, ")");
  return axis;
}

void check_sizes(const OpView& op, const Shape& shape, std::string_view label) {
  int64_t count = 16;
  for (const Dim& d : shape) {
    const auto c = d.constant();
    if (c && *c < 0) op.fail(label, "needs sizes of 0 or more, found ", d);
    if (c && *c > 0 && __builtin_mul_overflow(count, *c, &count))
      op.fail(label, "makes a shape whose element count overflows: ", str(shape));
  }
}

// constant at most other, as far as that is known.
bool known_above(const Dim& a, const Dim& b) {
  const auto difference = (a - b).constant();
  return difference && *difference > 0;
}

}  // namespace

Types infer_reshape(const OpView& op) {
  const TensorType& x = op.operand(0);
  const Shape& shape = op.shape("shape");
  check_sizes(op, shape, "reshape.2");
  if (product(x.shape) != product(shape))
    op.fail("reshape.1", "needs as many elements as x has, ", product(x.shape), ", found ",
            product(shape));
  return {{x.dtype, shape}};
}

Types infer_transpose(const OpView& op) {
  const TensorType& x = op.operand(0);
  const Integers& perm = op.integers("perm");
  if (static_cast<int>(perm.size()) != x.rank())
    op.fail("transpose.1", "perm must name all ", x.rank(), " axes, found ", perm.size());
  std::vector<bool> seen(perm.size());
  Shape shape;
  for (const int64_t p : perm) {
    if (p < 0 || p >= x.rank() || seen[static_cast<size_t>(p)])
      op.fail("transpose.2", "perm must be a permutation of 0..", x.rank() - 1);
    seen[static_cast<size_t>(p)] = true;
    shape.push_back(x.dim(p));
  }
  return {{x.dtype, shape}};
}

Types infer_broadcast(const OpView& op) {
  const TensorType& x = op.operand(0);
  const Shape& shape = op.shape("shape");
  check_sizes(op, shape, "broadcast.3");
  if (static_cast<int>(shape.size()) < x.rank())
    op.fail("broadcast.1", "needs a shape of rank ", x.rank(), " or more, found ", shape.size());
  for (int d = 1; d <= x.rank(); ++d)
    if (x.dim(-d) != shape[shape.size() - static_cast<size_t>(d)] && !x.dim(-d).is(1))
      op.fail("broadcast.2", "cannot broadcast ", x.dim(-d), " to ",
              shape[shape.size() - static_cast<size_t>(d)], " along axis ", -d);
  return {{x.dtype, shape}};
}

Types infer_concat(const OpView& op) {
  if (op.operand_count() == 0) op.fail("concat.1", "needs at least one operand");
  const int64_t axis = checked_axis(op, "concat.2");
  TensorType type = op.operand(0);
  for (int i = 1; i < op.operand_count(); ++i) {
    const TensorType& x = op.operand(i);
    if (x.dtype != type.dtype || x.rank() != type.rank())
      op.fail("concat.3", "needs operands of one dtype and rank, found ", type, " and ", x);
    for (int d = 0; d < type.rank(); ++d)
      if (d != axis && x.dim(d) != type.dim(d))
        op.fail("concat.4", "needs equal sizes off its axis, found ", type.dim(d), " and ",
                x.dim(d), " along axis ", d);
    type.shape[static_cast<size_t>(axis)] = type.dim(axis) + x.dim(axis);
  }
  check_sizes(op, type.shape, "concat.5");
  return {type};
}

Types infer_slice(const OpView& op) {
  const int64_t axis = checked_axis(op, "slice.1");
  TensorType type = op.operand(0);
  const Dim &start = op.dim("start"), &stop = op.dim("stop"), size = type.dim(axis);
  const int64_t step = op.integer("step");
  if (step < 1) op.fail("slice.2", "needs a step of 1 or more, found ", step);
  if (known_above(0, start) || known_above(start, stop) || known_above(stop, size))
    op.fail("slice.3", "needs 0 <= start <= stop <= ", size, ", found ", start, " and ", stop);
  type.shape[static_cast<size_t>(axis)] =
      step == 1 ? stop - start : Dim::floordiv(stop - start + (step - 1), step);
  return {type};
}

Types infer_pad(const OpView& op) {
  const int64_t axis = checked_axis(op, "pad.1");
  TensorType type = op.operand(0);
  if (known_above(0, op.dim("low")) || known_above(0, op.dim("high")))
    op.fail("pad.2", "needs low and high of 0 or more, found ", op.dim("low"), " and ",
            op.dim("high"));
  type.shape[static_cast<size_t>(axis)] = type.dim(axis) + op.dim("low") + op.dim("high");
  check_sizes(op, type.shape, "pad.3");
  return {type};
}

Types infer_reverse(const OpView& op) {
  checked_axis(op, "reverse.1");
  return {op.operand(0)};
}

Types infer_same_dim(const OpView& op) {
  const int64_t axis = checked_axis(op, "same_dim.1");
  TensorType type = op.operand(0);
  const Dim &have = type.dim(axis), &want = op.dim("size");
  if (have.is_constant() && want.is_constant() && have != want)
    op.fail("same_dim.2", "axis ", axis, " has ", have, " elements where ", want, " were asserted");
  type.shape[static_cast<size_t>(axis)] = want;
  return {type};
}

Types infer_constant(const OpView& op) {
  const Shape& shape = op.shape("shape");
  const Reals& values = op.reals("values");
  const Integers& exact = op.exact_integers("values");
  const size_t given = values.size() + exact.size();
  const DType dtype = op.dtype("dtype");
  check_sizes(op, shape, "constant.1");
  const auto count = product(shape).constant();
  if (given != 1 && (!count || static_cast<int64_t>(given) != *count))
    op.fail("constant.2", "needs one value or ", product(shape), " of them, found ", given);
  // Only s64 holds what a double does not.
  if (!exact.empty() && dtype != DType::s64)
    op.fail("constant.3", "cannot hold ", *std::find_if_not(exact.begin(), exact.end(), is_double),
            " in ", name(dtype));
  if (!is_float(dtype)) {
    const int bits = info(dtype).bits - (info(dtype).is_signed ? 1 : 0);
    const double above = std::ldexp(1.0, bits), below = info(dtype).is_signed ? -above : 0.0;
    for (const double v : values)
      if (!(v >= below && v < above) || v != std::floor(v))
        op.fail("constant.3", "cannot hold ", v, " in ", name(dtype));
  }
  return {{dtype, shape}};
}

Types infer_iota(const OpView& op) {
  const Shape& shape = op.shape("shape");
  const int64_t axis = op.integer("axis");
  check_sizes(op, shape, "iota.2");
  if (axis < 0 || axis >= static_cast<int64_t>(shape.size()))
    op.fail("iota.1", "axis must lie in [0, ", shape.size(), ")");
  if (op.dtype("dtype") == DType::pred) op.fail("iota.3", "needs a number dtype");
  return {{op.dtype("dtype"), shape}};
}

Types infer_length_mask(const OpView& op) {
  const TensorType& lengths = op.operand(0);
  if (!is_integer(lengths.dtype))
    op.fail("length_mask.1", "needs integer lengths, found ", name(lengths.dtype));
  Shape shape = lengths.shape;
  shape.push_back(op.dim("size"));
  check_sizes(op, shape, "length_mask.2");
  return {{DType::pred, shape}};
}

Types infer_dim_size(const OpView& op) {
  checked_axis(op, "dim_size.1");
  if (op.dtype("dtype") == DType::pred) op.fail("dim_size.2", "needs a number dtype");
  return {{op.dtype("dtype"), {}}};
}

Types infer_one_hot(const OpView& op) {
  const TensorType& indices = op.operand(0);
  if (!is_integer(indices.dtype))
    op.fail("one_hot.1", "needs integer indices, found ", name(indices.dtype));
  Shape shape = indices.shape;
  shape.push_back(op.dim("size"));
  check_sizes(op, shape, "one_hot.2");
  return {{op.dtype("dtype"), shape}};
}

Types infer_stop_gradient(const OpView& op) { return {op.operand(0)}; }

bool is_view(const OpDef& op) {
  for (const OpDef* view :
       {&broadcast, &reshape, &reverse, &same_dim, &slice, &stop_gradient, &transpose})
    if (&op == view) return true;
  return false;
}

}  // namespace weft::ir::ops
