// tests/kernels/top_k_test.cpp -- the greatest of every row, with and without log-softmax.
#include "tests/kernels/kernel_test.h"

#include <algorithm>
#include <numeric>

using namespace weft::test;

namespace {

struct Best {
  Floats values;
  std::vector<int32_t> indices;
};

Best run(k::TopK args, const Floats& x) {
  Best best{Floats(static_cast<size_t>(args.rows * args.k), -7),
            std::vector<int32_t>(static_cast<size_t>(args.rows * args.k), -7)};
  std::vector<char> workspace(k::top_k_workspace_bytes(args));
  args.x = x.data();
  args.values = best.values.data();
  args.indices = best.indices.data();
  args.workspace = workspace.data();
  k::top_k(args);
  return best;
}

bool greater(float a, float b) { return std::isnan(a) ? !std::isnan(b) : a > b; }

std::vector<int32_t> order_of(const float* x, int64_t n) {
  std::vector<int32_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return greater(x[a], x[b]); });
  return order;
}

void check(const Floats& x, int64_t rows, int64_t n, int64_t count, int64_t ld) {
  const Best best = run({.rows = rows, .n = n, .k = count, .ld_x = ld}, x);
  for (int64_t r = 0; r < rows; ++r) {
    const auto order = order_of(&x[static_cast<size_t>(r * ld)], n);
    for (int64_t i = 0; i < count; ++i) {
      const auto at = static_cast<size_t>(r * count + i);
      const float expected = x[static_cast<size_t>(r * ld + order[static_cast<size_t>(i)])];
      INFO("row ", r, " of ", rows, ", n ", n, ", place ", i);
      REQUIRE(best.indices[at] == order[static_cast<size_t>(i)]);
      REQUIRE((best.values[at] == expected || std::isnan(expected)));
    }
  }
}

}  // namespace

TEST_CASE("top_k: any number of any number, many rows or few, padded rows") {
  on_every_machine([] {
    for (const int64_t n : {1, 2, 7, 8, 9, 44, 100, 2048, 2049, 8000})
      for (const int64_t rows : {1, 2, 3, 17})
        for (const int64_t count : {int64_t{1}, int64_t{2}, int64_t{10}, n}) {
          if (count > n || rows * count > 20000) continue;
          const int64_t ld = n + rows % 2 * 5;
          check(random_floats(static_cast<size_t>(rows * ld), 3), rows, n, count, ld);
        }
  });
}

TEST_CASE("top_k: of equals the first comes first, in whole rows and in parts of them") {
  on_every_machine([] {
    for (const int64_t n : {30, 9000}) {
      Floats x = random_floats(static_cast<size_t>(n), 4, 0, 3);
      for (float& v : x) v = std::floor(v);
      check(x, 1, n, 20, n);
      check(Floats(static_cast<size_t>(n), 1.5F), 1, n, 7, n);
    }
  });
}

TEST_CASE("top_k: NaN beats everything, infinities stand where they belong") {
  on_every_machine([] {
    for (const int64_t n : {20, 9000}) {
      Floats x = random_floats(static_cast<size_t>(n), 5);
      x[3] = kNaN, x[static_cast<size_t>(n - 1)] = kNaN, x[7] = kInf, x[1] = -kInf;
      check(x, 1, n, 20, n);
      check(Floats(static_cast<size_t>(n), -kInf), 1, n, 3, n);
      check(Floats(static_cast<size_t>(n), kNaN), 1, n, 3, n);
    }
  });
}

TEST_CASE("top_k: log_softmax takes the logarithm of the row's sum off") {
  on_every_machine([] {
    for (const int64_t n : {1, 5, 8, 31, 2048, 5000, 8000})
      for (const int64_t rows : {1, 19}) {
        const int64_t count = std::min<int64_t>(n, 6);
        Floats x = random_floats(static_cast<size_t>(rows * n), 6, -20, 20);
        const Best best = run({.rows = rows, .n = n, .k = count, .log_softmax = true}, x);
        std::vector<double> expected;
        for (int64_t r = 0; r < rows; ++r) {
          const float* row = &x[static_cast<size_t>(r * n)];
          const auto order = order_of(row, n);
          double sum = 0;
          for (int64_t j = 0; j < n; ++j)
            sum += std::exp(static_cast<double>(row[j]) - row[order[0]]);
          for (int64_t i = 0; i < count; ++i) {
            const int32_t at = order[static_cast<size_t>(i)];
            expected.push_back(static_cast<double>(row[at]) - row[order[0]] - std::log(sum));
            CHECK(best.indices[static_cast<size_t>(r * count + i)] == at);
          }
        }
        // x - lse of numbers up to 20: half an ulp of 40, and the sum's few.
        check_close(best.values, expected, 8e-6);
      }
  });
}

TEST_CASE("top_k: log_softmax of -inf stays -inf, a NaN or +inf fills its row") {
  on_every_machine([] {
    for (const int64_t n : {9, 5000}) {
      const k::TopK args{.n = n, .k = 2, .log_softmax = true};
      const Best none = run(args, Floats(static_cast<size_t>(n), -kInf));
      CHECK((none.values == Floats{-kInf, -kInf} && none.indices == std::vector<int32_t>{0, 1}));
      for (const float bad : {kNaN, kInf}) {
        Floats x(static_cast<size_t>(n), 1);
        x[5] = bad;
        const Best best = run(args, x);
        CHECK((std::isnan(best.values[0]) && std::isnan(best.values[1])));
        CHECK(best.indices == std::vector<int32_t>{0, 1});
      }
    }
  });
}

TEST_CASE("top_k: the bits of log_softmax depend neither on the team nor on the other rows") {
  const int64_t n = 8000;
  const Floats x = random_floats(static_cast<size_t>(24 * n), 8, -9, 9);
  same_bits_for_every_team(
      [&] { return run({.rows = 24, .n = n, .k = 5, .log_softmax = true}, x).values; });
  const Best all = run({.rows = 24, .n = n, .k = 5, .log_softmax = true}, x);
  const Best one = run({.rows = 1, .n = n, .k = 5, .log_softmax = true}, x);
  for (size_t i = 0; i < 5; ++i) CHECK(all.values[i] == one.values[i]);
}
