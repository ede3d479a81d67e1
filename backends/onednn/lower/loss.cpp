// backends/onednn/lower/loss.cpp -- softmax cross-entropy and its adjoint.
#include "ir/ops/loss.h"

#include "backends/onednn/kernels/cross_entropy.h"
#include "backends/onednn/lower/copy.h"
#include "backends/onednn/lower/dtype.h"
#include "backends/onednn/lower/ops.h"

#include <cmath>
#include <optional>

namespace weft::onednn {
namespace {

struct Rows {
  kernels::CrossEntropy args;
  Tensor logits, labels, weights;
  bool weighted;
  std::optional<RowBound> bound;
  std::string before, after;  // of the complaint about a label

  explicit Rows(Emit& e)
      : logits(e.in("logits")),
        labels(e.in("labels")),
        weights(labels),
        weighted(e.has("weights")),
        bound(e.bound()) {
    e.needs_arithmetic(logits.dtype);
    if (weighted) weights = e.in("weights");
    args.rows = row_count(logits);
    args.classes = logits.dim(-1);
    args.ld_logits = *row_stride(logits);
    args.smoothing = static_cast<float>(e.op.real("smoothing"));
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

  kernels::CrossEntropy resolved(const Run& run) const {
    kernels::CrossEntropy k = args;
    if (bound) k.rows = (*bound)(run);
    k.logits = run.at<float>(logits.at);
    k.labels = run(labels.at);
    k.weight = weighted ? run.at<float>(weights.at) : nullptr;
    return k;
  }

  void check(const Run& run, int64_t wrong) const {
    if (wrong >= 0)
      throw ir::GraphError(before + std::to_string(integer_at(run, labels, wrong)) + " at row " +
                           std::to_string(wrong) + after);
  }
};

}  // namespace

Layout loss_operand(const ir::OpView& op, int operand) {
  return operand == op.position("logits") ? Layout::rows : Layout::dense;
}

// The log-sum-exp of a row that is not read is that of zeros.
void lower_softmax_cross_entropy(Emit& e) {
  const Rows rows(e);
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
  Rows rows(e);
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
  return op.operand("logits").rank() == 2 && (labels == ir::DType::s32 || labels == ir::DType::s64);
}

bool loss_grad_in_place(const ir::OpView& op, int, int operand) {
  return operand == op.position("logits");
}

}  // namespace weft::onednn
