// tests/kernels/cells_test.cpp -- GRU and LSTM steps; gradients against central differences in
// double.
#include "tests/kernels/kernel_test.h"

#include <functional>

using namespace weft::test;

namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// d f / d x[i] at x, by central differences.
double slope(const std::function<double(const std::vector<double>&)>& f, std::vector<double> x,
             size_t i) {
  const double step = 1e-6, at = x[i];
  x[i] = at + step;
  const double above = f(x);
  x[i] = at - step;
  return (above - f(x)) / (2 * step);
}

struct Sizes {
  int64_t B, H;
};
const Sizes sizes[] = {{0, 4}, {1, 1}, {3, 7}, {5, 33}, {64, 512}};

std::vector<uint8_t> some_live(int64_t batch) {
  std::vector<uint8_t> live(batch, 1);
  for (int64_t b = 1; b < batch; b += 3) live[b] = 0;
  return live;
}

}  // namespace

TEST_CASE("gru: reset before, both stages and their gradients") {
  on_every_machine([] {
    for (const Sizes& size : sizes)
      for (const bool reset_first : {false, true}) {
        const int64_t B = size.B, H = size.H, ld = H + 3, ld3 = 3 * H + 5, ld2 = 2 * H + 1;
        const Floats g = random_floats(B * ld3, 1, -2, 2), su = random_floats(B * ld2, 2),
                     s = random_floats(B * ld, 3);
        const Floats rn = random_floats(B * ld, 4), d = random_floats(B * ld, 5),
                     drs = random_floats(B * ld, 6);
        const auto live = some_live(B);
        Floats gates(B * ld3, -7), rs(B * ld, -7), out(B * ld, -7), out2(B * ld, -7),
            dg(B * ld3, -7), ds(B * ld, -7);
        k::gru_reset({.batch = B,
                      .hidden = H,
                      .reset_first = reset_first,
                      .g = g.data(),
                      .ld_g = ld3,
                      .su = su.data(),
                      .ld_su = ld2,
                      .s = s.data(),
                      .ld_s = ld,
                      .gates = gates.data(),
                      .ld_gates = ld3,
                      .rs = rs.data(),
                      .ld_rs = ld});
        k::gru_update({.batch = B,
                       .hidden = H,
                       .reset_first = reset_first,
                       .g = g.data(),
                       .ld_g = ld3,
                       .rn = rn.data(),
                       .ld_rn = ld,
                       .s = s.data(),
                       .ld_s = ld,
                       .gates = gates.data(),
                       .ld_gates = ld3,
                       .s_out = out.data(),
                       .ld_s_out = ld,
                       .s_out2 = out2.data(),
                       .ld_s_out2 = ld,
                       .live = live.data()});
        k::gru_update_grad({.batch = B,
                            .hidden = H,
                            .reset_first = reset_first,
                            .d = d.data(),
                            .ld_d = ld,
                            .s = s.data(),
                            .ld_s = ld,
                            .gates = gates.data(),
                            .ld_gates = ld3,
                            .dg = dg.data(),
                            .ld_dg = ld3,
                            .ds = ds.data(),
                            .ld_ds = ld,
                            .live = live.data()});
        const Floats ds1 = ds;
        k::gru_reset_grad({.batch = B,
                           .hidden = H,
                           .reset_first = reset_first,
                           .drs = drs.data(),
                           .ld_drs = ld,
                           .s = s.data(),
                           .ld_s = ld,
                           .gates = gates.data(),
                           .ld_gates = ld3,
                           .dg = dg.data(),
                           .ld_dg = ld3,
                           .ds = ds.data(),
                           .ld_ds = ld,
                           .live = live.data()});
        double worst = 0;
        const auto compare = [&](double found, double expected) {
          worst = std::fmax(worst, std::fabs(found - expected));
        };
        for (int64_t b = 0; b < B; ++b)
          for (int64_t j = 0; j<H; j += H> 64 ? 37 : 1) {
            const int64_t cz = (reset_first ? H : 0) + j, cr = (reset_first ? 0 : H) + j,
                          cn = 2 * H + j;
            // x = z input, r input, n input, s
            const std::vector<double> x{double(g[b * ld3 + cz]) + su[b * ld2 + cz],
                                        double(g[b * ld3 + cr]) + su[b * ld2 + cr],
                                        double(g[b * ld3 + cn]) + rn[b * ld + j], s[b * ld + j]};
            const auto step = [](const std::vector<double>& v) {
              return v[3] + sigmoid(v[0]) * (std::tanh(v[2]) - v[3]);
            };
            const auto reset = [](const std::vector<double>& v) { return sigmoid(v[1]) * v[3]; };
            const bool alive = live[b] != 0;
            compare(rs[b * ld + j], reset(x));
            compare(out[b * ld + j], alive ? step(x) : x[3]);
            compare(out2[b * ld + j], alive ? step(x) : 0);
            compare(dg[b * ld3 + cz], alive ? d[b * ld + j] * slope(step, x, 0) : 0);
            compare(dg[b * ld3 + cn], alive ? d[b * ld + j] * slope(step, x, 2) : 0);
            compare(dg[b * ld3 + cr], alive ? drs[b * ld + j] * slope(reset, x, 1) : 0);
            compare(ds1[b * ld + j], d[b * ld + j] * (alive ? slope(step, x, 3) : 1));
            compare(ds[b * ld + j],
                    ds1[b * ld + j] + (alive ? drs[b * ld + j] * slope(reset, x, 3) : 0));
          }
        INFO(B, "x", H);
        CHECK(worst < 2e-6);  // a dozen roundings of numbers up to 2
      }
  });
}

