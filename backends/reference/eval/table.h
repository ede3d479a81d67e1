// backends/reference/eval/table.h -- what each op computes: one evaluation an op, fused ops
// excepted.
//
// A fused op has none: what it means is its `expand`, which the interpreter runs.
#pragma once
#include "backends/reference/eval/tensor.h"
#include "ir/op_def.h"

#include <functional>
#include <span>

namespace weft::backends::reference {

using ir::OpView;

// A node with the values of its operands.
struct Call {
  const OpView& op;
  const Tensors& in;
  const ir::Bindings& bindings;
  const std::function<Tensors(const ir::Graph&, const Tensors&)>& run;  // evaluates a region

  Dims dims(int result = 0) const { return ir::values(op.result(result).shape, bindings); }
  ir::DType dtype(int result = 0) const { return op.result(result).dtype; }
  int64_t size(std::string_view attr) const { return op.dim(attr).value(bindings); }
};

struct Evaluation {
  const ir::OpDef* op;
  std::function<Tensors(const Call&)> results;

  Evaluation(const ir::OpDef* op, Tensor (*one)(const Call&))  // an op of one result
      : op(op), results([one](const Call& call) { return Tensors{one(call)}; }) {}
  Evaluation(const ir::OpDef* op, std::function<Tensors(const Call&)> all)
      : op(op), results(std::move(all)) {}
};

std::span<const Evaluation* const> evaluations();        // sorted by the op's name
const Evaluation* find_evaluation(const ir::OpDef& op);  // null: a fused op

namespace eval {

// By file.
std::span<const Evaluation* const> of_convolution();
std::span<const Evaluation* const> of_distance();
std::span<const Evaluation* const> of_elementwise();
std::span<const Evaluation* const> of_gather();
std::span<const Evaluation* const> of_matmul();
std::span<const Evaluation* const> of_pack();
std::span<const Evaluation* const> of_pool();
std::span<const Evaluation* const> of_random();
std::span<const Evaluation* const> of_reduce();
std::span<const Evaluation* const> of_scan();
std::span<const Evaluation* const> of_shape();
std::span<const Evaluation* const> of_softmax();
std::span<const Evaluation* const> of_sort();
std::span<const Evaluation* const> of_top_k();

}  // namespace eval
}  // namespace weft::backends::reference
