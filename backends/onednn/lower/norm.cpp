// backends/onednn/lower/norm.cpp -- layer norm, RMS norm and their adjoints.
#include "backends/onednn/kernels/norm.h"

#include "backends/onednn/lower/choice.h"
#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "backends/onednn/lower/primitive.h"
#include "backends/onednn/machine/engine.h"
#include "backends/onednn/plan/moves.h"
#include "ir/ops/all.h"

#include <algorithm>
#include <cmath>

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

namespace {

bool emit_norm_kernel(Emit& e) {
  const Tensor x = e.in("x"), y = e.out();
  const kernels::Norm args{.rows = row_count(x),
                           .n = x.dim(-1),
                           .centred = centred(e.op),
                           .eps = static_cast<float>(e.op.real("eps")),
                           .ld_x = *row_stride(x),
                           .ld_y = *row_stride(y)};
  const bool low = y.dtype == ir::DType::bf16;
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
    norm.y = low ? nullptr : run.at<float>(to);
    norm.low = low ? run.at<uint16_t>(to) : nullptr;
    norm.mean = mean(run);
    norm.rstd = rstd(run);
    kernels::norm(norm);
  });
  return true;
}

bool emit_norm_grad_kernel(Emit& e) {
  const Tensor dy = e.in("dy"), x = e.in("x");
  const ir::Texts& wanted = e.op.texts("wanted");
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
  e.kernel("norm_grad", 0,
           [=, bound = e.bound(), dy = dy.at, low = x.narrow, x = x.at](const Run& run) {
             kernels::NormGrad grad = args;
             if (bound) grad.rows = bound->of(run, args.rows);
             grad.dy = run.at<float>(dy);
             grad.x = low ? nullptr : run.at<float>(x);
             grad.low = low ? run.at<uint16_t>(x) : nullptr;
             grad.mean = mean(run);
             grad.rstd = rstd(run);
             grad.scale = scale(run);
             grad.dx = dx(run);
             grad.dscale = dscale(run);
             grad.dshift = dshift(run);
             grad.workspace = run.at<float>(workspace);
             kernels::norm_grad(grad);
           });
  return true;
}

using dnnl::memory;

memory::desc rows_desc(int64_t rows, int64_t n, int64_t distance) {
  return {{rows, n}, memory::data_type::f32, memory::dims{distance, 1}};
}
memory::desc vector_desc(int64_t n) { return {{n}, memory::data_type::f32, memory::format_tag::a}; }

dnnl::normalization_flags flags_of(const Emit& e) {
  auto flags = dnnl::normalization_flags::none;
  if (e.has("scale")) flags |= dnnl::normalization_flags::use_scale;
  if (e.has("shift")) flags |= dnnl::normalization_flags::use_shift;
  return flags;
}

// What oneDNN calls the statistics of a norm is the variance, where Weft keeps 1 / sqrt(variance +
// eps): from one to the other, for as many rows as there are.
template <typename Convert>
void emit_statistics(Emit& e, int64_t rows, Ref from, Ref to, const Convert& convert) {
  e.kernel("statistics", 0, [=, bound = e.bound()](const Run& run) {
    const int64_t n = bound ? bound->of(run, rows) : rows;
    const float* const x = run.at<float>(from);
    float* const y = run.at<float>(to);
    for (int64_t i = 0; i < n; ++i) y[i] = convert(x[i]);
  });
}

// Of layer norm: oneDNN 2.6 has no RMS norm.
bool emit_norm_primitive(Emit& e) {
  const Tensor x = e.in("x"), y = e.out();
  const int64_t rows = row_count(x), n = x.dim(-1), distance = *row_stride(x);
  if (y.dtype != ir::DType::f32 || distance != *row_stride(y) || e.has("scale") != e.has("shift"))
    return false;
  const float eps = static_cast<float>(e.op.real("eps"));
  const bool statistics = e.op.flag("statistics");
  std::vector<Ref> at{x.at, y.at};
  if (e.has("scale")) at.push_back(e.in("scale").at);
  if (e.has("shift")) at.push_back(e.in("shift").at);
  if (statistics) at.insert(at.end(), {e.out(1).at, e.out(2).at});
  const auto make = [=, engine = e.engine().dnnl(), flags = flags_of(e), scale = e.has("scale"),
                     shift = e.has("shift")](int64_t count) -> std::optional<RowPrimitive> {
    const memory::desc desc = rows_desc(count, n, distance);
    const auto pd = described([&] {
      return compat::norm_desc(engine, desc, desc, statistics, eps, flags, plain_attributes());
    });
    if (!pd) return std::nullopt;
    RowPrimitive p{dnnl::layer_normalization_forward(*pd),
                   pd->impl_info_str(),
                   {{DNNL_ARG_SRC, desc}, {DNNL_ARG_DST, desc}},
                   pd->scratchpad_desc()};
    if (scale) p.arguments.emplace_back(DNNL_ARG_SCALE, vector_desc(n));
    if (shift) p.arguments.emplace_back(DNNL_ARG_SHIFT, vector_desc(n));
    if (statistics) {
      p.arguments.emplace_back(DNNL_ARG_MEAN, vector_desc(count));
      p.arguments.emplace_back(DNNL_ARG_VARIANCE, vector_desc(count));
    }
    return p;
  };
  if (!emit_for_rows(e, "norm", 0, rows, e.bound(), make, at)) return false;
  if (statistics)
    emit_statistics(e, rows, e.out(2).at, e.out(2).at,
                    [eps](float variance) { return 1 / std::sqrt(variance + eps); });
  return true;
}

