// ir/passes/precision/products.h -- which operands of which ops products read, and what only moves
// elements.
#pragma once
#include "ir/graph.h"

#include <string>
#include <vector>

namespace weft::ir {

// Where in a program a node stands, as far as it matters here.
enum class Place : uint8_t { outside, in_loop };

// The operands that the products of this node read, or attention, all of them f32; none where it has
// none.
std::vector<int> lowered_operands(const OpView& op);
// Why they are not worth reading as bf16: "multiplies batches of matrices"; empty: they are.
std::string reason_for_f32(const OpView& op, Place place);
// The operand that is compared with 0, or -1: rounding to bf16 keeps signs.
int operand_by_sign(const OpView& op);
// The operands whose elements, unchanged, are those of the result; none where it computes some.
std::vector<int> moved_operands(const OpView& op);

}  // namespace weft::ir
