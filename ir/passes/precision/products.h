// ir/passes/precision/products.h -- which operands of a node may be bf16, by its op's row in
// ir/rules.
#pragma once
#include "ir/graph.h"

#include <string>
#include <vector>

namespace weft::ir {

// The factors of this node's products, or of attention, that are f32; none where it has none.
std::vector<int> lowered_operands(const OpView& op);
// Why they are not worth reading as bf16: "multiplies batches of matrices"; empty: they are.
std::string reason_for_f32(const OpView& op, bool in_loop);
// The operand that is compared with 0, or -1: rounding to bf16 keeps signs.
int operand_by_sign(const OpView& op);
// The operands whose elements, unchanged, are those of the result; none where it computes some.
std::vector<int> moved_operands(const OpView& op);
// The operands that an adjoint multiplies by something, or sums up over rows, of rows worth keeping in
// half the memory.
std::vector<int> saved_operands(const OpView& op);

}  // namespace weft::ir
