// ir/ops/scan.h -- the only loop; and a function with a derivative of the user's own.
//
//   %sN, %o = scan(carries; scanned; invariants; lengths) {axes, out_axes, reverse, steps}
//       (carries, one slice of each scanned, invariants, [%live: pred[B]]) {
//     ... yield carries; stacked
//   }
//
// Runs its region once for each position t = 0..T-1 (reverse: T-1..0), T being the size of every
// scanned operand along its entry of `axes`, or `steps` where nothing is scanned. Results: the
// final carries, then the stacked outputs, their new axis at `out_axes`.
//
// With lengths: s32[B], steps t >= lengths[b] are no-ops for row b: carries whose leading dim is B
// keep that row, stacked outputs are zero there, and the region's last argument %live says which
// rows live; carries of other shapes are the body's business. The region is isolated.
//
// Which carries have rows is a matter of their types, unless `rows` lists them ([-1]: none has).
// Whoever makes a loop of a loop says so (`scan_attrs`): a carry of f32[4,...] in a graph whose
// batch is 4 may be the sum of a weight's gradient, of which no row ever ends.
#pragma once
#include "ir/graph.h"

namespace weft::ir::ops {

Types infer_scan(const OpView& op);
Types scan_region_arguments(const OpView& op, int region);
Types infer_custom_vjp(const OpView& op);
Types custom_vjp_region_arguments(const OpView& op, int region);

inline constexpr OpDef scan{
    .name = "scan",
    .operands = {{"carries", Arity::variadic},
                 {"scanned", Arity::variadic},
                 {"invariants", Arity::variadic},
                 {"lengths", Arity::optional}},
    .attrs = {{"axes", AttrKind::integers, kEmpty},
              {"out_axes", AttrKind::integers, kEmpty},
              {"reverse", false},
              {"steps", AttrKind::dim, int64_t{-1}},
              {"rows", AttrKind::integers, kEmpty}},
    .infer = infer_scan,
    .regions = 1,
    .region_arguments = scan_region_arguments,
    .doc = "The loop: carries, scanned inputs, invariants; ended rows (lengths) are no-ops."};

// Region 0: (operands) -> results. Region 1: (operands, results, adjoints of results) -> adjoints
// of the float operands. What the region computes is the op's meaning; its gradient is region 1.
inline constexpr OpDef custom_vjp{
    .name = "custom_vjp",
    .operands = {{"x", Arity::variadic}},
    .infer = infer_custom_vjp,
    .regions = 2,
    .region_arguments = custom_vjp_region_arguments,
    .doc = "A function (region 0) with a derivative of its own (region 1)."};

// A scan read by its parts.
struct ScanParts {
  explicit ScanParts(const OpView& op);
  int carries, scanned, invariants;
  bool has_lengths, reverse;
  Dim steps;
  Integers axes, out_axes;
  int stacked;                  // number of stacked outputs, from the region
  std::vector<bool> row_carry;  // by carry: does it keep rows that have ended?
};

// Does its type say that a carry has rows?
bool is_row_carry(const TensorType& carry, const Dim& batch);

// Sets `rows` where the types of these operands would say something else.
void set_row_carries(Attrs& attrs, const Graph& graph, const OperandGroups& groups,
                     const std::vector<bool>& row_carry);

// All attributes of a loop over these operands.
Attrs scan_attrs(const Graph& graph, const OperandGroups& groups, Integers axes, Integers out_axes,
                 bool reverse, const Dim& steps, const std::vector<bool>& row_carry);

inline constexpr const OpDef* kScanOps[] = {&scan, &custom_vjp};

}  // namespace weft::ir::ops
