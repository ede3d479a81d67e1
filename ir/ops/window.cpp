// ir/ops/window.cpp -- reading windows from attributes, and counting their positions.
#include "ir/ops/window.h"

#include "ir/graph.h"

namespace weft::ir::ops {
namespace {

Integers entries(const OpView& op, std::string_view name, size_t axes, int64_t otherwise,
                 int64_t least) {
  if (op.def().attr(name) == nullptr || op.integers(name).empty()) return Integers(axes, otherwise);
  const Integers& list = op.integers(name);
  if (list.size() != axes)
    op.fail(ir::concat(op.def().name, ".w1"), "needs an entry of ", name, " for each of ", axes,
            " axes, found ", list.size());
  for (const int64_t n : list)
    if (n < least)
      op.fail(ir::concat(op.def().name, ".w2"), "needs ", name, " of ", least, " or more, found ",
              n);
  return list;
}

}  // namespace

Window window_of(const OpView& op, Shape size) {
  const size_t n = size.size();
  for (const Dim& d : size)
    if (const auto c = d.constant(); c && *c < 1)
      op.fail(ir::concat(op.def().name, ".w3"), "needs windows of 1 element or more, found ", d);
  return {std::move(size), entries(op, "strides", n, 1, 1), entries(op, "dilations", n, 1, 1),
          entries(op, "low", n, 0, 0), entries(op, "high", n, 0, 0)};
}

Shape window_positions(const OpView& op, const Window& w, const Shape& sizes) {
  Shape positions;
  for (size_t i = 0; i < w.axes(); ++i) {
    const Dim covered = (w.size[i] - 1) * Dim(w.dilations[i]) + 1;
    const Dim room = sizes[i] + w.low[i] + w.high[i];
    if (const auto missing = (covered - room).constant(); missing && *missing > 0)
      op.fail(ir::concat(op.def().name, ".w4"), "slides a window over ", covered, " elements",
              w.dilations[i] > 1 ? ir::concat(" (", w.size[i], ", dilated by ", w.dilations[i], ")")
                                 : "",
              " along axis ", i + 1, ", which has ", sizes[i], " and ", w.low[i], " + ", w.high[i],
              " of padding");
    positions.push_back(Dim::floordiv(room - covered, w.strides[i]) + 1);
  }
  return positions;
}

}  // namespace weft::ir::ops
