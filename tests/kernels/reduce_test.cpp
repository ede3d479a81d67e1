// tests/kernels/reduce_test.cpp -- reductions, arg_max and running sums.
#include "tests/kernels/kernel_test.h"

#include <algorithm>

using namespace weft::test;
using k::Reduction;

namespace {

struct Shape {
  int64_t outer, n, inner;
};
const Shape shapes[] = {{1, 1, 1},     {0, 5, 3},      {3, 0, 2},      {7, 13, 1},
                        {5, 31, 17},   {1, 1600, 512}, {1, 777, 130},  {2, 40000, 1},
                        {1, 16385, 3}, {300, 64, 1},   {1, 5, 100003}, {1001, 2, 1},
                        {200, 3, 1},   {65, 5, 1},     {130, 7, 1},    {64, 8, 1}};

double expected_at(Reduction kind, const Floats& x, const Shape& s, int64_t o, int64_t i) {
  double y = kind == Reduction::max    ? -kInf
             : kind == Reduction::min  ? kInf
             : kind == Reduction::prod ? 1
                                       : 0;
  for (int64_t j = 0; j < s.n; ++j) {
    const double v = x[(o * s.n + j) * s.inner + i];
    if (kind == Reduction::max) y = std::isnan(v) || std::isnan(y) ? kNaN : std::fmax(y, v);
    if (kind == Reduction::min) y = std::isnan(v) || std::isnan(y) ? kNaN : std::fmin(y, v);
    if (kind == Reduction::prod) y *= v;
    if (kind == Reduction::sum || kind == Reduction::mean) y += v;
  }
  return kind == Reduction::mean ? y / static_cast<double>(s.n) : y;
}

Floats run(Reduction kind, const Floats& x, const Shape& s) {
  Floats y(s.outer * s.inner);
  k::Reduce args{
      .kind = kind, .outer = s.outer, .n = s.n, .inner = s.inner, .x = x.data(), .y = y.data()};
  std::vector<char> workspace(k::reduce_workspace_bytes(args));
  args.workspace = workspace.data();
  k::reduce(args);
  return y;
}

}  // namespace

TEST_CASE("reduce: every kind agrees with a plain loop") {
  on_every_machine([] {
    for (const Shape& s : shapes)
      for (const Reduction kind :
           {Reduction::sum, Reduction::mean, Reduction::max, Reduction::min, Reduction::prod}) {
        // Factors near 1 keep products in range.
        Floats x = kind == Reduction::prod ? random_floats(s.outer * s.n * s.inner, 3, 0.99F, 1.01F)
                                           : random_floats(s.outer * s.n * s.inner, 3);
        if (x.size() > 40)
          x[x.size() / 2] = (kind == Reduction::max || kind == Reduction::min) ? kNaN : x[0];
        std::vector<double> expected;
        for (int64_t o = 0; o < s.outer; ++o)
          for (int64_t i = 0; i < s.inner; ++i) expected.push_back(expected_at(kind, x, s, o, i));
        // Chunks of 256 rows (16384 elements over 32 lanes): errors of a few hundred roundings at
        // most.
        INFO(s.outer, "x", s.n, "x", s.inner, " kind ", static_cast<int>(kind));
        const double scale = kind == Reduction::sum ? 1 + std::sqrt(static_cast<double>(s.n)) : 1;
        check_close(run(kind, x, s), expected, kind == Reduction::prod ? 1e-4 : 2e-6 * scale);
      }
  });
}

TEST_CASE("reduce: the bits do not depend on the number of threads") {
  const Floats x = random_floats(40000 * 6, 5);
  same_bits_for_every_team([&] { return run(Reduction::sum, x, {1, 40000, 6}); });
  same_bits_for_every_team([&] { return run(Reduction::sum, x, {2, 120000, 1}); });
}

