// tests/kernels/gemm_test.cpp -- matrix products, with weights that were laid out beforehand and
// without.
#include "tests/kernels/kernel_test.h"

using namespace weft::test;

namespace {

enum Stored { by_row, by_column, every_other, far_columns };

struct Case {
  int64_t rows, columns, depth;
  Stored left, right;
  enum { nothing, bias, itself, bias_and_another } add;
  bool relu;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto& [columns, depth] :
       {std::pair{1, 1}, {7, 3}, {24, 8}, {25, 9}, {48, 40}, {97, 513}, {130, 1200}, {840, 20}})
    for (const int rows : {0, 1, 3, 13, 131})
      for (const Stored left : {by_row, by_column, far_columns})
        for (const Stored right : {by_row, by_column, every_other})
          for (const auto add : {Case::nothing, Case::bias, Case::itself, Case::bias_and_another})
            all.push_back({rows, columns, depth, left, right, add, (rows + columns) % 2 == 0});
  return all;
}

struct Data {
  explicit Data(const Case& c)
      : ld_c(c.columns + 5),
        a_row(c.left == by_row ? c.depth + 3 : 1),
        a_column(c.left == by_row      ? 1
                 : c.left == by_column ? c.rows + 2
                                       : 512),
        b_row(c.right == by_column ? 1 : c.columns * 2 + 1),
        b_column(c.right == by_column     ? c.depth + 2
                 : c.right == every_other ? 2
                                          : 1),
        a(random_floats(c.rows * a_row + c.depth * a_column, 1)),
        b(random_floats((c.depth - 1) * b_row + (c.columns - 1) * b_column + 1, 2)),
        bias(random_floats(c.columns, 3)),
        another(random_floats(c.rows * (c.columns + 1), 5)),
        c(random_floats(c.rows * ld_c, 4)) {}

  int64_t ld_c, a_row, a_column, b_row, b_column;
  Floats a, b, bias, another, c;
};

// As bf16 of `dtype`; d's floats are that already then.
std::vector<uint16_t> halves(const Floats& x) {
  std::vector<uint16_t> y;
  for (const float value : x) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    y.push_back(static_cast<uint16_t>(bits >> 16));
  }
  return y;
}

// The floats that bf16 holds of these: their upper halves.
Data in_bf16(Data d) {
  for (Floats* x : {&d.a, &d.b})
    for (float& value : *x) {
      uint32_t bits;
      std::memcpy(&bits, &value, 4);
      bits &= 0xFFFF0000;
      std::memcpy(&value, &bits, 4);
    }
  return d;
}

Floats product(const Case& c, const Data& d, int64_t rows, bool packed,
               k::DType dtype = k::DType::f32, bool rounds = false) {
  Floats y = d.c, space, work;
  const bool bf16 = dtype == k::DType::bf16;
  const std::vector<uint16_t> a = bf16 ? halves(d.a) : std::vector<uint16_t>(),
                              b = bf16 ? halves(d.b) : std::vector<uint16_t>();
  const void* const right = bf16 && !rounds ? static_cast<const void*>(b.data()) : d.b.data();
  k::Gemm g{
      .dtype = dtype,
      .rounds = rounds,
      .rows = rows,
      .columns = c.columns,
      .depth = c.depth,
      .a = bf16 ? static_cast<const void*>(a.data()) : d.a.data(),
      .a_row = d.a_row,
      .a_column = d.a_column,
      .bias = c.add == Case::bias || c.add == Case::bias_and_another ? d.bias.data() : nullptr,
      .add = c.add == Case::itself             ? y.data()
             : c.add == Case::bias_and_another ? d.another.data()
                                               : nullptr,
      .ld_add = c.add == Case::itself ? d.ld_c : c.columns + 1,
      .relu = c.relu,
      .c = y.data(),
      .ld_c = d.ld_c};
  if (packed) {
    space.assign(k::packed_weights_bytes(c.depth, c.columns, dtype) / 4, kNaN);
    k::pack_weights({.dtype = dtype,
                     .rounds = rounds,
                     .depth = c.depth,
                     .columns = c.columns,
                     .w = right,
                     .row = d.b_row,
                     .column = d.b_column,
                     .packed = space.data()});
    g.packed = space.data();
  } else {
    g.b = right, g.b_row = d.b_row, g.b_column = d.b_column;
  }
  work.assign(k::gemm_workspace_bytes(g) / 4, kNaN);
  g.workspace = work.data();
  k::gemm(g);
  return y;
}

std::vector<double> exact(const Case& c, const Data& d) {
  std::vector<double> expected(d.c.begin(), d.c.end());
  for (int64_t i = 0; i < c.rows; ++i)
    for (int64_t j = 0; j < c.columns; ++j) {
      double& sum = expected[i * d.ld_c + j];
      sum = c.add == Case::itself ? sum : c.add == Case::nothing ? 0 : d.bias[j];
      if (c.add == Case::bias_and_another) sum += d.another[i * (c.columns + 1) + j];
      for (int64_t l = 0; l < c.depth; ++l)
        sum += double{d.a[i * d.a_row + l * d.a_column]} * d.b[l * d.b_row + j * d.b_column];
      if (c.relu) sum = std::max(0.0, sum);
    }
  return expected;
}

}  // namespace

