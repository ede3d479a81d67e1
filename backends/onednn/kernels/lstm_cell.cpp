// backends/onednn/kernels/lstm_cell.cpp -- the elementwise part of an LSTM step.
#include "backends/onednn/kernels/lstm_cell.h"

#include "backends/onednn/kernels/columns.h"
#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/math.h"
#include "backends/onednn/kernels/parallel.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

WEFT_INLINE bool dead(const uint8_t* live, int64_t b) { return live != nullptr && live[b] == 0; }

template <class T>
WEFT_INLINE T* row(T* p, int64_t b, int64_t ld) {
  return p == nullptr ? nullptr : p + b * ld;
}

// Without x the row is cleared; without y there is nothing to do.
void copy_row(float* y, const float* x, int64_t n) {
  if (y == nullptr || y == x) return;
  for_columns(n,
              [&](int64_t j, auto at) { at.put(y + j, x == nullptr ? splat(0) : at.get(x + j)); });
}

}  // namespace

void lstm_cell(const LstmCell& args) {
  const int64_t H = args.hidden;
  parallel_for(args.batch, H * 20, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const float *g = row(args.g, b, args.ld_g), *hu = row(args.hu, b, args.ld_hu);
      const float* c = row(args.c, b, args.ld_c);
      float *gates = row(args.gates, b, args.ld_gates), *c_out = row(args.c_out, b, args.ld_c_out);
      float *h_out = row(args.h_out, b, args.ld_h_out),
            *h_out2 = row(args.h_out2, b, args.ld_h_out2);
      if (dead(args.live, b)) {
        copy_row(c_out, c, H);
        copy_row(h_out, row(args.h, b, args.ld_h), H);
        copy_row(h_out2, nullptr, H);
        copy_row(gates, nullptr, 4 * H);
        continue;
      }
      for_columns(H, [&](int64_t j, auto at) {
        fetch_next(args.ld_g, g + j, g + H + j, g + 2 * H + j, g + 3 * H + j);
        const auto input = [&](int64_t gate) {
          const Vec x = at.get(g + gate * H + j);
          return hu == nullptr ? x : x + at.get(hu + gate * H + j);
        };
        const Vec i = sigmoid(input(0)), f = sigmoid(input(1)), u = tanh(input(2)),
                  o = sigmoid(input(3));
        const Vec cell = fma(f, at.get(c + j), i * u), h = o * tanh(cell);
        if (gates != nullptr) {
          float* const to = gates + j;
          fetch_next(args.ld_gates, to, to + H, to + 2 * H, to + 3 * H);
          at.put(gates + j, i), at.put(gates + H + j, f);
          at.put(gates + 2 * H + j, u), at.put(gates + 3 * H + j, o);
        }
        at.put(c_out + j, cell);
        at.put(h_out + j, h);
        if (h_out2 != nullptr) {
          fetch_next(args.ld_h_out2, h_out2 + j);
          at.put(h_out2 + j, h);
        }
      });
    }
  });
}

void lstm_cell_grad(const LstmCellGrad& args) {
  const int64_t H = args.hidden;
  parallel_for(args.batch, H * 20, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const float *dh = row(args.dh_out, b, args.ld_dh_out),
                  *dc = row(args.dc_out, b, args.ld_dc_out);
      const float *c = row(args.c, b, args.ld_c), *c_out = row(args.c_out, b, args.ld_c_out);
      const float* gates = row(args.gates, b, args.ld_gates);
      float *dg = row(args.dg, b, args.ld_dg), *dc_in = row(args.dc_in, b, args.ld_dc_in);
      float* dh_in = row(args.dh_in, b, args.ld_dh_in);
      if (dead(args.live, b)) {
        copy_row(dg, nullptr, 4 * H);
        copy_row(dc_in, dc, H);
        copy_row(dh_in, dh, H);
        continue;
      }
      for_columns(H, [&](int64_t j, auto at) {
        const float* const gate = gates + j;
        float* const to = dg + j;
        fetch_next(args.ld_gates, gate, gate + H, gate + 2 * H, gate + 3 * H);
        fetch_next(args.ld_dg, to, to + H, to + 2 * H, to + 3 * H);
        fetch_next(args.ld_c, c + j), fetch_next(args.ld_c_out, c_out + j);
        const Vec one = splat(1), i = at.get(gates + j), f = at.get(gates + H + j);
        const Vec u = at.get(gates + 2 * H + j), o = at.get(gates + 3 * H + j);
        const Vec d = at.get(dh + j), t = tanh(at.get(c_out + j)), before = at.get(c + j);
        const Vec e = fma(d * o, fnma(t, t, one), dc == nullptr ? splat(0) : at.get(dc + j));
        at.put(dg + j, e * u * i * (one - i));
        at.put(dg + H + j, e * before * f * (one - f));
        at.put(dg + 2 * H + j, e * i * fnma(u, u, one));
        at.put(dg + 3 * H + j, d * t * o * (one - o));
        at.put(dc_in + j, e * f);
        if (dh_in != nullptr) at.put(dh_in + j, splat(0));
      });
    }
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
