// tests/kernels/packed_gemm_test.cpp -- products with weights that were laid out beforehand.
#include "tests/kernels/kernel_test.h"

using namespace weft::test;

namespace {

struct Case {
  int64_t rows, columns, depth;
  enum { row_major, transposed, every_other } weights;
  enum { nothing, bias, itself } add;
  bool relu;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto& [columns, depth] :
       {std::pair{1, 1}, {7, 3}, {24, 8}, {25, 9}, {48, 40}, {97, 513}, {130, 1200}})
    for (const int rows : {0, 1, 2, 3, 4, 5, 13, 131})
      for (const auto weights : {Case::row_major, Case::transposed, Case::every_other})
        for (const auto add : {Case::nothing, Case::bias, Case::itself})
          all.push_back({rows, columns, depth, weights, add, (rows + columns) % 2 == 0});
  return all;
}

struct Data {
  explicit Data(const Case& c)
      : ld_x(c.depth + 3),
        ld_y(c.columns + 5),
        row(c.weights == Case::transposed ? 1 : c.columns * 2 + 1),
        column(c.weights == Case::transposed    ? c.depth + 2
               : c.weights == Case::every_other ? 2
                                                : 1),
        x(random_floats(c.rows * ld_x, 1)),
        w(random_floats((c.depth - 1) * row + (c.columns - 1) * column + 1, 2)),
        bias(random_floats(c.columns, 3)),
        y(random_floats(c.rows * ld_y, 4)) {}

  int64_t ld_x, ld_y, row, column;
  Floats x, w, bias, y;
};

Floats product(const Case& c, const Data& d, int64_t rows) {
  Floats packed(k::packed_weights_bytes(c.depth, c.columns) / 4, kNaN), y = d.y;
  k::pack_weights({.depth = c.depth,
                   .columns = c.columns,
                   .w = d.w.data(),
                   .row = d.row,
                   .column = d.column,
                   .packed = packed.data()});
  k::packed_gemm({.rows = rows,
                  .columns = c.columns,
                  .depth = c.depth,
                  .x = d.x.data(),
                  .ld_x = d.ld_x,
                  .packed = packed.data(),
                  .add = c.add == Case::bias     ? d.bias.data()
                         : c.add == Case::itself ? y.data()
                                                 : nullptr,
                  .ld_add = c.add == Case::itself ? d.ld_y : 0,
                  .relu = c.relu,
                  .y = y.data(),
                  .ld_y = d.ld_y});
  return y;
}

}  // namespace

TEST_CASE(
    "packed gemm: products with weights of any layout, added to nothing, a bias or the result") {
  on_every_machine([] {
    for (const Case& c : cases()) {
      INFO(c.rows, " x ", c.depth, " x ", c.columns, ", weights ", c.weights, ", add ", c.add);
      const Data d(c);
      const Floats y = product(c, d, c.rows);
      std::vector<double> expected(d.y.begin(), d.y.end());
      for (int64_t i = 0; i < c.rows; ++i)
        for (int64_t j = 0; j < c.columns; ++j) {
          double& sum = expected[i * d.ld_y + j];
          sum = c.add == Case::bias ? d.bias[j] : c.add == Case::itself ? sum : 0;
          for (int64_t l = 0; l < c.depth; ++l)
            sum += double{d.x[i * d.ld_x + l]} * d.w[l * d.row + j * d.column];
          if (c.relu) sum = std::max(0.0, sum);
        }
      // 1,200 additions, each rounded by at most 6e-8 of a sum that stays below 20 or so: 1.4e-3
      // if all erred to one side; they do not, so the square root of their number counts.
      check_close(y, expected, 5e-5);
    }
  });
}

TEST_CASE("packed gemm: a row has the same bits alone, among others and on any number of threads") {
  const Case c{131, 97, 1200, Case::row_major, Case::bias, false};
  const Data d(c);
  same_bits_for_every_team([&] { return product(c, d, c.rows); });
  const Floats all = product(c, d, c.rows);
  for (const int64_t rows : {1, 2, 3, 5, 64, 129}) {
    const Floats some = product(c, d, rows);
    CHECK(std::memcmp(some.data(), all.data(), (rows - 1) * d.ld_y * 4 + c.columns * 4) == 0);
  }
}

TEST_CASE("packed gemm: NaN and infinity come through, also through relu") {
  const Case c{2, 3, 2, Case::row_major, Case::nothing, true};
  Data d(c);
  d.x = Floats(d.x.size(), 1.0F);
  d.w = Floats(d.w.size(), 1.0F);
  d.x[0] = kNaN;
  d.x[d.ld_x] = kInf;
  const Floats y = product(c, d, 2);
  CHECK(std::isnan(y[0]));
  CHECK(y[d.ld_y] == kInf);
}
