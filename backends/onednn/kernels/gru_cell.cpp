// backends/onednn/kernels/gru_cell.cpp -- the elementwise parts of a GRU step.
#include "backends/onednn/kernels/gru_cell.h"

#include "backends/onednn/kernels/columns.h"
#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/math.h"
#include "backends/onednn/kernels/parallel.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

WEFT_INLINE bool dead(const uint8_t* live, int64_t b) { return live != nullptr && live[b] == 0; }

void set_row(float* y, int64_t n) {
  for_columns(n, [&](int64_t j, auto at) { at.put(y + j, splat(0)); });
}
void copy_row(float* y, const float* x, int64_t n) {
  if (y == x) return;
  for_columns(n, [&](int64_t j, auto at) { at.put(y + j, at.get(x + j)); });
}

// A dead row: the state stays, a stacked copy is zero.
void keep_state(const float* s, float* s_out, float* s_out2, int64_t n) {
  copy_row(s_out, s, n);
  if (s_out2 != nullptr) set_row(s_out2, n);
}

// Columns of z and r among the gates; n always comes last.
struct Order {
  int64_t z, r, n;
};
WEFT_INLINE Order order(bool reset_first, int64_t hidden) {
  return {reset_first ? hidden : 0, reset_first ? 0 : hidden, 2 * hidden};
}

}  // namespace

void gru_reset(const GruReset& args) {
  const int64_t H = args.hidden;
  const Order at_gate = order(args.reset_first, H);
  parallel_for(args.batch, H * 10, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const float *g = args.g + b * args.ld_g, *su = args.su + b * args.ld_su,
                  *s = args.s + b * args.ld_s;
      float *gates = args.gates + b * args.ld_gates, *rs = args.rs + b * args.ld_rs;
      for_columns(H, [&](int64_t j, auto at) {
        const int64_t z = at_gate.z + j, r = at_gate.r + j;
        fetch_next(args.ld_g, g + z, g + r), fetch_next(args.ld_gates, gates + z, gates + r);
        at.put(gates + z, sigmoid(at.get(g + z) + at.get(su + z)));
        const Vec reset = sigmoid(at.get(g + r) + at.get(su + r));
        at.put(gates + r, reset);
        at.put(rs + j, reset * at.get(s + j));
      });
    }
  });
}

void gru_update(const GruUpdate& args) {
  const int64_t H = args.hidden;
  const Order at_gate = order(args.reset_first, H);
  parallel_for(args.batch, H * 6, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const float *g = args.g + b * args.ld_g + at_gate.n, *rn = args.rn + b * args.ld_rn;
      const float* s = args.s + b * args.ld_s;
      float *gates = args.gates + b * args.ld_gates, *s_out = args.s_out + b * args.ld_s_out;
      float* s_out2 = args.s_out2 == nullptr ? nullptr : args.s_out2 + b * args.ld_s_out2;
      if (dead(args.live, b)) {
        keep_state(s, s_out, s_out2, H);
        set_row(gates + at_gate.n, H);
        continue;
      }
      for_columns(H, [&](int64_t j, auto at) {
        fetch_next(args.ld_g, g + j), fetch_next(args.ld_gates, gates + at_gate.n + j);
        const Vec n = tanh(at.get(g + j) + at.get(rn + j)), before = at.get(s + j);
        const Vec y = fma(at.get(gates + at_gate.z + j), n - before, before);
        at.put(gates + at_gate.n + j, n);
        at.put(s_out + j, y);
        if (s_out2 != nullptr) {
          fetch_next(args.ld_s_out2, s_out2 + j);
          at.put(s_out2 + j, y);
        }
      });
    }
  });
}

void gru_update_grad(const GruUpdateGrad& args) {
  const int64_t H = args.hidden;
  const Order at_gate = order(args.reset_first, H);
  parallel_for(args.batch, H * 6, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const float *d = args.d + b * args.ld_d, *s = args.s + b * args.ld_s;
      const float* gates = args.gates + b * args.ld_gates;
      float *dg = args.dg + b * args.ld_dg, *ds = args.ds + b * args.ld_ds;
      if (dead(args.live, b)) {
        set_row(dg + at_gate.z, H);
        set_row(dg + at_gate.n, H);
        copy_row(ds, d, H);
        continue;
      }
      for_columns(H, [&](int64_t j, auto at) {
        fetch_next(args.ld_gates, gates + at_gate.z + j, gates + at_gate.n + j);
        fetch_next(args.ld_dg, dg + at_gate.z + j, dg + at_gate.n + j);
        fetch_next(args.ld_s, s + j);
        const Vec dy = at.get(d + j), z = at.get(gates + at_gate.z + j);
        const Vec n = at.get(gates + at_gate.n + j), keep = splat(1) - z;
        at.put(dg + at_gate.n + j, dy * z * fnma(n, n, splat(1)));
        at.put(dg + at_gate.z + j, dy * (n - at.get(s + j)) * z * keep);
        at.put(ds + j, dy * keep);
      });
    }
  });
}

