// ir/rules/op_rules.h -- what passes and derivatives ask of an op besides what it computes.
//
// One row an op, in the files of its family (ir/rules/softmax.cpp for ir/ops/softmax.h):
//
//   {.op = &ops::softmax, .axes = as_first, .batching = {only_each, same_node},
//    .rows = along_inner_axes, .cost = Cost::rows, .range = Range::bounded}
//
//   axes, signature   which axes of its operands and results are the same (axes.h)
//   batching          how it is done for all steps of a loop at once (batching.h); none: it stays
//   rows              what it does with rows, by the roles of its operands (row_use.h), or
//                     stays_whole, why nothing is said
//   keeps_zero, adds_nothing  where zeros in rows lead to zeros; else what its traits say
//   cost              what doing it costs, roughly
//   range             what its values can be where its operands' are finite, infinite or NaN
//   bf16              which operands may be bf16 where all else is f32 (ir/passes/precision)
//   moves             which operands hold the very elements of the result
//
// A test demands a row of every op, and of every op that has a product, alone or within, which
// factors may be bf16, or why none may. Elementwise ops have one in common, and rows of their own for
// what differs.
#pragma once
#include "ir/ops/window.h"
#include "ir/rules/axes.h"
#include "ir/rules/batching.h"
#include "ir/rules/row_use.h"

#include <span>
#include <string_view>

namespace weft::ir {

enum class Cost : uint8_t {
  other,     // a kernel of its own, whatever it does
  moves,     // moves, repeats or makes elements, or is a view
  copies,    // puts rows or columns side by side
  looks_up,  // reads rows at places known at run time
  elementwise,
  draws,  // random numbers
  rows,   // passes over rows: reductions, softmax
  norm,
  loss,
  product,  // matrix products, alone or within
};

enum class Range : uint8_t {
  sums,     // of finite operands finite, of infinite ones perhaps NaN
  moved,    // what its operands hold
  bounded,  // finite even of infinite operands
  poles,    // anything, even of finite operands
  adjoint,  // linear in its first operands: zero where they are zero and nothing else is NaN
  norm,     // of finite operands finite, else anything
};

// Operands that may be bf16 where they are f32 and the op computes in f32.
struct Bf16Operands {
  // Of its matrix products, or of attention's: read as bf16 unless `held_back` says why not. Those
  // that a node lacks are passed over.
  List<std::string_view, 4> factors = {};
  Shape (*matrices)(const OpView& op) = nullptr;  // sizes of what is multiplied
  std::string_view (*held_back)(const OpView& op, bool in_loop) = nullptr;  // empty: nothing
  // Others that it multiplies by something, so that a relative error of theirs is one of the result:
  // what the forward pass leaves to such operands of the backward pass alone is kept as bf16. Of what
  // the backward pass makes they read what products read. So do sums over rows.
  List<std::string_view, 4> saved = {};
};

enum class Moves : uint8_t { nothing, first, all };

struct OpRules {
  const OpDef* op;
  const char* signature = nullptr;
  void (*axes)(NodeAxes& node) = nullptr;
  BatchingRule batching = {};
  RowUse (*rows)(const Led& led) = nullptr;
  const char* stays_whole = nullptr;
  std::optional<Flags> (*moved)(const Led& led) = nullptr;  // as `rows` says, if there is none
  bool (*keeps_zero)(const OpView& op, int result, const Flags& zero) = nullptr;
  bool (*adds_nothing)(const OpView& op, const Flags& zero) = nullptr;
  Cost cost = Cost::other;
  Range range = Range::sums;
  Bf16Operands bf16 = {};
  Moves moves = Moves::nothing;
};

// Of an op without a row: what nothing is known of.
const OpRules& rules_of(const OpDef& op);
bool has_rules(const OpDef& op);

inline Cost cost_of(const OpDef& op) { return rules_of(op).cost; }

namespace rules {

// The rows of each file.
std::span<const OpRules> attention();
std::span<const OpRules> convolution();
std::span<const OpRules> distance();
std::span<const OpRules> elementwise();  // those that differ from the others
std::span<const OpRules> gather();
std::span<const OpRules> loss();
std::span<const OpRules> matmul();
std::span<const OpRules> norm();
std::span<const OpRules> optimizer();
std::span<const OpRules> pack();
std::span<const OpRules> pool();
std::span<const OpRules> random();
std::span<const OpRules> recurrent();
std::span<const OpRules> reduce();
std::span<const OpRules> scan();
std::span<const OpRules> shape();
std::span<const OpRules> softmax();
std::span<const OpRules> sort();
std::span<const OpRules> top_k();
const OpRules& any_elementwise();

// What several files need (common.cpp).
void as_first(NodeAxes& node);      // the first operand's axes
void all_alike(NodeAxes& node);     // one type for all
void without_axis(NodeAxes& node);  // the first operand's but `axis`
Values same_node(const Lift& lift, const Wants& wants);
Values same_node_all_lifted(const Lift& lift, const Wants& wants);
bool only_first_lifted(const OpView& op, const Flags& lifted, const Wants& wants);
RowUse along_inner_axes(const Led& led);  // `axis` or `axes` lie behind the rows
RowUse all_led(const Led& led);
// Windows (ir/ops/window.h): the axes of T[B,s...,C] between the first and the last, and those of
// the window's positions along them.
AxisList axes_between(const AxisList& x);
AxisList axes_around(Axis batch, const AxisList& between, Axis channels);
AxisList positions(NodeAxes& node, const ops::Window& window, const AxisList& between);
// [steps,B,...] as [steps*B,...], and back.
Value with_steps_in_batch(const Lift& lift, Value v);
Values with_steps_in_front(const Lift& lift, const Values& made);
bool first_zero(const OpView& op, int result, const Flags& zero);
bool either_zero(const OpView& op, int result, const Flags& zero);
bool first_adds_nothing(const OpView& op, const Flags& zero);

}  // namespace rules
}  // namespace weft::ir
