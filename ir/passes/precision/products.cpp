// ir/passes/precision/products.cpp -- see products.h.
#include "ir/passes/precision/products.h"

#include "ir/error.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir {
namespace {

// Narrower matrices, and rows, are not worth a cast.
constexpr int64_t kThin = 32;

bool has_operand(const OpView& op, std::string_view name) {
  return op.def().operand_index(name) >= 0 && op.count(name) > 0;
}

std::vector<int> named(const OpView& op, const List<std::string_view, 4>& names) {
  std::vector<int> operands;
  for (const std::string_view name : names)
    if (has_operand(op, name) && op.operand(name).dtype == DType::f32)
      operands.push_back(op.position(name));
  return operands;
}

// Into one number a row: its error would be that of all terms.
bool sums_up_rows(const OpView& op) {
  if (op.def().attr("axes") == nullptr) return false;
  const std::vector<int64_t> axes = op.axes();
  return std::find(axes.begin(), axes.end(), op.operand(0).rank() - 1) != axes.end();
}

}  // namespace

std::vector<int> lowered_operands(const OpView& op) {
  return named(op, rules_of(op.def()).bf16.factors);
}

std::string reason_for_f32(const OpView& op, bool in_loop) {
  const Bf16Operands& bf16 = rules_of(op.def()).bf16;
  if (bf16.held_back != nullptr)
    if (const std::string_view reason = bf16.held_back(op, in_loop); !reason.empty())
      return std::string(reason);
  if (bf16.matrices == nullptr) return {};
  for (const Dim& size : bf16.matrices(op))
    if (const auto n = size.constant(); n && *n < kThin)
      return concat("has a matrix of ", *n, " rows or columns, fewer than ", kThin);
  return {};
}

// What is below 2^-134 becomes 0, as if products had flushed it.
int operand_by_sign(const OpView& op) {
  if (op.operand_count() != 2 || op.result().dtype != DType::pred || !op.def().elementwise)
    return -1;
  for (const int i : {0, 1}) {
    const Value other = op.node().operands[static_cast<size_t>(1 - i)];
    if (op.operand(i).dtype == DType::f32 && is_zero_constant(op.graph(), other)) return i;
  }
  return -1;
}

std::vector<int> moved_operands(const OpView& op) {
  const OpRules& rules = rules_of(op.def());
  if (rules.moves == Moves::nothing) return {};
  // A look-up that picks some of many rows is one of a table of embeddings.
  if (rules.cost == Cost::looks_up && op.operand(0).shape != op.result().shape) return {};
  std::vector<int> all{0};
  while (rules.moves == Moves::all && static_cast<int>(all.size()) < op.operand_count())
    all.push_back(static_cast<int>(all.size()));
  return all;
}

std::vector<int> saved_operands(const OpView& op) {
  if (op.node().from.part != Part::backward) return {};
  std::vector<int> operands;
  for (const int i : named(op, rules_of(op.def()).bf16.saved)) {
    const TensorType& type = op.operand(i);
    const auto width = type.rank() < 2 ? std::nullopt : type.dim(-1).constant();
    if (width && *width >= kThin && !sums_up_rows(op)) operands.push_back(i);
  }
  return operands;
}

}  // namespace weft::ir