TEST_CASE("reduce: short rows have the bits of rows that lie apart") {
  on_every_machine([] {
    const int64_t rows = 201;
    for (int64_t n = 2; n <= 9; ++n)
      for (const Reduction kind :
           {Reduction::sum, Reduction::mean, Reduction::max, Reduction::min, Reduction::prod}) {
        const Floats dense = random_floats(rows * n, 5);
        Floats apart((n + 3) * rows);
        for (int64_t r = 0; r < rows; ++r) std::copy_n(&dense[r * n], n, &apart[r * (n + 3)]);
        Floats a(rows), b(rows);
        k::Reduce args{
            .kind = kind, .outer = rows, .n = n, .inner = 1, .x = dense.data(), .y = a.data()};
        k::reduce(args);
        args.x = apart.data(), args.y = b.data(), args.x_outer = n + 3;
        k::reduce(args);
        INFO("rows of ", n, ", kind ", static_cast<int>(kind));
        CHECK(std::equal(a.data(), a.data() + rows, b.data()));
      }
  });
}

TEST_CASE("reduce: padded rows, accumulation, integers") {
  on_every_machine([] {
    const int64_t n = 37, inner = 19, ld = 23;
    const Floats x = random_floats(n * ld, 9);
    Floats y(inner, 1.0F);
    k::reduce(
        {.n = n, .inner = inner, .x = x.data(), .x_n = ld, .y = y.data(), .accumulate = true});
    std::vector<double> expected(inner, 1.0);
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i < inner; ++i) expected[i] += x[j * ld + i];
    check_close(y, expected, 1e-5);

    std::vector<int64_t> a{1LL << 62, 1LL << 62, 5, -3};
    int64_t total = 0, top = 0;
    k::reduce({.dtype = k::DType::s64, .n = 4, .x = a.data(), .y = &total});
    CHECK(total == INT64_MIN + 2);
    k::reduce({.kind = Reduction::max, .dtype = k::DType::s64, .n = 4, .x = a.data(), .y = &top});
    CHECK(top == 1LL << 62);
    std::vector<int32_t> b{INT32_MAX, 1, -7};
    int32_t sum = 0;
    k::reduce({.dtype = k::DType::s32, .n = 3, .x = b.data(), .y = &sum});
    CHECK(sum == INT32_MIN - 7LL + (1LL << 32));
  });
}

TEST_CASE("arg_max: the first of equals wins, NaN beats numbers") {
  on_every_machine([] {
    const Floats x{1, 5, 5, 2, /**/ 1, kNaN, 9, kNaN, /**/ -kInf, -kInf, -kInf, -kInf};
    std::vector<int64_t> y(3);
    k::arg_max({.outer = 3, .n = 4, .x = x.data(), .y = y.data()});
    CHECK(y == std::vector<int64_t>{1, 1, 0});
    for (const int64_t n : {1, 7, 64, 1001}) {
      const Floats r = random_floats(n * 6, 11);
      std::vector<int32_t> found(6);
      k::arg_max({.outer = 2,
                  .n = n,
                  .inner = 3,
                  .x = r.data(),
                  .index = k::DType::s32,
                  .y = found.data()});
      for (int64_t i = 0; i < 6; ++i) {
        int32_t best = 0;
        for (int32_t j = 0; j < n; ++j)
          if (r[(i / 3 * n + j) * 3 + i % 3] > r[(i / 3 * n + best) * 3 + i % 3]) best = j;
        CHECK(found[i] == best);
      }
      int64_t one = -1;
      k::arg_max({.n = n * 6, .x = r.data(), .y = &one});
      CHECK(one == std::max_element(r.begin(), r.end()) - r.begin());
    }
  });
}

TEST_CASE("cumulative_sum: exclusive and reverse") {
  on_every_machine([] {
    const Floats x{1, 2, 3, 4};
    Floats y(4);
    const auto run = [&](bool exclusive, bool reverse) {
      k::cumulative_sum(
          {.n = 4, .x = x.data(), .y = y.data(), .exclusive = exclusive, .reverse = reverse});
      return y;
    };
    CHECK(run(false, false) == Floats{1, 3, 6, 10});
    CHECK(run(true, false) == Floats{0, 1, 3, 6});
    CHECK(run(false, true) == Floats{10, 9, 7, 4});
    CHECK(run(true, true) == Floats{9, 7, 4, 0});
    std::vector<int64_t> a{1, 10, 2, 20};
    k::cumulative_sum({.dtype = k::DType::s64, .n = 2, .inner = 2, .x = a.data(), .y = a.data()});
    CHECK(a == std::vector<int64_t>{1, 10, 3, 30});
  });
}