TEST_CASE("gemm: products of any layout, added to nothing, a bias, the result or both of two") {
  for (const Case& c : cases()) {
    const Data d(c);
    const std::vector<double> expected = exact(c, d);
    on_every_machine([&] {
      INFO(c.rows, " x ", c.depth, " x ", c.columns, ", a ", c.left, ", b ", c.right, ", add ",
           c.add);
      // 1,200 additions, each rounded by at most 6e-8 of a sum that stays below 20 or so: 1.4e-3
      // if all erred to one side; they do not, so the square root of their number counts.
      const Floats y = product(c, d, c.rows, false);
      check_close(y, expected, 5e-5);
      const Floats packed = product(c, d, c.rows, true);
      CHECK((y.empty() || std::memcmp(y.data(), packed.data(), y.size() * 4) == 0));
    });
  }
}

// Products of two bf16 are exact in f32; what is rounded are their sums, as those of f32.
TEST_CASE("gemm: products of bf16 in any layout, also of an odd number of terms") {
  int n = 0;
  for (const Case& c : cases()) {
    if (++n % 3 != 0 && c.depth > 1000) continue;  // the long ones take their time
    const Data d = in_bf16(Data(c));
    const std::vector<double> expected = exact(c, d);
    on_every_machine([&] {
      INFO(c.rows, " x ", c.depth, " x ", c.columns, ", a ", c.left, ", b ", c.right, ", add ",
           c.add);
      const Floats y = product(c, d, c.rows, false, k::DType::bf16);
      check_close(y, expected, 5e-5);
      const Floats packed = product(c, d, c.rows, true, k::DType::bf16);
      CHECK((y.empty() || std::memcmp(y.data(), packed.data(), y.size() * 4) == 0));
      for (const bool beforehand : {false, true}) {  // of a right operand in f32
        const Floats rounded = product(c, d, c.rows, beforehand, k::DType::bf16, true);
        CHECK((y.empty() || std::memcmp(y.data(), rounded.data(), y.size() * 4) == 0));
      }
    });
  }
}

TEST_CASE("gemm: a row has the same bits alone, among others and on any number of threads") {
  for (const k::DType dtype : {k::DType::f32, k::DType::bf16})
    for (const bool packed : {false, true}) {
      const Case c{131, 97, 2301, by_row, by_row, Case::bias, false};
      const Data d = in_bf16(Data(c));
      same_bits_for_every_team([&] { return product(c, d, c.rows, packed, dtype); });
      const Floats all = product(c, d, c.rows, packed, dtype);
      for (const int64_t rows : {1, 2, 3, 5, 64, 129}) {
        const Floats some = product(c, d, rows, packed, dtype);
        CHECK(std::memcmp(some.data(), all.data(), (rows - 1) * d.ld_c * 4 + c.columns * 4) == 0);
      }
    }
}

TEST_CASE("gemm: panels for other products have their columns and depth, zeros behind") {
  constexpr int64_t kDepth = 37, kColumns = 70, kPanel = 64, kWhole = 48;
  Floats w(kDepth * kColumns);
  for (size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(i + 1);
  for (const bool turned : {false, true}) {
    const int64_t row = turned ? 1 : kColumns, column = turned ? kDepth : 1;
    Floats panels(2 * kWhole * kPanel, kNaN);
    k::pack_weights({.depth = kDepth,
                     .columns = kColumns,
                     .w = w.data(),
                     .row = row,
                     .column = column,
                     .packed = panels.data(),
                     .panel = kPanel,
                     .depth_step = 16});
    for (int64_t p = 0; p < 2; ++p)
      for (int64_t i = 0; i < kWhole; ++i)
        for (int64_t j = 0; j < kPanel; ++j) {
          const int64_t at = p * kPanel + j;
          const bool real = i < kDepth && at < kColumns;
          REQUIRE(panels[(p * kWhole + i) * kPanel + j] ==
                  (real ? w[i * row + at * column] : 0.0F));
        }
  }
}

TEST_CASE("gemm: nothing to sum leaves what is added") {
  const Case c{5, 40, 0, by_row, by_row, Case::bias, false};
  Data d({5, 40, 1, by_row, by_row, Case::bias, false});
  const Floats y = product(c, d, c.rows, false);
  for (int64_t i = 0; i < c.rows; ++i)
    for (int64_t j = 0; j < c.columns; ++j) CHECK(y[i * d.ld_c + j] == d.bias[j]);
}

TEST_CASE("gemm: NaN and infinity come through, also through relu") {
  const Case c{2, 3, 2, by_row, by_row, Case::nothing, true};
  Data d(c);
  d.a = Floats(d.a.size(), 1.0F);
  d.b = Floats(d.b.size(), 1.0F);
  d.a[0] = kNaN;
  d.a[d.a_row] = kInf;
  for (const bool packed : {false, true}) {
    const Floats y = product(c, d, 2, packed);
    CHECK(std::isnan(y[0]));
    CHECK(y[d.ld_c] == kInf);
  }
}