TEST_CASE("gru: reset after, as in PyTorch") {
  on_every_machine([] {
    for (const Sizes& size : sizes)
      for (const bool reset_first : {true, false}) {
        const int64_t B = size.B, H = size.H, ld = H + 3, ld3 = 3 * H + 5;
        const Floats g = random_floats(B * ld3, 1, -2, 2), su = random_floats(B * ld3, 2),
                     s = random_floats(B * ld, 3);
        const Floats bn = random_floats(H, 4), d = random_floats(B * ld, 5);
        const auto live = some_live(B);
        Floats gates(B * ld3), hn(B * ld), out(B * ld), dg(B * ld3), dsu(B * ld3), ds(B * ld);
        k::gru_after({.batch = B,
                      .hidden = H,
                      .reset_first = reset_first,
                      .g = g.data(),
                      .ld_g = ld3,
                      .su = su.data(),
                      .ld_su = ld3,
                      .bn = bn.data(),
                      .s = s.data(),
                      .ld_s = ld,
                      .gates = gates.data(),
                      .ld_gates = ld3,
                      .hn = hn.data(),
                      .ld_hn = ld,
                      .s_out = out.data(),
                      .ld_s_out = ld,
                      .live = live.data()});
        k::gru_after_grad({.batch = B,
                           .hidden = H,
                           .reset_first = reset_first,
                           .d = d.data(),
                           .ld_d = ld,
                           .s = s.data(),
                           .ld_s = ld,
                           .gates = gates.data(),
                           .ld_gates = ld3,
                           .hn = hn.data(),
                           .ld_hn = ld,
                           .dg = dg.data(),
                           .ld_dg = ld3,
                           .dsu = dsu.data(),
                           .ld_dsu = ld3,
                           .ds = ds.data(),
                           .ld_ds = ld,
                           .live = live.data()});
        double worst = 0;
        const auto compare = [&](double found, double expected) {
          worst = std::fmax(worst, std::fabs(found - expected));
        };
        for (int64_t b = 0; b < B; ++b)
          for (int64_t j = 0; j<H; j += H> 64 ? 37 : 1) {
            const int64_t cz = (reset_first ? H : 0) + j, cr = (reset_first ? 0 : H) + j,
                          cn = 2 * H + j;
            // x = z input, r input, g[n], su[n], s
            const std::vector<double> x{double(g[b * ld3 + cz]) + su[b * ld3 + cz],
                                        double(g[b * ld3 + cr]) + su[b * ld3 + cr], g[b * ld3 + cn],
                                        double(su[b * ld3 + cn]) + bn[j], s[b * ld + j]};
            const auto step = [](const std::vector<double>& v) {
              const double z = sigmoid(v[0]), n = std::tanh(v[2] + sigmoid(v[1]) * v[3]);
              return (1 - z) * n + z * v[4];
            };
            const double dy = live[b] != 0 ? d[b * ld + j] : 0;
            compare(out[b * ld + j], live[b] != 0 ? step(x) : x[4]);
            compare(dg[b * ld3 + cz], dy * slope(step, x, 0));
            compare(dg[b * ld3 + cr], dy * slope(step, x, 1));
            compare(dg[b * ld3 + cn], dy * slope(step, x, 2));
            compare(dsu[b * ld3 + cz], dy * slope(step, x, 0));
            compare(dsu[b * ld3 + cr], dy * slope(step, x, 1));
            compare(dsu[b * ld3 + cn], dy * slope(step, x, 3));
            compare(ds[b * ld + j], live[b] != 0 ? dy * slope(step, x, 4) : d[b * ld + j]);
          }
        INFO(B, "x", H);
        CHECK(worst < 2e-6);
      }
  });
}

