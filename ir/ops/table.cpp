// ir/ops/table.cpp -- every op, sorted by name.
#include "ir/ops/table.h"

#include "ir/ops/all.h"

#include <algorithm>
#include <vector>

namespace weft::ir::ops {
namespace {

constexpr const OpDef* kTable[] = {
    &abs,
    &adadelta_update,
    &adam_update,
    &add,
    &arg_max,
    &attention,
    &attention_grad,
    &avg_pool,
    &avg_pool_grad,
    &broadcast,
    &cast,
    &ceil,
    &concat,
    &constant,
    &conv,
    &conv_input_grad,
    &conv_weight_grad,
    &cos,
    &cumprod,
    &cumsum,
    &custom_vjp,
    &dim_size,
    &div,
    &dynamic_slice,
    &equal,
    &erf,
    &exp,
    &expm1,
    &floor,
    &gather,
    &gelu,
    &gelu_tanh,
    &greater,
    &greater_equal,
    &gru_cell,
    &gru_cell_grad,
    &iota,
    &is_finite,
    &layer_norm,
    &layer_norm_grad,
    &length_mask,
    &length_order,
    &less,
    &less_equal,
    &linear,
    &linear_cross_entropy,
    &linear_recurrence,
    &log,
    &log1p,
    &log_softmax,
    &log_softmax_top_k,
    &logical_and,
    &logical_not,
    &logical_or,
    &logical_xor,
    &lstm_cell,
    &lstm_cell_grad,
    &matmul,
    &max,
    &max_pool,
    &max_pool_grad,
    &maximum,
    &mean,
    &min,
    &minimum,
    &mul,
    &neg,
    &not_equal,
    &one_hot,
    &pack,
    &packed_attention,
    &packed_attention_grad,
    &pad,
    &pow,
    &prod,
    &random,
    &relu,
    &remainder,
    &reshape,
    &reverse,
    &rms_norm,
    &rms_norm_grad,
    &round,
    &rsqrt,
    &same_dim,
    &scan,
    &scatter_add,
    &select,
    &sigmoid,
    &sign,
    &silu,
    &sin,
    &slice,
    &softmax,
    &softmax_cross_entropy,
    &softmax_cross_entropy_grad,
    &softmax_grad,
    &softplus,
    &sort,
    &sqrt,
    &squared_norm,
    &stop_gradient,
    &sub,
    &sum,
    &tanh,
    &top_k,
    &transpose,
    &unpack,
    &update_slice,
};

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::span<const OpDef* const> table() { return kTable; }

const OpDef* find(std::string_view name) {
  const auto it =
      std::lower_bound(std::begin(kTable), std::end(kTable), name,
                       [](const OpDef* op, std::string_view n) { return op->name < n; });
  return it != std::end(kTable) && (*it)->name == name ? *it : nullptr;
}

std::string closest_name(std::string_view name) {
  name = name.substr(0, 64);
  const OpDef* best =
      *std::min_element(std::begin(kTable), std::end(kTable), [&](const OpDef* a, const OpDef* b) {
        return edit_distance(a->name, name) < edit_distance(b->name, name);
      });
  return std::string(best->name);
}

}  // namespace weft::ir::ops
