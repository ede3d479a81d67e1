// tests/kernels/math_test.cpp -- the vector functions against libm in double, in units in the last
// place.
#include "tests/kernels/kernel_test.h"

#include <cstdlib>

using namespace weft::test;
using k::Opcode;

namespace {

Floats map(Opcode op, const Floats& x) {
  k::ElementwiseSpec spec{.shape = {static_cast<int64_t>(x.size())},
                          .inputs = {{k::DType::f32, {1}}},
                          .program = {{.op = op}},
                          .outputs = {{k::DType::f32, {1}}},
                          .results = {1}};
  const k::Elementwise program(spec);
  REQUIRE(program.error() == nullptr);
  CHECK(program.workspace_bytes() == 0);
  Floats y(x.size());
  const void* in = x.data();
  void* out = y.data();
  program.run(&in, &out, nullptr);
  return y;
}

double ulps(float found, double expected) {
  if (std::isnan(found) || std::isnan(expected))
    return std::isnan(found) && std::isnan(expected) ? 0 : 1e9;
  const auto rounded = static_cast<float>(expected);
  if (std::isinf(rounded) || std::isinf(found)) return rounded == found ? 0 : 1e9;
  const double unit =
      std::fmax(std::ldexp(1.0, std::ilogb(std::fmax(std::fabs(expected), 1e-300)) - 23), 0x1p-149);
  return std::fabs(found - expected) / unit;
}

struct Case {
  const char* name;
  Opcode op;
  double (*f)(double);
  float low, high;
  double most;   // ulps
  double floor;  // absolute error that is forgiven (flushed results, cancellation by definition)
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return x > 50 ? x : std::log1p(std::exp(x)); }
double gelu(double x) { return 0.5 * x * (1 + std::erf(x * std::sqrt(0.5))); }
double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
double silu(double x) { return x * sigmoid(x); }

const Case cases[] = {
    {"exp", Opcode::exp, std::exp, -110, 90, 1.5, 1.2e-38},
    {"expm1", Opcode::expm1, std::expm1, -30, 90, 3, 0},
    {"expm1 near 0", Opcode::expm1, std::expm1, -1e-3F, 1e-3F, 2, 0},
    {"log", Opcode::log, std::log, 0, 100, 2, 0},
    {"log near 1", Opcode::log, std::log, 0.5F, 2, 2, 0},
    {"log of large", Opcode::log, std::log, 1, 3e38F, 2, 0},
    {"log1p", Opcode::log1p, std::log1p, -1, 100, 3, 0},
    {"log1p near 0", Opcode::log1p, std::log1p, -1e-3F, 1e-3F, 3, 0},
    {"tanh", Opcode::tanh, std::tanh, -12, 12, 5.5, 0},
    {"tanh near 0", Opcode::tanh, std::tanh, -1e-3F, 1e-3F, 4, 0},
    {"sigmoid", Opcode::sigmoid, sigmoid, -80, 100, 3, 0},
    {"erf", Opcode::erf, std::erf, -5, 5, 5.5, 0},
    {"erf near 0", Opcode::erf, std::erf, -1e-3F, 1e-3F, 4, 0},
    {"sin", Opcode::sin, std::sin, -100, 100, 2, 0},
    {"sin far out", Opcode::sin, std::sin, -32768, 32768, 3, 1e-7},
    {"sin beyond", Opcode::sin, std::sin, 1e5F, 1e8F, 1, 0},
    {"cos", Opcode::cos, std::cos, -100, 100, 2, 0},
    {"cos far out", Opcode::cos, std::cos, -32768, 32768, 3, 1e-7},
    {"softplus", Opcode::softplus, softplus, -80, 100, 4, 0},
    // 1 + erf cancels for negative x: what is left of the error of erf is absolute.
    {"gelu", Opcode::gelu, gelu, -10, 10, 6, 1.2e-6},
    {"gelu_tanh", Opcode::gelu_tanh, gelu_tanh, -10, 10, 6, 1.2e-6},
    {"silu", Opcode::silu, silu, -80, 80, 4, 0},
};

}  // namespace

TEST_CASE("math: errors stay within the stated units in the last place") {
  for (const k::IsaInfo& set : k::isas()) {
    if (!k::use_isa(set.isa)) continue;
    for (const Case& c : cases) {
      const Floats x = random_floats(1000003, 7, c.low, c.high), y = map(c.op, x);
      double worst = 0;
      float at = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double expected = c.f(x[i]);
        if (std::fabs(y[i] - expected) <= c.floor) continue;
        const double error = ulps(y[i], expected);
        if (error > worst) worst = error, at = x[i];
      }
      INFO(std::string(c.name), " on ", std::string(set.name), ": ", worst, " ulp at ", at);
      CHECK(worst <= c.most);
      if (std::getenv("WEFT_SHOW_ULPS") != nullptr)
        MESSAGE(std::string(c.name), " ", worst, " ulp at ", at);
    }
  }
}

TEST_CASE("math: infinities, NaN, zeros and denormals") {
  on_every_machine([] {
    const Floats x{0, -0.0F, kInf, -kInf, kNaN, 1e-40F, 3e38F, -3e38F};
    const auto check = [&](Opcode op, const Floats& expected) {
      const Floats y = map(op, x);
      for (size_t i = 0; i < x.size(); ++i) {
        INFO("opcode ", static_cast<int>(op), " of ", x[i], ": ", y[i], ", expected ", expected[i]);
        const bool close = std::fabs(y[i] - expected[i]) <= 2e-45;  // one denormal unit
        CHECK((close || y[i] == expected[i] || (std::isnan(y[i]) && std::isnan(expected[i]))));
      }
    };
    check(Opcode::exp, {1, 1, kInf, 0, kNaN, 1, kInf, 0});
    check(Opcode::expm1, {0, 0, kInf, -1, kNaN, 1e-40F, kInf, -1});
    check(Opcode::tanh, {0, 0, 1, -1, kNaN, 1e-40F, 1, -1});
    check(Opcode::erf, {0, 0, 1, -1, kNaN, 1.12837917e-40F, 1, -1});
    check(Opcode::sigmoid, {0.5F, 0.5F, 1, 0, kNaN, 0.5F, 1, 0});
    check(Opcode::relu, {0, 0, kInf, 0, kNaN, 1e-40F, 3e38F, 0});
    check(Opcode::silu, {0, 0, kInf, 0, kNaN, 5e-41F, 3e38F, 0});
    check(Opcode::softplus,
          {std::log(2.0F), std::log(2.0F), kInf, 0, kNaN, std::log(2.0F), 3e38F, 0});
    check(Opcode::gelu, {0, 0, kInf, 0, kNaN, 5e-41F, 3e38F, 0});
    check(Opcode::gelu_tanh, {0, 0, kInf, 0, kNaN, 5e-41F, 3e38F, 0});
    check(Opcode::sin, {0, 0, kNaN, kNaN, kNaN, 1e-40F, std::sin(3e38F), std::sin(-3e38F)});
    check(Opcode::cos, {1, 1, kNaN, kNaN, kNaN, 1, std::cos(3e38F), std::cos(-3e38F)});
    check(Opcode::log1p, {0, 0, kInf, kNaN, kNaN, 1e-40F, std::log1p(3e38F), kNaN});
    check(Opcode::log, {-kInf, -kInf, kInf, kNaN, kNaN, std::log(1e-40F), std::log(3e38F), kNaN});
  });
}
