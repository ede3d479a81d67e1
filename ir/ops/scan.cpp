// ir/ops/scan.cpp -- inference of scan and custom_vjp.
#include "ir/ops/scan.h"

#include "ir/graph.h"

#include <algorithm>

namespace weft::ir::ops {
namespace {

Dim scan_steps(const OpView& op) {
  const int scanned = op.count("scanned");
  const Integers& axes = op.integers("axes");
  if (static_cast<int>(axes.size()) != scanned)
    op.fail("scan.1", "needs one of `axes` for each scanned operand, ", scanned, ", found ",
            axes.size());
  if (scanned == 0) {
    if (!op.is_set("steps")) op.fail("scan.2", "needs `steps` where nothing is scanned");
    if (const auto n = op.dim("steps").constant(); n && *n < 0)
      op.fail("scan.16", "needs steps of 0 or more, found ", *n);
    return op.dim("steps");
  }
  Dim steps;
  for (int i = 0; i < scanned; ++i) {
    const TensorType& x = op.operand(op.position("scanned") + i);
    const int64_t axis = axes[static_cast<size_t>(i)];
    if (axis < 0 || axis >= x.rank())
      op.fail("scan.3", "entry ", i, " of axes must lie in [0, ", x.rank(), "), found ", axis);
    if (i == 0) steps = x.dim(axis);
    if (x.dim(axis) != steps)
      op.fail("scan.4", "scans ", steps, " steps of its first and ", x.dim(axis),
              " of its scanned operand ", i);
  }
  if (op.is_set("steps") && op.dim("steps") != steps)
    op.fail("scan.5", "has `steps` ", op.dim("steps"), " but scans ", steps);
  return steps;
}

// `rows`: carries in order, all of them led by the batch; or [-1].
void check_rows(const OpView& op, const ScanParts& parts) {
  const Integers& rows = op.integers("rows");
  if (rows.empty() || rows == Integers{-1}) return;
  if (!parts.has_lengths) op.fail("scan.17", "has `rows` but no lengths");
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] < 0 || rows[i] >= parts.carries || (i > 0 && rows[i] <= rows[i - 1]))
      op.fail("scan.18", "needs `rows` to list carries in order, each in [0, ", parts.carries,
              "), found ", str(Attr(rows)));
    const TensorType& carry = op.operand(static_cast<int>(rows[i]));
    if (!is_row_carry(carry, op.operand("lengths").dim(0)))
      op.fail("scan.19", "needs carry ", rows[i], ", of `rows`, to have the ",
              op.operand("lengths").dim(0), " rows of lengths in front, found ", carry);
  }
}

}  // namespace

void set_row_carries(Attrs& attrs, const Graph& graph, const OperandGroups& groups,
                     const std::vector<bool>& row_carry) {
  attrs.erase("rows");
  if (groups.size() < 4 || groups[3].empty()) return;
  const Dim& batch = graph.type(groups[3][0]).dim(0);
  Integers rows;
  bool differ = false;
  for (size_t i = 0; i < groups[0].size(); ++i) {
    differ = differ || row_carry[i] != is_row_carry(graph.type(groups[0][i]), batch);
    if (row_carry[i]) rows.push_back(static_cast<int64_t>(i));
  }
  if (differ) attrs.set("rows", rows.empty() ? Integers{-1} : rows);
}

Attrs scan_attrs(const Graph& graph, const OperandGroups& groups, Integers axes, Integers out_axes,
                 bool reverse, const Dim& steps, const std::vector<bool>& row_carry) {
  Attrs attrs{{"axes", std::move(axes)}, {"out_axes", std::move(out_axes)}, {"reverse", reverse}};
  if (groups[1].empty()) attrs.set("steps", steps);
  set_row_carries(attrs, graph, groups, row_carry);
  return attrs;
}

bool is_row_carry(const TensorType& carry, const Dim& batch) {
  return carry.rank() > 0 && carry.dim(0) == batch;
}

ScanParts::ScanParts(const OpView& op)
    : carries(op.count("carries")),
      scanned(op.count("scanned")),
      invariants(op.count("invariants")),
      has_lengths(op.has("lengths")),
      reverse(op.flag("reverse")),
      steps(scan_steps(op)),
      axes(op.integers("axes")),
      out_axes(op.integers("out_axes")),
      stacked(static_cast<int>(op.region().outputs().size()) - carries),
      row_carry(static_cast<size_t>(carries)) {
  if (!has_lengths) return;
  const Integers& rows = op.integers("rows");
  for (int i = 0; i < carries; ++i)
    row_carry[static_cast<size_t>(i)] =
        rows.empty() ? is_row_carry(op.operand(i), op.operand("lengths").dim(0))
                     : std::find(rows.begin(), rows.end(), i) != rows.end();
}

