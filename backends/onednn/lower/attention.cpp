// backends/onednn/lower/attention.cpp -- attention and its adjoint, by the form of the score.
//
// Kernels of our own: nothing of [...,Tq,S] (dot) or [...,Tq,S,D] (additive) is ever stored.
#include "backends/onednn/lower/attention_operands.h"
#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "ir/ops/all.h"
#include "ir/ops/attention_parts.h"

namespace weft::onednn {

Layout attention_operand(const ir::OpView& op, int operand) {
  for (const std::string_view name : {"mask", "bias"})
    if (op.has(name) && operand == op.position(name)) return Layout::any;
  for (const std::string_view name : {"v_a", "q_lengths", "k_lengths", "step", "rows", "position"})
    if (op.def().operand_index(name) >= 0 && op.has(name) && operand == op.position(name))
      return Layout::dense;
  return Layout::inner;
}

void lower_attention(Emit& e) {
  e.needs_arithmetic(ir::product_dtype(e.in("q").dtype));
  ir::ops::is_additive(e.op) ? lower_additive(e) : lower_dot(e);
}

void lower_attention_grad(Emit& e) {
  e.needs_arithmetic(ir::product_dtype(e.in("q").dtype));
  ir::ops::is_additive(e.op) ? lower_additive_grad(e) : lower_dot_grad(e);
}

void lower_packed_attention(Emit& e) {
  e.needs_arithmetic(ir::product_dtype(e.in("q").dtype));
  e.op.def().attr("wanted") != nullptr ? lower_dot_grad(e) : lower_dot(e);
}

namespace {

constexpr Lowering kLowerings[] = {
    {.op = &ir::ops::attention,
     .lower = lower_attention,
     .results = Layout::inner,
     .operand = attention_operand,
     .bounded = always},
    {.op = &ir::ops::attention_grad,
     .lower = lower_attention_grad,
     .results = Layout::inner,
     .operand = attention_operand,
     .bounded = always},
    {.op = &ir::ops::packed_attention,
     .lower = lower_packed_attention,
     .results = Layout::inner,
     .operand = attention_operand,
     .bounded = always},
    {.op = &ir::ops::packed_attention_grad,
     .lower = lower_packed_attention,
     .results = Layout::inner,
     .operand = attention_operand,
     .bounded = always},
};

}  // namespace

std::span<const Lowering> of_attention() { return kLowerings; }

}  // namespace weft::onednn
