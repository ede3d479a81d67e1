// tests/autodiff/unroll.h -- loops written out, to compare with: what `scan` is defined to mean.
#pragma once
#include "ir/rewrite/builder.h"
#include "ir/rewrite/rewrite.h"

namespace weft::tests {

inline ir::Value at_step(ir::Builder& b, ir::Value x, int64_t axis, int64_t t) {
  ir::Shape shape = b.type(x).shape;
  shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
  return b.reshape(b.slice(x, axis, t, t + 1), shape);
}

inline ir::Value by_row(ir::Builder& b, ir::Value live, ir::Value x, ir::Value ended) {
  ir::Shape column(static_cast<size_t>(b.type(x).rank()), ir::Dim(1));
  column[0] = b.type(live).dim(0);
  return b.select(b.reshape(live, column), x, ended);
}

ir::Graph unrolled(const ir::Graph& graph);

inline ir::Values unroll_scan(ir::Builder& b, const ir::OpView& op, const ir::Values& in) {
  const ir::ops::ScanParts parts(op);
  const ir::Graph body = unrolled(op.region());
  const int64_t steps = *parts.steps.constant();
  const auto carried = static_cast<size_t>(parts.carries);
  ir::Values carries(in.begin(), in.begin() + parts.carries);
  std::vector<ir::Values> slices(static_cast<size_t>(parts.stacked),
                                 ir::Values(static_cast<size_t>(steps)));
  for (int64_t i = 0; i < steps; ++i) {
    const int64_t t = parts.reverse ? steps - 1 - i : i;
    ir::Values arguments = carries;
    for (int s = 0; s < parts.scanned; ++s)
      arguments.push_back(
          at_step(b, in[carried + static_cast<size_t>(s)], parts.axes[static_cast<size_t>(s)], t));
    for (int s = 0; s < parts.invariants; ++s)
      arguments.push_back(in[carried + static_cast<size_t>(parts.scanned + s)]);
    ir::Value live;
    if (parts.has_lengths) {
      live =
          b.emit(ir::ops::less, {{b.scalar(static_cast<double>(t), ir::DType::s32)}, {in.back()}});
      arguments.push_back(live);
    }
    const ir::Values made = ir::inline_graph(b, body, arguments);
    for (size_t c = 0; c < carried; ++c)
      carries[c] = parts.row_carry[c] ? by_row(b, live, made[c], carries[c]) : made[c];
    for (size_t o = 0; o < slices.size(); ++o) {
      ir::Value y = made[carried + o];
      if (parts.has_lengths) y = by_row(b, live, y, b.scalar(0, b.type(y).dtype));
      ir::Shape wide = b.type(y).shape;
      wide.insert(wide.begin() + static_cast<std::ptrdiff_t>(parts.out_axes[o]), ir::Dim(1));
      slices[o][static_cast<size_t>(t)] = b.reshape(y, wide);
    }
  }
  for (size_t o = 0; o < slices.size(); ++o)
    carries.push_back(steps == 0
                          ? b.zeros(ir::TensorType(op.result(parts.carries + static_cast<int>(o))))
                          : b.concat(slices[o], parts.out_axes[o]));
  return carries;
}

// The graph, all of its sizes known, with its loops written out.
inline ir::Graph unrolled(const ir::Graph& graph) {
  return ir::rewrite_nodes(
      graph, [&](ir::Rewriter& r, const ir::Node& node) -> std::optional<ir::Values> {
        if (node.op != &ir::ops::scan) return std::nullopt;
        return unroll_scan(r.builder, ir::OpView(graph, node), r(node.operands));
      });
}

}  // namespace weft::tests
