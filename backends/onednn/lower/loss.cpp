// backends/onednn/lower/loss.cpp -- softmax cross-entropy and its adjoint.
#include "backends/onednn/kernels/cross_entropy.h"
#include "backends/onednn/lower/dtype.h"
#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "backends/onednn/plan/moves.h"
#include "ir/check.h"
#include "ir/ops/all.h"

#include <cmath>
#include <optional>

namespace weft::onednn {
namespace {

struct Rows {
  kernels::CrossEntropy args;
  Tensor logits, labels, weights;
  bool weighted;
  std::optional<RowBound> bound;
  int64_t first = 0;          // of a block of rows
  std::string before, after;  // of the complaint about a label

  Rows(Emit& e, const Tensor& logits)
      : logits(logits),
        labels(e.in("labels")),
        weights(labels),
        weighted(e.has("weights")),
        bound(e.bound()) {
    if (weighted) weights = e.in("weights");
    args.rows = row_count(logits);
    args.classes = logits.dim(-1);
    args.ld_logits = *row_stride(logits);
    args.smoothing = static_cast<float>(e.op.real("smoothing"));
    args.skip_unknown = e.op.flag("skip_unknown");
    if (labels.dtype != ir::DType::s32 && labels.dtype != ir::DType::s64) {
      const Tensor wide = e.temporary(ir::DType::s64, labels.dims);
      e.kernel("cast labels, plain", 0, [from = labels, wide](const Run& run) {
        for (int64_t i = 0; i < from.size(); ++i)
          run.at<int64_t>(wide.at)[i] = integer_at(run, from, i);
      });
      labels = wide;
    }
    args.label_dtype = *kernel_dtype(labels.dtype);
    const ir::SourceLoc& loc = e.op.node().from.loc;
    before = (loc.known() ? loc.str() + ": " : "") + "error: '" + std::string(e.op.def().name) +
             "' reads label ";
    after = " of " +
            e.op.graph().display_name(
                e.op.node().operands[static_cast<size_t>(e.op.position("labels"))]) +
            ", needs 0 to " + std::to_string(args.classes - 1) + " [" +
            std::string(e.op.def().name) + ".label]";
  }

  // `n` rows from `first` on; the scores are those of the block alone.
  Rows block(int64_t first, int64_t n) const {
    Rows b = *this;
    b.first = first, b.args.rows = n, b.bound = within(bound, first, n);
    return b;
  }

  kernels::CrossEntropy resolved(const Run& run) const {
    kernels::CrossEntropy k = args;
    if (bound) k.rows = (*bound)(run);
    k.logits = run.at<float>(logits.at);
    k.labels = run(labels.at) + first * labels.element_bytes();
    k.weight = weighted ? run.at<float>(weights.at) + first : nullptr;
    return k;
  }