Types scan_region_arguments(const OpView& op, int) {
  scan_steps(op);
  Types types = op.group("carries");
  const Integers& axes = op.integers("axes");
  for (int i = 0; i < op.count("scanned"); ++i) {
    TensorType x = op.operand(op.position("scanned") + i);
    x.shape.erase(x.shape.begin() + axes[static_cast<size_t>(i)]);
    types.push_back(x);
  }
  for (const TensorType& x : op.group("invariants")) types.push_back(x);
  if (op.has("lengths")) {
    const TensorType& lengths = op.operand("lengths");
    if (lengths.dtype != DType::s32 || lengths.rank() != 1)
      op.fail("scan.6", "needs lengths s32[B], found ", lengths);
    types.push_back({DType::pred, lengths.shape});
  }
  return types;
}

Types infer_scan(const OpView& op) {
  const Types want = scan_region_arguments(op, 0);
  if (op.node().regions.size() != 1) op.fail("scan.7", "needs a region");
  const Graph& body = op.region();
  if (body.arguments().size() != want.size())
    op.fail("scan.8", "needs a region of ", want.size(), " arguments, found ",
            body.arguments().size());
  for (size_t i = 0; i < want.size(); ++i)
    if (body.type(body.arguments()[i].value) != want[i])
      op.fail("scan.9", "needs argument ", i, " of its region to be ", want[i], ", found ",
              body.type(body.arguments()[i].value));
  const ScanParts parts(op);
  if (parts.stacked < 0)
    op.fail("scan.10", "needs its region to yield ", parts.carries, " carries, found ",
            body.outputs().size());
  if (static_cast<int>(parts.out_axes.size()) != parts.stacked)
    op.fail("scan.11", "needs one of `out_axes` for each stacked output, ", parts.stacked,
            ", found ", parts.out_axes.size());
  check_rows(op, parts);
  Types types = op.group("carries");
  for (int i = 0; i < parts.carries; ++i) {
    const TensorType& yielded = body.type(body.outputs()[static_cast<size_t>(i)].value);
    if (yielded != types[static_cast<size_t>(i)])
      op.fail("scan.12", "needs carry ", i, " to be yielded as ", types[static_cast<size_t>(i)],
              ", found ", yielded);
  }
  for (int i = 0; i < parts.stacked; ++i) {
    TensorType x = body.type(body.outputs()[static_cast<size_t>(parts.carries + i)].value);
    const int64_t axis = parts.out_axes[static_cast<size_t>(i)];
    if (axis < 0 || axis > x.rank())
      op.fail("scan.13", "entry ", i, " of out_axes must lie in [0, ", x.rank(), "], found ", axis);
    if (op.has("lengths") && !is_row_carry(x, op.operand("lengths").dim(0)))
      op.fail("scan.14", "needs stacked output ", i, " to have the ", op.operand("lengths").dim(0),
              " rows of lengths in front, found ", x);
    x.shape.insert(x.shape.begin() + axis, parts.steps);
    types.push_back(x);
  }
  return types;
}

Types custom_vjp_region_arguments(const OpView& op, int region) {
  Types types = op.group("x");
  if (region == 0) return types;
  const Graph& forward = op.region(0);
  for (int round = 0; round < 2; ++round)
    for (const Output& o : forward.outputs()) types.push_back(forward.type(o.value));
  return types;
}

Types infer_custom_vjp(const OpView& op) {
  if (op.node().regions.size() != 2)
    op.fail("custom_vjp.1", "needs two regions, found ", op.node().regions.size());
  for (int r = 0; r < 2; ++r) {
    const Types want = custom_vjp_region_arguments(op, r);
    const Graph& body = op.region(r);
    if (body.arguments().size() != want.size())
      op.fail("custom_vjp.2", "needs region ", r, " to take ", want.size(), " arguments, found ",
              body.arguments().size());
    for (size_t i = 0; i < want.size(); ++i)
      if (body.type(body.arguments()[i].value) != want[i])
        op.fail("custom_vjp.3", "needs argument ", i, " of region ", r, " to be ", want[i],
                ", found ", body.type(body.arguments()[i].value));
  }
  Types adjoints;
  for (const TensorType& x : op.group("x"))
    if (is_float(x.dtype)) adjoints.push_back(x);
  const Graph& backward = op.region(1);
  if (backward.outputs().size() != adjoints.size())
    op.fail("custom_vjp.4", "needs region 1 to yield ", adjoints.size(), " adjoints, found ",
            backward.outputs().size());
  for (size_t i = 0; i < adjoints.size(); ++i)
    if (backward.type(backward.outputs()[i].value) != adjoints[i])
      op.fail("custom_vjp.5", "needs adjoint ", i, " to be ", adjoints[i], ", found ",
              backward.type(backward.outputs()[i].value));
  Types types;
  for (const Output& o : op.region(0).outputs()) types.push_back(op.region(0).type(o.value));
  return types;
}

}  // namespace weft::ir::ops
