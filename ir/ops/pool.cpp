// ir/ops/pool.cpp -- inference of pooling and its adjoints.
#include "ir/ops/pool.h"

#include "ir/rewrite/builder.h"

#include <limits>

namespace weft::ir::ops {
namespace {

std::string label(const OpView& op, int number) { return ir::concat(op.def().name, ".", number); }

void check_rank(const OpView& op, const TensorType& x) {
  if (!is_float(x.dtype) || x.rank() < 3 || x.rank() > 2 + kMostWindowAxes)
    op.fail(label(op, 1), "needs floats of rank 3 to ", 2 + kMostWindowAxes, ", found ", x);
}

void check_size(const OpView& op, const Shape& size, const TensorType& dy) {
  if (static_cast<int>(size.size()) + 2 != dy.rank())
    op.fail(label(op, 4), "needs a size for each of ", dy.rank() - 2, " axes, found ", str(size));
}

Shape checked_positions(const OpView& op, const Shape& sizes) {
  const Shape window = pool_window(op);
  if (window.size() != sizes.size())
    op.fail(label(op, 2), "needs a window size for each of ", sizes.size(), " axes, found ",
            window.size());
  const Window w = window_of(op, window);
  for (size_t i = 0; i < w.axes(); ++i) {
    const int64_t covered = *window[i].constant();
    if (w.low[i] >= covered || w.high[i] >= covered)
      op.fail(label(op, 3), "needs less padding than the window's ", covered, " elements, found ",
              w.low[i], " and ", w.high[i], " along axis ", i + 1);
    if (sizes[i].is(0)) op.fail(label(op, 5), "needs at least one element along axis ", i + 1);
  }
  return window_positions(op, w, sizes);
}

}  // namespace

Shape pool_window(const OpView& op) {
  const Integers& window = op.integers("window");
  return {window.begin(), window.end()};
}

Types infer_max_pool(const OpView& op) {
  const TensorType& x = op.operand("x");
  check_rank(op, x);
  const Shape shape = around(x.dim(0), checked_positions(op, between(x.shape)), x.dim(-1));
  if (const auto n = product(between(x.shape)).constant();
      n && *n > std::numeric_limits<int32_t>::max())
    op.fail(label(op, 6), "cannot count ", *n, " elements in s32 indices");
  Types types{{x.dtype, shape}};
  if (op.flag("indices")) types.push_back({DType::s32, shape});
  return types;
}

Types infer_avg_pool(const OpView& op) {
  const TensorType& x = op.operand("x");
  check_rank(op, x);
  return {{x.dtype, around(x.dim(0), checked_positions(op, between(x.shape)), x.dim(-1))}};
}

Types infer_max_pool_grad(const OpView& op) {
  const TensorType &dy = op.operand("dy"), &indices = op.operand("indices");
  check_rank(op, dy);
  check_size(op, op.shape("size"), dy);
  const TensorType want{DType::s32, dy.shape};
  if (indices != want) op.fail(label(op, 2), "needs indices of ", want, ", found ", indices);
  return {{dy.dtype, around(dy.dim(0), op.shape("size"), dy.dim(-1))}};
}

Types infer_avg_pool_grad(const OpView& op) {
  const TensorType& dy = op.operand("dy");
  const Shape& size = op.shape("size");
  check_rank(op, dy);
  check_size(op, size, dy);
  const Shape want = checked_positions(op, size);
  if (between(dy.shape) != want)
    op.fail(label(op, 6), "needs dy of ", str(want),
            " positions between its first and last axes, found ", str(between(dy.shape)));
  return {{dy.dtype, around(dy.dim(0), size, dy.dim(-1))}};
}

// Channel by channel, dy is added at its indices: [B,C,positions] into [B,C,elements].
Graph expand_max_pool_grad(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const TensorType dy = op.operand("dy");
  const auto by_channel = [&](Value v) {
    return b.transpose(b.reshape(v, {dy.dim(0), product(between(dy.shape)), dy.dim(-1)}),
                       {0, 2, 1});
  };
  const Value zeros = b.zeros({dy.dtype, {dy.dim(0), dy.dim(-1), product(op.shape("size"))}});
  const Value dx = b.emit(scatter_add, {{zeros}, {by_channel(e["indices"])}, {by_channel(e["dy"])}},
                          {{"axis", int64_t{2}}, {"batch", int64_t{2}}});
  return e.finish(
      {b.reshape(b.transpose(dx, {0, 2, 1}), around(dy.dim(0), op.shape("size"), dy.dim(-1)))});
}

}  // namespace weft::ir::ops