  void check(const Run& run, int64_t wrong) const {
    if (wrong >= 0)
      throw ir::GraphError(before + std::to_string(integer_at(run, labels, first + wrong)) +
                           " at row " + std::to_string(first + wrong) + after);
  }
};

}  // namespace

Layout loss_operand(const ir::OpView& op, int operand) {
  return operand == op.position("logits") ? Layout::rows : Layout::dense;
}

// The log-sum-exp of a row that is not read is that of zeros.
void lower_softmax_cross_entropy(Emit& e) {
  e.needs_arithmetic(e.in("logits").dtype);
  const Rows rows(e, e.in("logits"));
  const Tensor loss = e.out(0), lse = e.out(1);
  if (loss.size() == 0) return;
  const float unread = std::log(static_cast<float>(rows.args.classes));
  e.kernel("cross_entropy", 0, [=](const Run& run) {
    kernels::CrossEntropy k = rows.resolved(run);
    k.loss = run.at<float>(loss.at);
    k.lse = run.at<float>(lse.at);
    rows.check(run, kernels::cross_entropy(k));
    for (int64_t i = 0; k.weight != nullptr && i < k.rows; ++i)
      if (k.weight[i] == 0) k.lse[i] = unread;
  });
}

void lower_softmax_cross_entropy_grad(Emit& e) {
  e.needs_arithmetic(e.in("logits").dtype);
  Rows rows(e, e.in("logits"));
  const Tensor dloss = e.in("dloss"), lse = e.in("lse"), dlogits = e.out();
  if (dlogits.size() == 0) return;
  rows.args.ld_dlogits = *row_stride(dlogits);
  e.kernel("cross_entropy_grad", 0, [=](const Run& run) {
    kernels::CrossEntropy k = rows.resolved(run);
    k.drow = run.at<float>(dloss.at);
    k.lse = run.at<float>(lse.at);
    k.dlogits = run.at<float>(dlogits.at);
    rows.check(run, kernels::cross_entropy_grad(k));
  });
}

bool loss_bounded(const ir::OpView& op) {
  const ir::DType labels = op.operand("labels").dtype;
  return op.operand("labels").rank() == 1 && (labels == ir::DType::s32 || labels == ir::DType::s64);
}

Layout linear_loss_operand(const ir::OpView& op, int operand) {
  return operand == op.position("x")   ? Layout::rows
         : operand == op.position("w") ? Layout::matrix
                                       : Layout::dense;
}

// Rows whose scores are held at a time: as many as 64 MB hold, of bf16 16 MB, but enough for fast
// products. Every further block has the products lay out the weights once more and adds to their
// gradient where it lies: 1 to 2 % of a step of W2 and W3b in four blocks and two.
int64_t rows_a_block(int64_t rows, int64_t classes, ir::DType scores) {
  constexpr int64_t kLeastRows = 512;
  const int64_t held = (scores == ir::DType::bf16 ? 16 : 64) << 20;
  const int64_t row = std::max<int64_t>(classes, 1) * ir::bytes(scores);
  const int64_t most = std::max(kLeastRows, held / row);
  const int64_t blocks = (rows + most - 1) / most;
  return blocks == 0 ? 0 : (rows + blocks - 1) / blocks;
}

// A block of rows at a time; the gradient of its scores takes their place, both of the dtype of x.
void lower_linear_cross_entropy(Emit& e) {
  const auto by_rows = [](const Tensor& t) { return *reshaped(t, {row_count(t), t.dim(-1)}); };
  const Tensor x = by_rows(e.in("x")), dloss = e.in("dloss");
  const ir::DType real = e.out(0).dtype;
  e.needs_arithmetic(real);
  const Tensor loss = is_dense(e.out(0)) ? e.out(0) : e.temporary(real, e.out(0).dims);
  const Tensor w = e.op.flag("transpose_b") ? transposed(e.in("w")) : e.in("w");
  const Tensor *dx = e.adjoint("x"), *dw = e.adjoint("w"), *dbias = e.adjoint("bias");
  const int64_t rows = x.dim(0), classes = w.dim(1), height = rows_a_block(rows, classes, x.dtype);
  const bool low = x.dtype == ir::DType::bf16;
  if (rows == 0) {
    for (const Tensor* t : {dw, dbias})
      if (t != nullptr) emit_fill(e, *t, 0);
    return;
  }
  const Tensor scores = e.temporary(x.dtype, {height, classes}, dbias == nullptr);
  const int64_t blocks = (rows + height - 1) / height;
  const bool adds = dbias != nullptr && blocks > 1;
  const Tensor sums = adds ? e.temporary(real, {blocks, classes}) : scores;
  const Rows all(e, scores);
  const Ref powers =
      low ? e.workspace(static_cast<int64_t>(kernels::cross_entropy_workspace_bytes(all.args)))
          : Ref{};
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t first = block * height, n = std::min(height, rows - first);
    const auto bound = within(e.bound(), first, n);
    const Tensor of_x = sliced(x, 0, first, n), y = sliced(scores, 0, 0, n);
    MatmulOptions forward{.rows = bound};
    if (e.has("bias")) forward.bias = e.in("bias");
    emit_matmul(e, of_x, w, y, forward);
    Rows part = all.block(first, n);
    part.args.ld_dlogits = part.args.ld_low = part.args.ld_logits;
    e.kernel("cross_entropy_fused", 0, [=](const Run& run) {
      kernels::CrossEntropy k = part.resolved(run);
      k.loss = run.at<float>(loss.at) + first;
      k.drow = run.at<float>(dloss.at) + first;
      if (low) {
        k.low = run.at<uint16_t>(y.at), k.logits = nullptr;
        k.workspace = run.at<float>(powers);
      } else {
        k.dlogits = run.at<float>(y.at);
      }
      part.check(run, kernels::cross_entropy_fused(k));
    });
    if (dbias != nullptr)
      emit_row_sum(e, y, adds ? sliced(sums, 0, block, 1).at : dbias->at, bound);
    if (dx != nullptr)
      emit_matmul(e, y, transposed(w), sliced(by_rows(*dx), 0, first, n), {.rows = bound});
    const MatmulOptions summed{.accumulate = block > 0, .depth = bound};
    if (dw != nullptr && e.op.flag("transpose_b"))
      emit_matmul(e, transposed(y), of_x, *dw, summed);
    else if (dw != nullptr)
      emit_matmul(e, transposed(of_x), y, *dw, summed);
  }
  if (adds) emit_row_sum(e, sums, dbias->at);
  if (loss.at != e.out(0).at) emit_copy(e, loss, e.out(0));
}

bool loss_grad_in_place(const ir::OpView& op, int, int operand) {
  return operand == op.position("logits");
}

namespace {

constexpr Lowering kLowerings[] = {
    {.op = &ir::ops::linear_cross_entropy,
     .lower = lower_linear_cross_entropy,
     .results = Layout::rows,
     .operand = linear_loss_operand,
     .rounds = rounds_weight,
     .bounded = loss_bounded},
    {.op = &ir::ops::softmax_cross_entropy,
     .lower = lower_softmax_cross_entropy,
     .operand = loss_operand,
     .bounded = loss_bounded},
    {.op = &ir::ops::softmax_cross_entropy_grad,
     .lower = lower_softmax_cross_entropy_grad,
     .results = Layout::rows,
     .operand = loss_operand,
     .in_place = loss_grad_in_place,
     .bounded = loss_bounded},
};

}  // namespace

std::span<const Lowering> of_loss() { return kLowerings; }

}  // namespace weft::onednn