void gru_reset_grad(const GruResetGrad& args) {
  const int64_t H = args.hidden, r = order(args.reset_first, H).r;
  parallel_for(args.batch, H * 6, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const float *drs = args.drs + b * args.ld_drs, *s = args.s + b * args.ld_s;
      const float* gate = args.gates + b * args.ld_gates + r;
      float *dr = args.dg + b * args.ld_dg + r, *ds = args.ds + b * args.ld_ds;
      if (dead(args.live, b)) {
        set_row(dr, H);
        continue;
      }
      for_columns(H, [&](int64_t j, auto at) {
        fetch_next(args.ld_gates, gate + j), fetch_next(args.ld_dg, dr + j);
        const Vec d = at.get(drs + j), reset = at.get(gate + j);
        at.put(dr + j, d * at.get(s + j) * reset * (splat(1) - reset));
        at.put(ds + j, fma(d, reset, at.get(ds + j)));
      });
    }
  });
}

void gru_after(const GruAfter& args) {
  const int64_t H = args.hidden;
  const Order at_gate = order(args.reset_first, H);
  parallel_for(args.batch, H * 16, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const float *g = args.g + b * args.ld_g, *su = args.su + b * args.ld_su,
                  *s = args.s + b * args.ld_s;
      float* gates = args.gates == nullptr ? nullptr : args.gates + b * args.ld_gates;
      float* hn = args.hn == nullptr ? nullptr : args.hn + b * args.ld_hn;
      float* s_out = args.s_out + b * args.ld_s_out;
      float* s_out2 = args.s_out2 == nullptr ? nullptr : args.s_out2 + b * args.ld_s_out2;
      if (dead(args.live, b)) {
        keep_state(s, s_out, s_out2, H);
        if (gates != nullptr) set_row(gates, 3 * H);
        if (hn != nullptr) set_row(hn, H);
        continue;
      }
      for_columns(H, [&](int64_t j, auto at) {
        const int64_t cz = at_gate.z + j, cr = at_gate.r + j, cn = at_gate.n + j;
        fetch_next(args.ld_g, g + cz, g + cr, g + cn);
        const Vec z = sigmoid(at.get(g + cz) + at.get(su + cz));
        const Vec r = sigmoid(at.get(g + cr) + at.get(su + cr));
        const Vec h = at.get(su + cn) + (args.bn == nullptr ? splat(0) : at.get(args.bn + j));
        const Vec n = tanh(fma(r, h, at.get(g + cn)));
        const Vec y = fma(z, at.get(s + j) - n, n);
        if (gates != nullptr) {
          fetch_next(args.ld_gates, gates + cz, gates + cr, gates + cn);
          at.put(gates + cz, z), at.put(gates + cr, r), at.put(gates + cn, n);
        }
        if (hn != nullptr) {
          fetch_next(args.ld_hn, hn + j);
          at.put(hn + j, h);
        }
        at.put(s_out + j, y);
        if (s_out2 != nullptr) {
          fetch_next(args.ld_s_out2, s_out2 + j);
          at.put(s_out2 + j, y);
        }
      });
    }
  });
}

void gru_after_grad(const GruAfterGrad& args) {
  const int64_t H = args.hidden;
  const Order at_gate = order(args.reset_first, H);
  parallel_for(args.batch, H * 12, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const float *d = args.d + b * args.ld_d, *s = args.s + b * args.ld_s,
                  *hn = args.hn + b * args.ld_hn;
      const float* gates = args.gates + b * args.ld_gates;
      float *dg = args.dg + b * args.ld_dg, *dsu = args.dsu + b * args.ld_dsu,
            *ds = args.ds + b * args.ld_ds;
      if (dead(args.live, b)) {
        set_row(dg, 3 * H);
        set_row(dsu, 3 * H);
        copy_row(ds, d, H);
        continue;
      }
      for_columns(H, [&](int64_t j, auto at) {
        const int64_t cz = at_gate.z + j, cr = at_gate.r + j, cn = at_gate.n + j;
        fetch_next(args.ld_gates, gates + cz, gates + cr, gates + cn);
        fetch_next(args.ld_dg, dg + cz, dg + cr, dg + cn);
        fetch_next(args.ld_dsu, dsu + cz, dsu + cr, dsu + cn);
        fetch_next(args.ld_s, s + j), fetch_next(args.ld_hn, hn + j);
        const Vec dy = at.get(d + j), z = at.get(gates + cz), r = at.get(gates + cr),
                  n = at.get(gates + cn);
        const Vec keep = splat(1) - z, dn = dy * keep * fnma(n, n, splat(1));
        const Vec dz = dy * (at.get(s + j) - n) * z * keep;
        const Vec dr = dn * at.get(hn + j) * r * (splat(1) - r);
        at.put(dg + cz, dz), at.put(dg + cr, dr), at.put(dg + cn, dn);
        at.put(dsu + cz, dz), at.put(dsu + cr, dr), at.put(dsu + cn, dn * r);
        at.put(ds + j, dy * z);
      });
    }
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
