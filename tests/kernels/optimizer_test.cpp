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
                  .weight_decay = 0.01F});
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
                     .weight_decay = 0.1F,
                     .decoupled = decoupled});
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
