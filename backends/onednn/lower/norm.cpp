// backends/onednn/lower/norm.cpp -- layer norm, RMS norm and their adjoints.
#include "backends/onednn/kernels/norm.h"

#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "ir/ops/all.h"

#include <algorithm>

namespace weft::onednn {
namespace {

bool centred(const ir::OpView& op) {
  return &op.def() == &ir::ops::layer_norm || &op.def() == &ir::ops::layer_norm_grad;
}

// Where an operand or result lies, if it is there.
struct Place {
  Ref at;
  bool there = false;

  float* operator()(const Run& run) const { return there ? run.at<float>(at) : nullptr; }
};

Place place_of(const Emit& e, std::string_view operand) {
  if (e.op.def().operand_index(operand) < 0 || !e.has(operand)) return {};
  return {e.in(operand).at, true};
}

}  // namespace

Layout norm_operand(const ir::OpView& op, int operand) {
  const bool rows = operand == op.position("x") ||
                    (op.def().operand_index("dy") >= 0 && operand == op.position("dy"));
  return rows ? Layout::rows : Layout::dense;
}

void lower_norm(Emit& e) {
  const Tensor x = e.in("x"), y = e.out();
  e.needs_arithmetic(x.dtype);
  if (x.size() == 0) return;
  const kernels::Norm args{.rows = row_count(x),
                           .n = x.dim(-1),
                           .centred = centred(e.op),
                           .eps = static_cast<float>(e.op.real("eps")),
                           .ld_x = *row_stride(x),
                           .ld_y = *row_stride(y)};
  const Place scale = place_of(e, "scale"), shift = place_of(e, "shift");
  Place mean, rstd;
  if (e.op.flag("statistics")) {
    rstd = {e.out(args.centred ? 2 : 1).at, true};
    if (args.centred) mean = {e.out(1).at, true};
  }
  e.kernel("norm", 0, [=, bound = e.bound(), from = x.at, to = y.at](const Run& run) {
    kernels::Norm norm = args;
    if (bound) norm.rows = bound->of(run, args.rows);
    norm.x = run.at<float>(from);
    norm.scale = scale(run);
    norm.shift = shift(run);
    norm.y = run.at<float>(to);
    norm.mean = mean(run);
    norm.rstd = rstd(run);
    kernels::norm(norm);
  });
}

void lower_norm_grad(Emit& e) {
  const Tensor dy = e.in("dy"), x = e.in("x");
  const ir::Texts& wanted = e.op.texts("wanted");
  e.needs_arithmetic(x.dtype);
  if (wanted.empty()) return;
  kernels::NormGrad args{.rows = row_count(x),
                         .n = x.dim(-1),
                         .centred = centred(e.op),
                         .ld_dy = *row_stride(dy),
                         .ld_x = *row_stride(x)};
  Place dx, dscale, dshift;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const Tensor& out = e.out(static_cast<int>(i));
    (wanted[i] == "x" ? dx : wanted[i] == "scale" ? dscale : dshift) = {out.at, true};
    if (wanted[i] == "x") args.ld_dx = *row_stride(out);
  }
  const Place scale = place_of(e, "scale"), mean = place_of(e, "mean"), rstd = place_of(e, "rstd");
  const Ref workspace = e.workspace(static_cast<int64_t>(kernels::norm_grad_workspace_bytes(args)));
  e.kernel("norm_grad", 0, [=, bound = e.bound(), dy = dy.at, x = x.at](const Run& run) {
    kernels::NormGrad grad = args;
    if (bound) grad.rows = bound->of(run, args.rows);
    grad.dy = run.at<float>(dy);
    grad.x = run.at<float>(x);
    grad.mean = mean(run);
    grad.rstd = rstd(run);
    grad.scale = scale(run);
    grad.dx = dx(run);
    grad.dscale = dscale(run);
    grad.dshift = dshift(run);
    grad.workspace = run.at<float>(workspace);
    kernels::norm_grad(grad);
  });
}

bool norm_in_place(const ir::OpView&, int result, int operand) {
  return result == 0 && operand == 0;
}

// dx over dy or x.
bool norm_grad_in_place(const ir::OpView& op, int result, int operand) {
  return op.texts("wanted")[static_cast<size_t>(result)] == "x" &&
         (operand == op.position("dy") || operand == op.position("x"));
}

namespace {

constexpr Lowering kLowerings[] = {
    {.op = &ir::ops::layer_norm,
     .lower = lower_norm,
     .results = Layout::rows,
     .operand = norm_operand,
     .in_place = norm_in_place,
     .bounded = always},
    {.op = &ir::ops::layer_norm_grad,
     .lower = lower_norm_grad,
     .results = Layout::rows,
     .operand = norm_operand,
     .in_place = norm_grad_in_place,
     .bounded = always},
    {.op = &ir::ops::rms_norm,
     .lower = lower_norm,
     .results = Layout::rows,
     .operand = norm_operand,
     .in_place = norm_in_place,
     .bounded = always},
    {.op = &ir::ops::rms_norm_grad,
     .lower = lower_norm_grad,
     .results = Layout::rows,
     .operand = norm_operand,
     .in_place = norm_grad_in_place,
     .bounded = always},
};

}  // namespace

std::span<const Lowering> of_norm() { return kLowerings; }

}  // namespace weft::onednn
