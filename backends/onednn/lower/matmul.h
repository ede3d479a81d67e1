// backends/onednn/lower/matmul.h -- matrix products as oneDNN primitives.
#pragma once
#include "backends/onednn/plan/lowering.h"

namespace weft::onednn {

void lower_matmul(Emit& e);
void lower_linear(Emit& e);
bool matmul_bounded(const ir::OpView& op);
Layout linear_operand(const ir::OpView& op, int operand);
bool rounds_weight(const ir::OpView& op, int operand);  // of w, or b of matmul
bool linear_in_place(const ir::OpView& op, int result, int operand);

}  // namespace weft::onednn
