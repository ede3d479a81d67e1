// autodiff/mixed_rows.cpp -- the masks of a loop with lengths, written out.
#include "autodiff/mixed_rows.h"

#include "ir/ops/scan.h"
#include "ir/passes/padding/ended_rows.h"
#include "ir/rewrite/rewrite.h"

#include <algorithm>

namespace weft::autodiff {
namespace {

namespace ops = ir::ops;
using ir::Builder;
using ir::Graph;
using ir::Node;
using ir::Value;
using ir::Values;

bool mixes(const Graph& graph, const Node& scan) {
  const ir::OpView op(graph, scan);
  return ir::mixes_ended_rows(op.region(), op.operand("lengths").dim(0),
                              op.region().arguments().back().value) != nullptr;
}

// x where the row lives, else y (not valid: zeros).
Value where_live(Builder& b, Value live, Value x, Value y) {
  const ir::TensorType type = b.type(x);
  ir::Shape column(static_cast<size_t>(type.rank()), ir::Dim(1));
  column[0] = type.dim(0);
  const Value mask = b.reshape(live, column);
  if (type.dtype == ir::DType::pred && !y.valid()) return b.emit(ops::logical_and, {{mask}, {x}});
  return b.select(mask, x, y.valid() ? y : b.scalar(0, type.dtype));
}

Graph masked_body(const ir::OpView& scan, const ops::ScanParts& parts) {
  const Graph& from = scan.region();
  Graph to;
  to.name = from.name;
  Builder b(to, scan.node().from);
  Values arguments;
  const auto take = [&](int first, int count) {
    for (int i = first; i < first + count; ++i) {
      const Value v = from.arguments()[static_cast<size_t>(i)].value;
      arguments.push_back(to.add_argument(from.type(v), from.info(v).name));
    }
  };
  take(0, parts.carries + parts.scanned);
  const Value t = to.add_argument({ir::DType::s32, {}}, "t");
  take(parts.carries + parts.scanned, parts.invariants);
  const Value lengths = to.add_argument(scan.operand("lengths"), "lengths");
  const Value live = b.emit(ops::greater, {{lengths}, {t}});
  arguments.push_back(live);
  const Values made = ir::inline_graph(b, from, arguments);
  for (size_t i = 0; i < made.size(); ++i) {
    const bool stacked = static_cast<int>(i) >= parts.carries;
    Value v = made[i];
    if (stacked)
      v = where_live(b, live, v, {});
    else if (parts.row_carry[i])
      v = where_live(b, live, v, arguments[i]);
    to.add_output(from.outputs()[i].name, v);
  }
  return to;
}

Values without_lengths(ir::Rewriter& r, const Node& node) {
  const ir::OpView scan(r.from(), node);
  const ops::ScanParts parts(scan);
  ir::OperandGroups groups(4);
  const auto take = [&](std::string_view name, size_t group) {
    for (int i = 0; i < scan.count(name); ++i)
      groups[group].push_back(r(node.operands[static_cast<size_t>(scan.position(name) + i)]));
  };
  take("carries", 0);
  take("scanned", 1);
  groups[1].push_back(r.builder.emit(
      ops::iota, {},
      {{"shape", ir::Shape{parts.steps}}, {"axis", int64_t{0}}, {"dtype", ir::DType::s32}}));
  take("invariants", 2);
  take("lengths", 2);
  ir::Integers axes = parts.axes;
  axes.push_back(0);
  std::vector<Graph> regions;
  regions.push_back(masked_body(scan, parts));
  return r.builder.emit_all(ops::scan, groups,
                            ops::scan_attrs(r.builder.graph(), groups, axes, parts.out_axes,
                                            parts.reverse, parts.steps, parts.row_carry),
                            std::move(regions));
}

}  // namespace

Graph rows_kept_apart(const Graph& graph, bool known) {
  bool any = false;
  const auto of_one = [&](const Graph& g) {
    const auto to_mask = [&](const Node& node) {
      return node.op == &ops::scan && node.group_sizes.back() > 0 && (!known || mixes(g, node));
    };
    if (std::none_of(g.nodes().begin(), g.nodes().end(), to_mask)) return g;
    any = true;
    return ir::rewrite_nodes(g, [&](ir::Rewriter& r, const Node& node) -> std::optional<Values> {
      if (!to_mask(node)) return std::nullopt;
      return without_lengths(r, node);
    });
  };
  Graph out = ir::with_regions(graph, of_one);
  return any ? std::move(out) : graph;
}

}  // namespace weft::autodiff
