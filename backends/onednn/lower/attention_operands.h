// backends/onednn/lower/attention_operands.h -- what additive and dot-product attention read alike:
// sizes, dropout, the rows that are real.
#pragma once
#include "backends/onednn/kernels/dot_attention.h"
#include "backends/onednn/lower/lowering.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace weft::onednn {

inline constexpr ir::DType kFloat = ir::DType::f32;

inline bool additive(const ir::OpView& op) { return op.text("score") == "additive"; }
inline bool single_query(const ir::OpView& op) {
  return op.operand("q").rank() + 1 == op.operand("k").rank();
}

// All operands with a query axis; scores are [leading..., queries, keys].
struct AttentionSizes {
  bool single;
  Dims leading;
  int64_t batch = 1, queries, keys, hidden, width;  // batch: product of leading
  Dims scores;

  explicit AttentionSizes(const Emit& e) : single(single_query(e.op)) {
    const Tensor& k = e.in("k");
    leading.assign(k.dims.begin(), k.dims.end() - 2);
    for (const int64_t d : leading) batch *= d;
    keys = k.dim(-2);
    hidden = k.dim(-1);
    width = e.in("v").dim(-1);
    queries = single ? 1 : e.in("q").dim(-2);
    scores = leading;
    scores.push_back(queries);
    scores.push_back(keys);
  }

  // Adds the query axis that a single query leaves out, before the last axis.
  Tensor with_queries(const Tensor& t) const {
    return single && t.rank() > 0 ? with_axis(t, t.rank() - 1, 1, t.dim(-1)) : t;
  }
  Tensor on_scores(const Tensor& t) const { return broadcast_to(with_queries(t), scores); }
  Tensor of_lse(const Tensor& t) const { return single ? with_axis(t, t.rank(), 1, 1) : t; }
};

// Dropout as the kernels take it; pointers and step are set when it runs.
struct Drawn {
  kernels::WeightDropout args;
  Tensor step, rows, position;
  Tensor counted;  // dropout's elements, as strides over the scores

  Drawn(const Emit& e, const AttentionSizes& s) {
    const double keep = e.op.real("keep");
    if (keep == 1.0 || s.batch == 0) return;
    // As `random` decides: a word below keep * 2^32 keeps.
    args = {
        .on = true,
        .threshold = static_cast<uint32_t>(std::min(std::ceil(keep * 4294967296.0), 4294967295.0)),
        .factor = static_cast<float>(1 / keep),
        .stream = static_cast<uint64_t>(e.op.integer("stream"))};
    step = e.in("step"), rows = e.in("rows");
    if (e.has("position")) position = e.in("position");
    counted = {kFloat, s.scores, Dims(s.scores.size(), 0), {}};
    const ir::Integers& axes = e.op.integers("inner_axes");
    int64_t stride = 1;
    for (size_t i = axes.size(); i-- > 0;) {
      const int64_t axis = s.single && axes[i] < -1 ? axes[i] - 1 : axes[i];
      const size_t at = static_cast<size_t>(static_cast<int64_t>(s.scores.size()) + axis);
      counted.strides[at] = stride;
      stride *= s.scores[at];
    }
    args.row = counted.stride(-2), args.column = counted.stride(-1);
  }
  void set(const Run& run, kernels::WeightDropout& to) const {
    if (!args.on) return;
    to.step = integer_at(run, step);
    to.row_id = run.at<int64_t>(rows.at);
    if (position.at.base < 0) return;
    to.position = run.at<int32_t>(position.at);
    to.position_row = position.rank();
  }
};

inline int64_t diagonal_of(const Emit& e) { return e.op.flag("causal") ? 0 : kernels::kNoDiagonal; }

// The kernel's batch where it is the bound's rows; else all rows are computed, which does no harm.
inline std::optional<RowBound> bound_of(const Emit& e, int64_t walked, int64_t batch) {
  const auto rows = e.bound();
  return rows && walked == 1 && batch == rows->rows ? rows : std::nullopt;
}

inline int wanted_index(const ir::OpView& op, std::string_view name) {
  const ir::Texts& wanted = op.texts("wanted");
  const auto found = std::find(wanted.begin(), wanted.end(), name);
  return found == wanted.end() ? -1 : static_cast<int>(found - wanted.begin());
}

void lower_additive(Emit& e);
void lower_additive_grad(Emit& e);
void lower_dot(Emit& e);
void lower_dot_grad(Emit& e);

}  // namespace weft::onednn
