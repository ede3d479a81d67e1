// ir/rules/matmul.cpp -- matmul over steps: into the rows, the batch, or the contraction.
//
//   each:  [T,M,K] x [K,N] -> [T,M,N]         one large matmul, rows T*M
//   sum:   sum_t a_t' b_t, a_t: [K,M], b_t: [K,N]  ->  [T*K,M]' [T*K,N]: one contraction
#include "ir/rules/table.h"

namespace weft::ir::batching {
namespace {

bool folds_into_contraction(const OpView& op) {
  return op.flag("transpose_a") && !op.flag("transpose_b") && op.operand(0).rank() == 2 &&
         op.operand(1).rank() == 2;
}

}  // namespace

bool can_matmul(const OpView& op, const Flags& lifted, const Wants& wants) {
  if (wants[0] != Want::sum) return true;
  return folds_into_contraction(op) && lifted[0] && lifted[1];
}

Values matmul(const Lift& lift, const Wants& wants) {
  const int rank = lift.op.result().rank();
  if (wants[0] == Want::sum) {
    const auto rows = [&](int i) {
      const Shape& s = lift.builder.type(lift.operands[static_cast<size_t>(i)]).shape;
      return lift.builder.reshape(lift.operands[static_cast<size_t>(i)], {s[0] * s[1], s[2]});
    };
    return lift.emit({rows(0), rows(1)});
  }
  return lift.emit({lift.aligned(0, rank), lift.aligned(1, rank)});
}

bool can_linear(const OpView& op, const Flags& lifted, const Wants& wants) {
  return !op.has("residual") && only_first_lifted(op, lifted, wants);
}

}  // namespace weft::ir::batching
