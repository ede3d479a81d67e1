// tests/kernels/loss_test.cpp -- cross entropy with smoothing, weights and ignored rows;
// embeddings.
#include "tests/kernels/kernel_test.h"

using namespace weft::test;

TEST_CASE(
    "cross_entropy: equal logits of any size, rows of -inf, unknown labels that are skipped") {
  on_every_machine([] {
    const int64_t rows = 6, V = 9;
    const float sizes[rows] = {1e4F, -1e6F, 1e8F, 3e38F, -kInf, 2};
    Floats x(rows * V), dx(rows * V), loss(rows), lse(rows);
    for (int64_t i = 0; i < rows * V; ++i) x[i] = sizes[i / V];
    const std::vector<int32_t> labels{0, 3, 8, 1, 2, 9};
    std::vector<double> wanted(rows, std::log(double(V))), slopes(rows * V);
    wanted[4] = HUGE_VAL, wanted[5] = 0;
    for (int64_t i = 0; i < 4 * V; ++i) slopes[i] = 1.0 / V - (i % V == labels[i / V]);
    k::CrossEntropy args{.rows = rows,
                         .classes = V,
                         .logits = x.data(),
                         .labels = labels.data(),
                         .skip_unknown = true,
                         .loss = loss.data(),
                         .lse = lse.data(),
                         .dlogits = dx.data()};
    const auto check = [&] {
      CHECK(loss[4] == HUGE_VALF);
      for (const int64_t r : {0, 1, 2, 3, 5}) CHECK(std::fabs(loss[r] - wanted[r]) < 1e-6);
      for (int64_t i = 0; i < rows * V; ++i) CHECK(std::fabs(dx[i] - slopes[i]) < 1e-6);
    };
    CHECK(k::cross_entropy(args) == -1);
    CHECK(k::cross_entropy_grad(args) == -1);
    check();
    std::fill(dx.begin(), dx.end(), -7.0F);
    CHECK(k::cross_entropy_fused(args) == -1);
    check();
    args.skip_unknown = false;
    CHECK(k::cross_entropy(args) == 5);
  });
}

TEST_CASE("cross_entropy: loss, log-sum-exp and gradient; halves and fused agree") {
  on_every_machine([] {
    for (const int64_t V : {1, 2, 9, 64, 1003, 8000})
      for (const float eps : {0.0F, 0.1F})
        for (const bool in_place : {false, true}) {
          const int64_t rows = V == 8000 ? 5 : 13, ld = V + 5;
          Floats x = random_floats(rows * ld, 51, -9, 9);
          std::vector<int64_t> labels(rows);
          Floats weight(rows, 1), drow = random_floats(rows, 52);
          for (int64_t r = 0; r < rows; ++r)
            labels[r] = (r * 7919) % V, weight[r] = r % 3 == 2 ? 0 : 1 + 0.25F * r;
          labels[2] = -1;  // of weight 0: not looked at
          for (int64_t j = 0; j < V; ++j) x[2 * ld + j] = kNaN;
          std::vector<double> loss(rows, 0), lse(rows, 0), grad(rows * ld);
          for (int64_t r = 0; r < rows; ++r) {
            double sum = 0, mean = 0;
            for (int64_t j = 0; j < V; ++j)
              sum += std::exp(double(x[r * ld + j])), mean += x[r * ld + j] / double(V);
            for (int64_t j = 0; j < ld; ++j) {
              if (j >= V)
                grad[r * ld + j] = in_place ? x[r * ld + j] : -7;
              else if (weight[r] != 0)
                grad[r * ld + j] = drow[r] * weight[r] *
                                   (std::exp(double(x[r * ld + j])) / sum -
                                    (j == labels[r] ? 1 - eps : 0) - eps / double(V));
            }
            if (weight[r] == 0) continue;
            lse[r] = std::log(sum);
            loss[r] =
                weight[r] * ((1 - eps) * (lse[r] - x[r * ld + labels[r]]) + eps * (lse[r] - mean));
          }
          Floats found_loss(rows), found_lse(rows), dx(rows * ld, -7), y = x;
          k::CrossEntropy args{.rows = rows,
                               .classes = V,
                               .logits = y.data(),
                               .ld_logits = ld,
                               .labels = labels.data(),
                               .label_dtype = k::DType::s64,
                               .weight = weight.data(),
                               .smoothing = eps,
                               .loss = found_loss.data(),
                               .lse = found_lse.data(),
                               .drow = drow.data(),
                               .dlogits = in_place ? y.data() : dx.data(),
                               .ld_dlogits = ld};
          INFO("V ", V, " eps ", eps, " in place ", in_place);
          CHECK(k::cross_entropy(args) == -1);
          check_close(found_loss, loss, 5e-6);
          check_close(found_lse, lse, 2e-6);
          CHECK(k::cross_entropy_grad(args) == -1);
          check_close(in_place ? y : dx, grad, 1e-5);
          y = x;
          std::fill(dx.begin(), dx.end(), -7.0F);
          CHECK(k::cross_entropy_fused(args) == -1);
          check_close(found_loss, loss, 5e-6);
          check_close(found_lse, lse, 2e-6);
          check_close(in_place ? y : dx, grad, 1e-5);
        }
  });
}

