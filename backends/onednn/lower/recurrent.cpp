// backends/onednn/lower/recurrent.cpp -- GRU and LSTM cells: oneDNN's products, our elementwise
// kernels.
#include "backends/onednn/kernels/gru_cell.h"
#include "backends/onednn/kernels/lstm_cell.h"
#include "backends/onednn/lower/choice.h"
#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "ir/ops/all.h"

namespace weft::onednn {
namespace {

constexpr ir::DType kFloat = ir::DType::f32;

int64_t ld(const Tensor& t) { return *row_stride(t); }
bool before(const Emit& e) { return e.op.text("reset") == "before"; }
Tensor columns(const Tensor& t, int64_t from, int64_t n) { return sliced(t, 1, from, n); }

bool is_weight(const ir::OpView& op, int operand) {
  for (const std::string_view name : {"U", "Un"})
    if (op.def().operand_index(name) >= 0 && operand == op.position(name)) return true;
  return false;
}

void gru_before(Emit& e) {
  const auto rows = e.bound();
  const Tensor g = e.in("g"), s = e.in("s"), s1 = e.out(0);
  const int64_t batch = s.dim(0), hidden = s.dim(1);
  const Tensor su = e.temporary(kFloat, {batch, 2 * hidden}),
               rs = e.temporary(kFloat, {batch, hidden}, true);
  const Tensor gates = e.op.flag("gates") ? e.out(1) : e.temporary(kFloat, {batch, 3 * hidden});
  emit_matmul(e, s, e.in("U"), su, {.rows = rows});
  const kernels::GruReset reset{.batch = batch,
                                .hidden = hidden,
                                .ld_g = ld(g),
                                .ld_su = ld(su),
                                .ld_s = ld(s),
                                .ld_gates = ld(gates),
                                .ld_rs = ld(rs)};
  e.kernel("gru_reset", 0, [=](const Run& run) {
    kernels::GruReset k = reset;
    if (rows) k.batch = (*rows)(run);
    k.g = run.at<float>(g.at), k.su = run.at<float>(su.at), k.s = run.at<float>(s.at);
    k.gates = run.at<float>(gates.at), k.rs = run.at<float>(rs.at);
    kernels::gru_reset(k);
  });
  // su is done with; but oneDNN's primitives like rows side by side.
  const Tensor rn =
      pads_rows(e.choice()) ? columns(su, 0, hidden) : e.temporary(kFloat, {batch, hidden});
  emit_matmul(e, rs, e.in("Un"), rn, {.rows = rows});
  const kernels::GruUpdate update{.batch = batch,
                                  .hidden = hidden,
                                  .ld_g = ld(g),
                                  .ld_rn = ld(rn),
                                  .ld_s = ld(s),
                                  .ld_gates = ld(gates),
                                  .ld_s_out = ld(s1)};
  e.kernel("gru_update", 0, [=](const Run& run) {
    kernels::GruUpdate k = update;
    if (rows) k.batch = (*rows)(run);
    k.g = run.at<float>(g.at), k.rn = run.at<float>(rn.at), k.s = run.at<float>(s.at);
    k.gates = run.at<float>(gates.at), k.s_out = run.at<float>(s1.at);
    kernels::gru_update(k);
  });
}

void gru_after(Emit& e) {
  const auto rows = e.bound();
  const Tensor g = e.in("g"), s = e.in("s"), s1 = e.out(0);
  const int64_t batch = s.dim(0), hidden = s.dim(1);
  const Tensor su = e.temporary(kFloat, {batch, 3 * hidden});
  emit_matmul(e, s, e.in("U"), columns(su, 0, 2 * hidden), {.rows = rows});
  emit_matmul(e, s, e.in("Un"), columns(su, 2 * hidden, hidden), {.rows = rows});
  const bool keep = e.op.flag("gates"), bias = e.has("bias_n");
  const Tensor gates = keep ? e.out(1) : su, bn = bias ? e.in("bias_n") : su;
  const kernels::GruAfter args{.batch = batch,
                               .hidden = hidden,
                               .ld_g = ld(g),
                               .ld_su = ld(su),
                               .ld_s = ld(s),
                               .ld_gates = keep ? ld(gates) : 0,
                               .ld_s_out = ld(s1)};
  e.kernel("gru_after", 0, [=](const Run& run) {
    kernels::GruAfter k = args;
    if (rows) k.batch = (*rows)(run);
    k.g = run.at<float>(g.at), k.su = run.at<float>(su.at), k.s = run.at<float>(s.at);
    k.bn = bias ? run.at<float>(bn.at) : nullptr;
    k.gates = keep ? run.at<float>(gates.at) : nullptr;
    k.s_out = run.at<float>(s1.at);
    kernels::gru_after(k);
  });
}

void gru_before_grad(Emit& e) {
  const auto rows = e.bound();
  const Tensor d = e.in("ds1"), s = e.in("s"), gates = e.in("gates"), dg = e.out(0), ds = e.out(1);
  const int64_t batch = s.dim(0), hidden = s.dim(1);
  const kernels::GruUpdateGrad update{.batch = batch,
                                      .hidden = hidden,
                                      .ld_d = ld(d),
                                      .ld_s = ld(s),
                                      .ld_gates = ld(gates),
                                      .ld_dg = ld(dg),
                                      .ld_ds = ld(ds)};
  e.kernel("gru_update_grad", 0, [=](const Run& run) {
    kernels::GruUpdateGrad k = update;
    if (rows) k.batch = (*rows)(run);
    k.d = run.at<float>(d.at), k.s = run.at<float>(s.at), k.gates = run.at<float>(gates.at);
    k.dg = run.at<float>(dg.at), k.ds = run.at<float>(ds.at);
    kernels::gru_update_grad(k);
  });
  const Tensor drs = e.temporary(kFloat, {batch, hidden});
  emit_matmul(e, columns(dg, 2 * hidden, hidden), transposed(e.in("Un")), drs, {.rows = rows});
  const kernels::GruResetGrad reset{.batch = batch,
                                    .hidden = hidden,
                                    .ld_drs = ld(drs),
                                    .ld_s = ld(s),
                                    .ld_gates = ld(gates),
                                    .ld_dg = ld(dg),
                                    .ld_ds = ld(ds)};
  e.kernel("gru_reset_grad", 0, [=](const Run& run) {
    kernels::GruResetGrad k = reset;
    if (rows) k.batch = (*rows)(run);
    k.drs = run.at<float>(drs.at), k.s = run.at<float>(s.at), k.gates = run.at<float>(gates.at);
    k.dg = run.at<float>(dg.at), k.ds = run.at<float>(ds.at);
    kernels::gru_reset_grad(k);
  });
  emit_matmul(e, columns(dg, 0, 2 * hidden), transposed(e.in("U")), ds,
              {.accumulate = true, .rows = rows});
}

void gru_after_grad(Emit& e) {
  const auto rows = e.bound();
  const Tensor d = e.in("ds1"), s = e.in("s"), gates = e.in("gates"), dg = e.out(0), ds = e.out(1),
               dm = e.out(2);
  const int64_t batch = s.dim(0), hidden = s.dim(1);
  const Tensor hn = e.temporary(kFloat, {batch, hidden}),
               dsu = e.temporary(kFloat, {batch, 3 * hidden});
  MatmulOptions options{.rows = rows};
  if (e.has("bias_n")) options.bias = e.in("bias_n");
  emit_matmul(e, s, e.in("Un"), hn, options);
  const kernels::GruAfterGrad args{.batch = batch,
                                   .hidden = hidden,
                                   .ld_d = ld(d),
                                   .ld_s = ld(s),
                                   .ld_gates = ld(gates),
                                   .ld_hn = ld(hn),
                                   .ld_dg = ld(dg),
                                   .ld_dsu = ld(dsu),
                                   .ld_ds = ld(ds)};
  e.kernel("gru_after_grad", 0, [=](const Run& run) {
    kernels::GruAfterGrad k = args;
    if (rows) k.batch = (*rows)(run);
    k.d = run.at<float>(d.at), k.s = run.at<float>(s.at), k.gates = run.at<float>(gates.at),
    k.hn = run.at<float>(hn.at);
    k.dg = run.at<float>(dg.at), k.dsu = run.at<float>(dsu.at), k.ds = run.at<float>(ds.at);
    kernels::gru_after_grad(k);
  });
  const Tensor m = columns(dsu, 2 * hidden, hidden);
  emit_copy(e, m, dm, rows);
  emit_matmul(e, columns(dsu, 0, 2 * hidden), transposed(e.in("U")), ds,
              {.accumulate = true, .rows = rows});
  emit_matmul(e, m, transposed(e.in("Un")), ds, {.accumulate = true, .rows = rows});
}

}  // namespace

Layout cell_operand(const ir::OpView& op, int operand) {
  if (is_weight(op, operand)) return Layout::matrix;
  return op.operand(operand).rank() == 2 ? Layout::rows : Layout::dense;
}

void lower_gru_cell(Emit& e) {
  e.needs_arithmetic(e.out(0).dtype);
  if (e.out(0).size() == 0) return;
  before(e) ? gru_before(e) : gru_after(e);
}

void lower_gru_cell_grad(Emit& e) {
  e.needs_arithmetic(e.out(1).dtype);
  if (e.out(1).size() == 0) return;
  before(e) ? gru_before_grad(e) : gru_after_grad(e);
}

void lower_lstm_cell(Emit& e) {
  e.needs_arithmetic(e.out(0).dtype);
  const Tensor g = e.in("g"), h = e.in("h"), c = e.in("c"), h1 = e.out(0), c1 = e.out(1);
  if (h1.size() == 0) return;
  const int64_t batch = h.dim(0), hidden = h.dim(1);
  const auto rows = e.bound();
  const Tensor hu = e.temporary(kFloat, {batch, 4 * hidden});
  emit_matmul(e, h, e.in("U"), hu, {.rows = rows});
  const bool keep = e.op.flag("gates");
  const Tensor gates = keep ? e.out(2) : hu;
  const kernels::LstmCell args{.batch = batch,
                               .hidden = hidden,
                               .ld_g = ld(g),
                               .ld_hu = ld(hu),
                               .ld_c = ld(c),
                               .ld_gates = keep ? ld(gates) : 0,
                               .ld_c_out = ld(c1),
                               .ld_h_out = ld(h1)};
  e.kernel("lstm_cell", 0, [=](const Run& run) {
    kernels::LstmCell k = args;
    if (rows) k.batch = (*rows)(run);
    k.g = run.at<float>(g.at), k.hu = run.at<float>(hu.at), k.c = run.at<float>(c.at);
    k.gates = keep ? run.at<float>(gates.at) : nullptr;
    k.c_out = run.at<float>(c1.at), k.h_out = run.at<float>(h1.at);
    kernels::lstm_cell(k);
  });
}

void lower_lstm_cell_grad(Emit& e) {
  e.needs_arithmetic(e.out(0).dtype);
  const Tensor dh1 = e.in("dh1"), dc1 = e.in("dc1"), c = e.in("c"), c1 = e.in("c1"),
               gates = e.in("gates");
  const Tensor dg = e.out(0), dh = e.out(1), dc = e.out(2);
  if (dc.size() == 0) return;
  const auto rows = e.bound();
  const kernels::LstmCellGrad args{.batch = c.dim(0),
                                   .hidden = c.dim(1),
                                   .ld_dh_out = ld(dh1),
                                   .ld_dc_out = ld(dc1),
                                   .ld_c = ld(c),
                                   .ld_c_out = ld(c1),
                                   .ld_gates = ld(gates),
                                   .ld_dg = ld(dg),
                                   .ld_dc_in = ld(dc)};
  e.kernel("lstm_cell_grad", 0, [=](const Run& run) {
    kernels::LstmCellGrad k = args;
    if (rows) k.batch = (*rows)(run);
    k.dh_out = run.at<float>(dh1.at), k.dc_out = run.at<float>(dc1.at), k.c = run.at<float>(c.at);
    k.c_out = run.at<float>(c1.at), k.gates = run.at<float>(gates.at);
    k.dg = run.at<float>(dg.at), k.dc_in = run.at<float>(dc.at);
    kernels::lstm_cell_grad(k);
  });
  emit_matmul(e, dg, transposed(e.in("U")), dh, {.rows = rows});
}

namespace {

constexpr Lowering kLowerings[] = {
    {.op = &ir::ops::gru_cell,
     .lower = lower_gru_cell,
     .results = Layout::rows,
     .operand = cell_operand,
     .rounds = is_weight,
     .bounded = always},
    {.op = &ir::ops::gru_cell_grad,
     .lower = lower_gru_cell_grad,
     .results = Layout::rows,
     .operand = cell_operand,
     .rounds = is_weight,
     .bounded = always},
    {.op = &ir::ops::lstm_cell,
     .lower = lower_lstm_cell,
     .results = Layout::rows,
     .operand = cell_operand,
     .rounds = is_weight,
     .bounded = always},
    {.op = &ir::ops::lstm_cell_grad,
     .lower = lower_lstm_cell_grad,
     .results = Layout::rows,
     .operand = cell_operand,
     .rounds = is_weight,
     .bounded = always},
};

}  // namespace

std::span<const Lowering> of_recurrent() { return kLowerings; }

}  // namespace weft::onednn
