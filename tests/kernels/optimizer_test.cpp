// tests/kernels/optimizer_test.cpp -- updates against the formulas in double, over several tensors.
#include "tests/kernels/kernel_test.h"

using namespace weft::test;

namespace {

struct Model {
  std::vector<Floats> p, g, m, v;
  std::vector<k::ParameterTensor> tensors;

  Model() {
    for (const size_t n :
         {size_t{1}, size_t{0}, size_t{17}, size_t{40000}, size_t{16384}, size_t{1000}}) {
      p.push_back(random_floats(n, n + 1));
      g.push_back(random_floats(n, n + 2));
      m.push_back(random_floats(n, n + 3, 0, 1));
      v.push_back(random_floats(n, n + 4, 0, 1));
    }
    for (size_t i = 0; i < p.size(); ++i)
      tensors.push_back(
          {p[i].data(), g[i].data(), m[i].data(), v[i].data(), static_cast<int64_t>(p[i].size())});
  }
  int64_t count() const { return static_cast<int64_t>(tensors.size()); }
};

struct Element {
  double p, g, m, v;
};

// Runs `kernel` on a model and `formula` on each element.
template <class Kernel, class Formula>
void check_update(const Kernel& kernel, const Formula& formula) {
  on_every_machine([&] {
    const Model before;
    Model after;
    kernel(after);
    double worst = 0;
    for (size_t i = 0; i < before.p.size(); ++i)
      for (size_t j = 0; j < before.p[i].size(); ++j) {
        Element e{before.p[i][j], before.g[i][j], before.m[i][j], before.v[i][j]};
        formula(e);
        worst = std::fmax(worst, std::fabs(e.p - after.p[i][j]));
        worst = std::fmax(worst, std::fabs(e.m - after.m[i][j]));
        worst = std::fmax(worst, std::fabs(e.v - after.v[i][j]));
      }
    CHECK(worst < 1e-6);  // a few roundings of numbers up to 2
  });
}

}  // namespace

TEST_CASE("optimizer: sum of squares is exact to double and has the same bits for every team") {
  Model model;
  same_bits_for_every_team([&] {
    std::vector<double> result(1);
    k::SumOfSquares args{
        .tensors = model.tensors.data(), .count = model.count(), .result = result.data()};
    std::vector<char> workspace(k::sum_of_squares_workspace_bytes(args));
    args.workspace = workspace.data();
    k::sum_of_squares(args);
    double expected = 0;
    for (const Floats& g : model.g)
      for (const float x : g) expected += double(x) * x;
    CHECK(std::fabs(result[0] - expected) < 1e-11 * expected);
    return result;
  });
}

TEST_CASE("optimizer: sgd with and without momentum") {
  for (const float momentum : {0.0F, 0.9F})
    check_update(
        [&](Model& x) {
          k::sgd({.tensors = x.tensors.data(),
                  .count = x.count(),
                  .grad_scale = 0.5F,
                  .lr = 0.1F,
                  .momentum = momentum,
                  .decay = {.rate = 0.01F}});
        },
        [&](Element& e) {
          double g = 0.5 * e.g + double(0.01F) * e.p;
          if (momentum != 0) g = e.m = double(momentum) * e.m + g;
          e.p -= double(0.1F) * g;
        });
}

TEST_CASE("optimizer: adam, coupled and decoupled weight decay") {
  for (const bool decoupled : {false, true})
    for (const int64_t step : {1, 1000})
      check_update(
          [&](Model& x) {
            k::adam({.tensors = x.tensors.data(),
                     .count = x.count(),
                     .step = step,
                     .grad_scale = 0.5F,
                     .lr = 1e-2F,
                     .decay = {.rate = 0.1F, .decoupled = decoupled}});
          },
          [&](Element& e) {
            const double lr = 1e-2F, decay = 0.1F;
            const double g = 0.5 * e.g + (decoupled ? 0 : decay * e.p);
            if (decoupled) e.p *= 1 - lr * decay;
            e.m = 0.9 * e.m + 0.1 * g;
            e.v = 0.999 * e.v + 0.001 * g * g;
            const double m = e.m / (1 - std::pow(0.9, step)), v = e.v / (1 - std::pow(0.999, step));
            e.p -= lr * m / (std::sqrt(v) + 1e-8);
          });
}

