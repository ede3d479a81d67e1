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

extern const Evaluation abs, add, ceil, cast, cos, div, equal, erf, exp, expm1, floor, gelu,
    gelu_tanh, greater, greater_equal, is_finite, less, less_equal, log, log1p, logical_and,
    logical_not, logical_or, logical_xor, maximum, minimum, mul, neg, not_equal, pow, relu,
    remainder, round, rsqrt, select, sigmoid, sign, silu, sin, softplus, sqrt, sub,
    tanh;                                                                  // elementwise.cpp
extern const Evaluation conv, conv_input_grad, conv_weight_grad;           // convolution.cpp
extern const Evaluation dynamic_slice, gather, scatter_add, update_slice;  // gather.cpp
extern const Evaluation matmul;                                            // matmul.cpp
extern const Evaluation length_order, pack, unpack;                        // pack.cpp
extern const Evaluation avg_pool, avg_pool_grad, max_pool;                 // pool.cpp
extern const Evaluation random;                                            // random.cpp
extern const Evaluation arg_max, cumprod, cumsum, linear_recurrence, max, mean, min, prod,
    sum;                                   // reduce.cpp
extern const Evaluation custom_vjp, scan;  // scan.cpp
extern const Evaluation broadcast, concat, constant, dim_size, iota, length_mask, one_hot, pad,
    reshape, reverse, same_dim, slice, stop_gradient, transpose;  // shape.cpp
extern const Evaluation log_softmax, softmax;                     // softmax.cpp
extern const Evaluation sort;                                     // sort.cpp
extern const Evaluation top_k;                                    // top_k.cpp

}  // namespace eval
}  // namespace weft::backends::reference