TEST_CASE("lstm: the step and its gradient") {
  on_every_machine([] {
    for (const Sizes& size : sizes)
      for (const bool has_dc : {false, true}) {
        const int64_t B = size.B, H = size.H, ld = H + 3, ld4 = 4 * H + 5;
        const Floats g = random_floats(B * ld4, 1, -2, 2), hu = random_floats(B * ld4, 2),
                     c = random_floats(B * ld, 3);
        const Floats h = random_floats(B * ld, 4), d = random_floats(B * ld, 5),
                     dc = random_floats(B * ld, 6);
        const auto live = some_live(B);
        Floats gates(B * ld4), c_out(B * ld), h_out(B * ld), dg(B * ld4), dc_in(B * ld),
            dh_in(B * ld);
        k::lstm_cell({.batch = B,
                      .hidden = H,
                      .g = g.data(),
                      .ld_g = ld4,
                      .hu = hu.data(),
                      .ld_hu = ld4,
                      .c = c.data(),
                      .ld_c = ld,
                      .h = h.data(),
                      .ld_h = ld,
                      .gates = gates.data(),
                      .ld_gates = ld4,
                      .c_out = c_out.data(),
                      .ld_c_out = ld,
                      .h_out = h_out.data(),
                      .ld_h_out = ld,
                      .live = live.data()});
        k::lstm_cell_grad({.batch = B,
                           .hidden = H,
                           .dh_out = d.data(),
                           .ld_dh_out = ld,
                           .dc_out = has_dc ? dc.data() : nullptr,
                           .ld_dc_out = ld,
                           .c = c.data(),
                           .ld_c = ld,
                           .c_out = c_out.data(),
                           .ld_c_out = ld,
                           .gates = gates.data(),
                           .ld_gates = ld4,
                           .dg = dg.data(),
                           .ld_dg = ld4,
                           .dc_in = dc_in.data(),
                           .ld_dc_in = ld,
                           .dh_in = dh_in.data(),
                           .ld_dh_in = ld,
                           .live = live.data()});
        double worst = 0;
        const auto compare = [&](double found, double expected) {
          worst = std::fmax(worst, std::fabs(found - expected));
        };
        for (int64_t b = 0; b < B; ++b)
          for (int64_t j = 0; j<H; j += H> 64 ? 37 : 1) {
            std::vector<double> x;
            for (int64_t gate = 0; gate < 4; ++gate)
              x.push_back(double(g[b * ld4 + gate * H + j]) + hu[b * ld4 + gate * H + j]);
            x.push_back(c[b * ld + j]);
            const auto cell = [](const std::vector<double>& v) {
              return sigmoid(v[1]) * v[4] + sigmoid(v[0]) * std::tanh(v[2]);
            };
            const auto step = [&](const std::vector<double>& v) {
              return sigmoid(v[3]) * std::tanh(cell(v));
            };
            const double dh = d[b * ld + j], dcell = has_dc ? dc[b * ld + j] : 0;
            const bool alive = live[b] != 0;
            compare(c_out[b * ld + j], alive ? cell(x) : x[4]);
            compare(h_out[b * ld + j], alive ? step(x) : h[b * ld + j]);
            compare(dh_in[b * ld + j], alive ? 0 : dh);
            for (int64_t gate = 0; gate < 4; ++gate)
              compare(dg[b * ld4 + gate * H + j],
                      alive ? dh * slope(step, x, gate) + dcell * slope(cell, x, gate) : 0);
            compare(dc_in[b * ld + j],
                    alive ? dh * slope(step, x, 4) + dcell * slope(cell, x, 4) : dcell);
          }
        INFO(B, "x", H);
        CHECK(worst < 2e-6);
      }
  });
}
