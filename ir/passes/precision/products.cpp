// ir/passes/precision/products.cpp -- see products.h.
#include "ir/passes/precision/products.h"

#include "ir/error.h"
#include "ir/ops/all.h"
#include "ir/ops/attention_parts.h"
#include "ir/rules/row_use.h"

#include <algorithm>

namespace weft::ir {
namespace {

using Sizes = std::vector<Dim>;

// Of the matrices that are multiplied.
Sizes matrix_sizes(const OpView& op, std::string_view operand) {
  const Shape& s = op.operand(operand).shape;
  return {s[s.size() - 2], s[s.size() - 1]};
}

Sizes sizes_of_matmul(const OpView& op) {
  Sizes sizes = matrix_sizes(op, "a");
  const Sizes b = matrix_sizes(op, "b");
  sizes.insert(sizes.end(), b.begin(), b.end());
  return sizes;
}
Sizes sizes_of_linear(const OpView& op) { return matrix_sizes(op, "w"); }
Sizes sizes_of_cell(const OpView& op) { return matrix_sizes(op, "U"); }

struct Products {
  const OpDef* op;
  List<const char*, 2> operands;
  Sizes (*sizes)(const OpView&);
};

constexpr Products kProducts[] = {
    {&ops::gru_cell, {"U", "Un"}, sizes_of_cell},
    {&ops::gru_cell_grad, {"U", "Un"}, sizes_of_cell},
    {&ops::linear, {"x", "w"}, sizes_of_linear},
    {&ops::linear_cross_entropy, {"x", "w"}, sizes_of_linear},
    {&ops::lstm_cell, {"U"}, sizes_of_cell},
    {&ops::lstm_cell_grad, {"U"}, sizes_of_cell},
    {&ops::matmul, {"a", "b"}, sizes_of_matmul},
};

const Products* products_of(const OpDef* op) {
  for (const Products& p : kProducts)
    if (p.op == op) return &p;
  return nullptr;
}

constexpr const OpDef* kMoving[] = {&ops::broadcast, &ops::pack,  &ops::reshape,   &ops::reverse,
                                    &ops::same_dim,  &ops::slice, &ops::transpose, &ops::unpack};

bool is_grad(const OpView& op) { return op.def().operand_index("do") >= 0; }
bool is_attention(const OpView& op) {
  const OpDef* def = &op.def();
  return def == &ops::attention || def == &ops::attention_grad || def == &ops::packed_attention ||
         def == &ops::packed_attention_grad;
}

// It computes in f32: what is gained is that half as much is kept for its adjoint.
std::string reason_of_attention(const OpView& op, Place place) {
  if (ops::is_additive(op)) return "is additive attention";
  if (place == Place::in_loop || ops::is_single_query(op))
    return "would read all keys to make f32 of them in every step";
  return is_grad(op) || op.flag("lse") ? "" : "has no adjoint that what it reads is kept for";
}

}  // namespace

std::vector<int> lowered_operands(const OpView& op) {
  std::vector<int> operands;
  const auto add = [&](std::string_view name) {
    if (op.operand(name).dtype == DType::f32) operands.push_back(op.position(name));
  };
  if (const Products* products = products_of(&op.def()))
    for (const char* name : products->operands) add(name);
  if (is_attention(op))
    for (const char* name : {"q", "k", "v", "o"})
      if (op.def().operand_index(name) >= 0) add(name);
  return operands;
}

std::string reason_for_f32(const OpView& op, Place place) {
  if (is_attention(op)) return reason_of_attention(op, place);
  constexpr int64_t kThin = 32;
  if (&op.def() == &ops::matmul &&
      (op.operand("b").rank() > 2 || (op.operand("a").rank() > 2 && op.flag("transpose_a"))))
    return "multiplies batches of matrices";
  for (const Dim& size : products_of(&op.def())->sizes(op))
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
  const OpDef* def = &op.def();
  if (def == &ops::concat) {
    std::vector<int> all;
    for (int i = 0; i < op.operand_count(); ++i) all.push_back(i);
    return all;
  }
  // Other look-ups pick some of many rows: of a table of embeddings.
  if (def == &ops::gather && op.operand(0).shape == op.result().shape) return {0};
  return std::find(std::begin(kMoving), std::end(kMoving), def) != std::end(kMoving)
             ? std::vector<int>{0}
             : std::vector<int>{};
}

}  // namespace weft::ir