TEST_CASE("cross_entropy: a label out of range is reported, not read") {
  on_every_machine([] {
    const Floats x = random_floats(4000 * 4, 1);
    std::vector<int32_t> labels(4000, 3);
    labels[3000] = 4, labels[1234] = -1;
    Floats loss(4000);
    CHECK(k::cross_entropy({.rows = 4000,
                            .classes = 4,
                            .logits = x.data(),
                            .labels = labels.data(),
                            .loss = loss.data()}) == 1234);
    CHECK(loss[1234] == 0);
  });
}

TEST_CASE("gather_rows and scatter_add_rows: repeated indices, padded rows, indices out of range") {
  on_every_machine([] {
    for (const int64_t n : {0, 1, 7, 300})
      for (const int64_t D : {1, 3, 16, 100, 512})
        for (const bool accumulate : {false, true}) {
          const int64_t V = 11, ld = D + 4;
          const Floats table = random_floats(V * ld, 61), x = random_floats(n * ld, 62);
          std::vector<int32_t> index(n);
          for (int64_t i = 0; i < n; ++i) index[i] = static_cast<int32_t>(i * i % V);
          const int64_t bad = n > 5 ? 5 : -1;
          if (bad >= 0) index[5] = 11;
          Floats y(n * ld, -7), sum(V * ld, 2);
          CHECK(k::gather_rows({.n = n,
                                .table_rows = V,
                                .columns = D,
                                .table = table.data(),
                                .ld_table = ld,
                                .index = index.data(),
                                .y = y.data(),
                                .ld_y = ld}) == bad);
          CHECK(k::scatter_add_rows({.n = n,
                                     .table_rows = V,
                                     .columns = D,
                                     .x = x.data(),
                                     .ld_x = ld,
                                     .index = index.data(),
                                     .table = sum.data(),
                                     .ld_table = ld,
                                     .accumulate = accumulate}) == bad);
          std::vector<double> picked(n * ld, -7), added(V * ld, 2);
          for (int64_t r = 0; r < V && !accumulate; ++r)
            for (int64_t c = 0; c < D; ++c) added[r * ld + c] = 0;
          for (int64_t i = 0; i < n; ++i)
            for (int64_t c = 0; c < D; ++c) {
              picked[i * ld + c] = i == bad ? 0 : table[index[i] * ld + c];
              if (i != bad) added[index[i] * ld + c] += x[i * ld + c];
            }
          check_close(y, picked, 0);
          check_close(sum, added, 1e-5);
        }
  });
}

TEST_CASE("scatter_add_rows: the bits do not depend on the number of threads") {
  for (const int64_t D : {5, 512}) {
    const Floats x = random_floats(3000 * D, 63);
    std::vector<int64_t> index(3000);
    for (size_t i = 0; i < index.size(); ++i) index[i] = static_cast<int64_t>(i * i % 97);
    same_bits_for_every_team([&] {
      Floats table(97 * D);
      k::scatter_add_rows({.n = 3000,
                           .table_rows = 97,
                           .columns = D,
                           .x = x.data(),
                           .index = index.data(),
                           .index_dtype = k::DType::s64,
                           .table = table.data()});
      return table;
    });
  }
}