bool emit_norm_grad_primitive(Emit& e) {
  const Tensor dy = e.in("dy"), x = e.in("x");
  const int64_t rows = row_count(x), n = x.dim(-1), distance = *row_stride(x);
  const ir::Texts& wanted = e.op.texts("wanted");
  const auto place = [&](std::string_view operand) -> const Tensor* {
    const auto found = std::find(wanted.begin(), wanted.end(), operand);
    return found == wanted.end() ? nullptr : &e.out(static_cast<int>(found - wanted.begin()));
  };
  const Tensor *const dx = place("x"), *const dscale = place("scale"),
                      *const dshift = place("shift");
  if (x.size() == 0 || x.narrow) return false;
  if (dx == nullptr || *row_stride(dy) != distance || *row_stride(*dx) != distance) return false;
  const bool scale = e.has("scale"), shift = e.has("shift");
  if (!scale || !shift) return false;  // oneDNN 2.6 is not sure to leave out one of their adjoints
  const float eps = static_cast<float>(e.op.real("eps"));
  const auto make = [=, engine = e.engine().dnnl(),
                     flags = flags_of(e)](int64_t count) -> std::optional<RowPrimitive> {
    const memory::desc desc = rows_desc(count, n, distance);
    const auto pd = described(
        [&] { return compat::norm_grad_desc(engine, desc, desc, eps, flags, plain_attributes()); });
    if (!pd) return std::nullopt;
    RowPrimitive p{dnnl::layer_normalization_backward(*pd),
                   pd->impl_info_str(),
                   {{DNNL_ARG_DIFF_DST, desc},
                    {DNNL_ARG_SRC, desc},
                    {DNNL_ARG_MEAN, vector_desc(count)},
                    {DNNL_ARG_VARIANCE, vector_desc(count)},
                    {DNNL_ARG_DIFF_SRC, desc}},
                   pd->scratchpad_desc()};
    if (scale) {
      p.arguments.emplace_back(DNNL_ARG_SCALE, vector_desc(n));
      p.arguments.emplace_back(DNNL_ARG_DIFF_SCALE, vector_desc(n));
    }
    if (shift) {
      p.arguments.emplace_back(DNNL_ARG_SHIFT, vector_desc(n));
      p.arguments.emplace_back(DNNL_ARG_DIFF_SHIFT, vector_desc(n));
    }
    return p;
  };
  if (!make(rows)) return false;
  const Ref variance = e.workspace(rows * 4);
  emit_statistics(e, rows, e.in("rstd").at, variance,
                  [eps](float rstd) { return 1 / (rstd * rstd) - eps; });
  std::vector<Ref> at{dy.at, x.at, e.in("mean").at, variance, dx->at};
  const auto add = [&](std::string_view operand, const Tensor* adjoint) {
    at.push_back(e.in(operand).at);
    at.push_back(adjoint != nullptr ? adjoint->at : e.workspace(n * 4));
  };
  if (scale) add("scale", dscale);
  if (shift) add("shift", dshift);
  // Of no rows the sums are zero.
  if (e.bound())
    for (const Tensor* sums : {dscale, dshift})
      if (sums != nullptr) emit_fill(e, *sums, 0);
  return emit_for_rows(e, "norm_grad", 0, rows, e.bound(), make, at);
}

constexpr Implementation kNorm[] = {{"norm", Owner::weft, emit_norm_kernel}};
constexpr Implementation kLayerNorm[] = {{"primitive", Owner::onednn, emit_norm_primitive},
                                         {"norm", Owner::weft, emit_norm_kernel}};
constexpr Implementation kNormGrad[] = {{"norm_grad", Owner::weft, emit_norm_grad_kernel}};
constexpr Implementation kLayerNormGrad[] = {{"primitive", Owner::onednn, emit_norm_grad_primitive},
                                             {"norm_grad", Owner::weft, emit_norm_grad_kernel}};

}  // namespace

void lower_norm(Emit& e) {
  e.needs_arithmetic(e.in("x").dtype);
  if (e.in("x").size() > 0) lower_by_choice(e);
}

void lower_norm_grad(Emit& e) {
  e.needs_arithmetic(e.in("x").dtype);
  if (!e.op.texts("wanted").empty()) lower_by_choice(e);
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

bool widens_input(const ir::OpView& op, int operand) { return operand == op.position("x"); }

constexpr Lowering kLowerings[] = {
    {.op = &ir::ops::layer_norm,
     .lower = lower_norm,
     .results = Layout::rows,
     .operand = norm_operand,
     .in_place = norm_in_place,
     .bounded = always,
     .implementations = kLayerNorm},
    {.op = &ir::ops::layer_norm_grad,
     .lower = lower_norm_grad,
     .results = Layout::rows,
     .operand = norm_operand,
     .widens = widens_input,
     .in_place = norm_grad_in_place,
     .bounded = always,
     .implementations = kLayerNormGrad},
    {.op = &ir::ops::rms_norm,
     .lower = lower_norm,
     .results = Layout::rows,
     .operand = norm_operand,
     .in_place = norm_in_place,
     .bounded = always,
     .implementations = kNorm},
    {.op = &ir::ops::rms_norm_grad,
     .lower = lower_norm_grad,
     .results = Layout::rows,
     .operand = norm_operand,
     .widens = widens_input,
     .in_place = norm_grad_in_place,
     .bounded = always,
     .implementations = kNormGrad},
};

}  // namespace

std::span<const Lowering> of_norm() { return kLowerings; }

}  // namespace weft::onednn
