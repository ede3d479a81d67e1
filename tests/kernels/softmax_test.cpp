// tests/kernels/softmax_test.cpp -- softmax, log-softmax, log-sum-exp, and their gradients.
#include "tests/kernels/kernel_test.h"

#include <algorithm>

using namespace weft::test;

namespace {

// One lane, elements `step` apart.
void expected_lane(const float* x, double* y, int64_t n, int64_t step, bool log,
                   const std::vector<uint8_t>& see) {
  double top = -kInf, sum = 0;
  for (int64_t j = 0; j < n; ++j)
    if (see[j])
      top = std::isnan(x[j * step]) || std::isnan(top) ? kNaN : std::fmax(top, x[j * step]);
  for (int64_t j = 0; j < n; ++j)
    if (see[j]) sum += std::exp(x[j * step] - top);
  for (int64_t j = 0; j < n; ++j) {
    if (top == -kInf) {
      y[j * step] = log ? -kInf : 0;
    } else if (log) {
      y[j * step] = see[j] ? x[j * step] - top - std::log(sum) : -kInf;
    } else {
      y[j * step] = see[j] ? std::exp(x[j * step] - top) / sum : 0;
    }
  }
}

}  // namespace

TEST_CASE("softmax: all lengths, masks, padded rows, rows with nothing to see") {
  on_every_machine([] {
    for (const int64_t n : {1, 2, 7, 8, 9, 16, 25, 33, 64, 513, 1000})
      for (const bool log : {false, true})
        for (const bool masked : {false, true}) {
          const int64_t batch = 3, heads = 2, rows = 5, ld = n + 3, all = batch * heads * rows;
          Floats x = random_floats(all * ld, 21, -20, 20);
          // A mask over (batch, column), broadcast over heads and rows; batch entry 1 sees nothing.
          auto see = random_mask(batch * n, 22);
          for (int64_t j = 0; j < n; ++j) see[n + j] = 0, see[j] |= j == 0;
          if (masked)
            for (int64_t r = 0; r < all; ++r)
              for (int64_t j = 0; j < n; ++j)
                if (!see[r / (heads * rows) * n + j]) x[r * ld + j] = kNaN;
          if (!masked)
            for (int64_t j = 0; j < n; ++j) x[4 * ld + j] = -kInf;
          x[2 * ld] = masked ? x[2 * ld] : kNaN;  // in sight: fills its row
          std::vector<double> expected(all * ld, -7);
          for (int64_t r = 0; r < all; ++r) {
            std::vector<uint8_t> row(n, 1);
            if (masked) std::copy_n(see.begin() + r / (heads * rows) * n, n, row.begin());
            expected_lane(&x[r * ld], &expected[r * ld], n, 1, log, row);
          }
          Floats y(all * ld, -7);
          k::softmax({.batch = batch,
                      .heads = heads,
                      .rows = rows,
                      .n = n,
                      .log = log,
                      .x = x.data(),
                      .y = y.data(),
                      .ld_x = ld,
                      .ld_y = ld,
                      .mask = {masked ? see.data() : nullptr, n, 0, 0, 1}});
          INFO("n ", n, " log ", log, " masked ", masked);
          check_close(y, expected, 3e-6);  // scores up to 20: their own rounding is 1e-6
        }
  });
}

TEST_CASE("softmax: over a middle axis") {
  on_every_machine([] {
    for (const bool log : {false, true}) {
      const int64_t rows = 3, n = 5, inner = 13;
      Floats x = random_floats(rows * n * inner, 5, -3, 3);
      for (int64_t j = 0; j < n; ++j) x[j * inner + 4] = -kInf;
      std::vector<double> expected(x.size());
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t i = 0; i < inner; ++i)
          expected_lane(&x[r * n * inner + i], &expected[r * n * inner + i], n, inner, log,
                        std::vector<uint8_t>(n, 1));
      Floats y(x.size());
      k::softmax({.rows = rows, .n = n, .inner = inner, .log = log, .x = x.data(), .y = y.data()});
      check_close(y, expected, 1e-6);
    }
  });
}

TEST_CASE("softmax_grad: rows and columns") {
  on_every_machine([] {
    for (const int64_t inner : {1, 11})
      for (const int64_t n : {1, 3, 8, 25, 1000})
        for (const bool log : {false, true}) {
          const int64_t rows = 6;
          const Floats x = random_floats(rows * n * inner, 31, -3, 3),
                       dy = random_floats(x.size(), 32);
          Floats y(x.size()), dx(x.size());
          k::softmax(
              {.rows = rows, .n = n, .inner = inner, .log = log, .x = x.data(), .y = y.data()});
          k::softmax_grad({.rows = rows,
                           .n = n,
                           .inner = inner,
                           .log = log,
                           .y = y.data(),
                           .dy = dy.data(),
                           .dx = dx.data()});
          std::vector<double> expected(x.size());
          for (int64_t l = 0; l < rows * inner; ++l) {
            const int64_t at = l / inner * n * inner + l % inner;
            double s = 0;
            for (int64_t j = 0; j < n; ++j)
              s += log ? dy[at + j * inner] : double(dy[at + j * inner]) * y[at + j * inner];
            for (int64_t j = 0; j < n; ++j) {
              const int64_t i = at + j * inner;
              expected[i] = log ? dy[i] - std::exp(double(y[i])) * s : y[i] * (dy[i] - s);
            }
          }
          check_close(dx, expected, 1e-5);  // sums of up to 1000 terms of either sign
        }
  });
}

TEST_CASE("softmax_grad: a gradient larger than the caches has the bits of its parts") {
  const int64_t n = 4099, ld = 4112, rows = 4200, part = rows / 2;  // 69 MB, rows on cache lines
  const Floats y = random_floats(rows * n, 33), dy = random_floats(rows * n, 34);
  Floats whole(rows * ld + 16, kNaN), parts(rows * ld + 16, kNaN);
  const auto on_line = [](Floats& x) {
    return x.data() + (64 - reinterpret_cast<uintptr_t>(x.data()) % 64) % 64 / 4;
  };
  const auto run = [&](int64_t first, int64_t count, float* dx) {
    k::softmax_grad({.rows = count,
                     .n = n,
                     .y = y.data() + first * n,
                     .dy = dy.data() + first * n,
                     .dx = dx + first * ld,
                     .ld_dx = ld});
  };
  float *const w = on_line(whole), *const p = on_line(parts);
  run(0, rows, w), run(0, part, p), run(part, rows - part, p);
  for (int64_t r = 0; r < rows; ++r) {
    if (std::memcmp(w + r * ld, p + r * ld, n * 4) != 0) FAIL("row ", r);
    if (!std::isnan(w[r * ld + n])) FAIL("behind row ", r);
  }
}

TEST_CASE("log_sum_exp: large scores, empty and infinite rows") {
  on_every_machine([] {
    const Floats x{1000, 1000, /**/ -kInf, -kInf, /**/ kInf, 0, /**/ kNaN, 1};
    Floats y(4);
    k::log_sum_exp({.rows = 4, .n = 2, .x = x.data(), .y = y.data()});
    check_close(y, {1000 + std::log(2.0), -kInf, kInf, kNaN}, 1e-6);
  });
}
