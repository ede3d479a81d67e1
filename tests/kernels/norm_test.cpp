// tests/kernels/norm_test.cpp -- layer norm and RMS norm, and their gradients.
#include "tests/kernels/kernel_test.h"

using namespace weft::test;

namespace {

struct Case {
  int64_t rows, n;
  bool centred, scales, shifts;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const bool centred : {true, false})
    for (const int64_t n : {1, 3, 8, 17, 64, 100, 512})
      for (const int64_t rows : {1, 7, 33, 130})
        for (const int vectors : {0, 1, 2, 3})
          all.push_back({rows, n, centred, (vectors & 1) != 0, (vectors & 2) != 0});
  return all;
}

constexpr float kEps = 1e-3F;

struct Expected {
  std::vector<double> y, mean, rstd, dx, dscale, dshift;
};

Expected expected(const Case& c, const Floats& x, const Floats& dy, int64_t ld, const Floats& scale,
                  const Floats& shift) {
  Expected e;
  const double n = static_cast<double>(c.n);
  e.dscale.resize(c.n), e.dshift.resize(c.n);
  for (int64_t r = 0; r < c.rows; ++r) {
    double mean = 0, square = 0;
    for (int64_t j = 0; j < c.n && c.centred; ++j) mean += x[r * ld + j] / n;
    for (int64_t j = 0; j < c.n; ++j) square += std::pow(x[r * ld + j] - mean, 2) / n;
    const double rstd = 1 / std::sqrt(square + kEps);
    double g_mean = 0, gn_mean = 0;
    for (int64_t j = 0; j < c.n; ++j) {
      const double value = (x[r * ld + j] - mean) * rstd, d = dy[r * ld + j];
      e.y.push_back(value * (c.scales ? scale[j] : 1) + (c.shifts ? shift[j] : 0));
      e.dscale[j] += d * value, e.dshift[j] += d;
      const double g = d * (c.scales ? scale[j] : 1);
      g_mean += g / n, gn_mean += g * value / n;
    }
    for (int64_t j = 0; j < c.n; ++j) {
      const double g = dy[r * ld + j] * (c.scales ? scale[j] : 1);
      e.dx.push_back(rstd *
                     (g - (c.centred ? g_mean : 0) - (x[r * ld + j] - mean) * rstd * gn_mean));
    }
    e.mean.push_back(mean), e.rstd.push_back(rstd);
  }
  return e;
}

}  // namespace

TEST_CASE("norm: rows, statistics and gradients, with and without scale and shift") {
  on_every_machine([] {
    for (const Case& c : cases()) {
      INFO(c.rows, " rows of ", c.n, c.centred ? " centred" : "", c.scales ? " scaled" : "",
           c.shifts ? " shifted" : "");
      const int64_t ld = c.n + 3;
      const Floats x = random_floats(c.rows * ld, 1, -2, 3), dy = random_floats(c.rows * ld, 2),
                   scale = random_floats(c.n, 3), shift = random_floats(c.n, 4);
      const Expected e = expected(c, x, dy, ld, scale, shift);
      Floats y(c.rows * c.n), mean(c.rows), rstd(c.rows);
      k::norm({.rows = c.rows,
               .n = c.n,
               .centred = c.centred,
               .eps = kEps,
               .x = x.data(),
               .ld_x = ld,
               .scale = c.scales ? scale.data() : nullptr,
               .shift = c.shifts ? shift.data() : nullptr,
               .y = y.data(),
               .mean = mean.data(),
               .rstd = rstd.data()});
      check_close(y, e.y, 5e-6);
      check_close(mean, e.mean, 1e-6);
      check_close(rstd, e.rstd, 5e-6);
      Floats dx(c.rows * c.n), dscale(c.n), dshift(c.n);
      k::NormGrad grad{.rows = c.rows,
                       .n = c.n,
                       .centred = c.centred,
                       .dy = dy.data(),
                       .x = x.data(),
                       .ld_dy = ld,
                       .ld_x = ld,
                       .mean = mean.data(),
                       .rstd = rstd.data(),
                       .scale = c.scales ? scale.data() : nullptr,
                       .dx = dx.data(),
                       .dscale = c.scales ? dscale.data() : nullptr,
                       .dshift = c.shifts ? dshift.data() : nullptr};
      Floats workspace(k::norm_grad_workspace_bytes(grad) / sizeof(float));
      grad.workspace = workspace.data();
      k::norm_grad(grad);
      check_close(dx, e.dx, 2e-4);  // rstd reaches 30 in rows of one element
      if (c.scales) check_close(dscale, e.dscale, 2e-5);
      if (c.shifts) check_close(dshift, e.dshift, 1e-5);
    }
  });
}

TEST_CASE("norm: a row far from 0 keeps its small variance") {
  on_every_machine([] {
    const int64_t n = 300;
    Floats x = random_floats(n, 7, -1, 1), y(n);
    std::vector<double> expected_y(n);
    double mean = 0, square = 0;
    for (float& v : x) v = 1000 + 0.125F * std::round(8 * v);  // exact
    for (const float v : x) mean += v / double(n);
    for (const float v : x) square += (v - mean) * (v - mean) / double(n);
    for (int64_t j = 0; j < n; ++j) expected_y[j] = (x[j] - mean) / std::sqrt(square + 1e-5);
    k::norm({.rows = 1, .n = n, .eps = 1e-5F, .x = x.data(), .y = y.data()});
    check_close(y, expected_y, 5e-4);  // the mean's own rounding, 3e-5, over a deviation of 0.6
  });
}

TEST_CASE("norm: in place, and the same bits for every team") {
  const int64_t rows = 700, n = 96;
  const Floats x = random_floats(rows * n, 5), dy = random_floats(rows * n, 6),
               scale = random_floats(n, 7);
  same_bits_for_every_team([&] {
    Floats y = x, mean(rows), rstd(rows), d = dy, dscale(n), dshift(n);
    k::norm({.rows = rows,
             .n = n,
             .eps = kEps,
             .x = y.data(),
             .scale = scale.data(),
             .y = y.data(),
             .mean = mean.data(),
             .rstd = rstd.data()});
    k::NormGrad grad{.rows = rows,
                     .n = n,
                     .dy = d.data(),
                     .x = x.data(),
                     .mean = mean.data(),
                     .rstd = rstd.data(),
                     .scale = scale.data(),
                     .dx = d.data(),
                     .dscale = dscale.data(),
                     .dshift = dshift.data()};
    Floats workspace(k::norm_grad_workspace_bytes(grad) / sizeof(float));
    grad.workspace = workspace.data();
    k::norm_grad(grad);
    for (const Floats* part : {&d, &dscale, &dshift}) y.insert(y.end(), part->begin(), part->end());
    return y;
  });
}