TEST_CASE("optimizer: adadelta") {
  check_update(
      [](Model& x) {
        k::adadelta(
            {.tensors = x.tensors.data(), .count = x.count(), .grad_scale = 0.5F, .lr = 0.5F});
      },
      [](Element& e) {
        const double rho = 0.95F, eps = 1e-6F, g = 0.5 * e.g;
        e.v = rho * e.v + (1 - rho) * g * g;
        const double d = g * std::sqrt(e.m + eps) / std::sqrt(e.v + eps);
        e.m = rho * e.m + (1 - rho) * d * d;
        e.p -= 0.5 * d;
      });
}

TEST_CASE("optimizer: nesterov's momentum leads") {
  check_update(
      [](Model& x) {
        k::sgd({.tensors = x.tensors.data(),
                .count = x.count(),
                .lr = 0.1F,
                .momentum = 0.9F,
                .nesterov = true,
                .decay = {.rate = 0.1F, .decoupled = true}});
      },
      [](Element& e) {
        e.m = double(0.9F) * e.m + e.g;
        e.p = e.p * (1 - double(0.1F) * double(0.1F)) - double(0.1F) * (e.g + double(0.9F) * e.m);
      });
}

TEST_CASE("optimizer: adagrad") {
  check_update(
      [](Model& x) {
        k::adagrad({.tensors = x.tensors.data(),
                    .count = x.count(),
                    .grad_scale = 0.5F,
                    .lr = 0.1F,
                    .eps = 1e-3F,
                    .initial = 0.25F});
      },
      [](Element& e) {
        const double g = 0.5 * e.g;
        e.m += g * g;
        e.p -= double(0.1F) * g / (std::sqrt(e.m + 0.25) + double(1e-3F));
      });
}

TEST_CASE("optimizer: lion steps by signs") {
  check_update(
      [](Model& x) { k::lion({.tensors = x.tensors.data(), .count = x.count(), .lr = 0.01F}); },
      [](Element& e) {
        const double u = 0.9 * e.m + 0.1 * e.g;
        e.p -= double(0.01F) * (u > 0 ? 1 : u < 0 ? -1 : 0);
        e.m = 0.99 * e.m + 0.01 * e.g;
      });
}

TEST_CASE("optimizer: a moving average goes towards the parameters") {
  check_update(
      [](Model& x) {
        k::moving_average({.tensors = x.tensors.data(), .count = x.count(), .decay = 0.9F});
      },
      [](Element& e) { e.m = double(0.9F) * e.m + (1 - double(0.9F)) * e.p; });
}

TEST_CASE("optimizer: adafactor has the same bits for every team") {
  same_bits_for_every_team([&] {
    // Two planes, many rows, few columns; many columns; a vector.
    const int64_t sizes[][3] = {{2, 900, 70}, {1, 3, 40000}, {1, 50000, 1}};
    std::vector<Floats> p, g, m, v, c;
    std::vector<k::FactoredTensor> tensors;
    for (const auto& [planes, rows, columns] : sizes) {
      const auto n = static_cast<size_t>(planes * rows * columns);
      p.push_back(random_floats(n, n + 1));
      g.push_back(random_floats(n, n + 2));
      m.push_back(random_floats(n, n + 3));
      v.push_back(random_floats(static_cast<size_t>(planes * rows), n + 4, 0, 1));
      c.push_back(random_floats(static_cast<size_t>(planes * columns), n + 5, 0, 1));
    }
    for (size_t i = 0; i < p.size(); ++i)
      tensors.push_back({.p = p[i].data(),
                         .g = g[i].data(),
                         .m = m[i].data(),
                         .v = v[i].data(),
                         .c = sizes[i][2] > 1 ? c[i].data() : nullptr,
                         .planes = sizes[i][0],
                         .rows = sizes[i][1],
                         .columns = sizes[i][2]});
    k::Adafactor args{.tensors = tensors.data(),
                      .count = static_cast<int64_t>(tensors.size()),
                      .beta2 = 0.9F,
                      .beta1 = 0.9F};
    std::vector<char> workspace(k::adafactor_workspace_bytes(args));
    args.workspace = workspace.data();
    k::adafactor(args);
    Floats all;
    for (const auto* kind : {&p, &m, &v, &c})
      for (const Floats& x : *kind) all.insert(all.end(), x.begin(), x.end());
    return all;
  });
}
