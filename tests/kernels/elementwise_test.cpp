// tests/kernels/elementwise_test.cpp -- programs over broadcast, strided and mixed-dtype operands.
#include "tests/kernels/kernel_test.h"

#include <functional>

using namespace weft::test;
using k::DType;
using k::Opcode;

namespace {

// Runs a program with the workspace it asks for.
void run(const k::ElementwiseSpec& spec, std::vector<const void*> inputs,
         std::vector<void*> outputs) {
  const k::Elementwise program(spec);
  REQUIRE_MESSAGE(program.error() == nullptr, program.error());
  std::vector<char> workspace(program.workspace_bytes() + 64);
  program.run(inputs.data(), outputs.data(), workspace.data());
}

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::f32;
}
template <>
constexpr DType dtype_of<int32_t>() {
  return DType::s32;
}
template <>
constexpr DType dtype_of<int64_t>() {
  return DType::s64;
}
template <>
constexpr DType dtype_of<uint8_t>() {
  return DType::u8;
}

template <class R, class T>
std::vector<R> zip(Opcode op, const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<R> y(a.size());
  run({.shape = {static_cast<int64_t>(a.size())},
       .inputs = {{dtype_of<T>(), {1}}, {dtype_of<T>(), {1}}},
       .program = {{.op = op, .a = 0, .b = 1}},
       .outputs = {{dtype_of<R>(), {1}}},
       .results = {2}},
      {a.data(), b.data()}, {y.data()});
  return y;
}

template <class R, class T>
std::vector<R> map(k::Instruction instruction, const std::vector<T>& a) {
  std::vector<R> y(a.size());
  run({.shape = {static_cast<int64_t>(a.size())},
       .inputs = {{dtype_of<T>(), {1}}},
       .program = {instruction},
       .outputs = {{dtype_of<R>(), {1}}},
       .results = {1}},
      {a.data()}, {y.data()});
  return y;
}

// A view for the test: where element (i0, i1, i2) lies.
struct View {
  int64_t strides[3];
  int64_t at(int64_t i, int64_t j, int64_t l) const {
    return i * strides[0] + j * strides[1] + l * strides[2];
  }
};

}  // namespace

TEST_CASE("elementwise: every layout of x*y + exp(z), direct and gathered") {
  on_every_machine([] {
    for (const auto& shape : std::vector<std::array<int64_t, 3>>{
             {1, 1, 1}, {2, 3, 5}, {7, 5, 64}, {3, 40, 33}, {0, 2, 3}, {50, 30, 4}, {2, 1, 9001}}) {
      const int64_t I = shape[0], J = shape[1], L = shape[2];
      const std::vector<View> views{{{J * L, L, 1}}, {{0, 0, 0}},     {{0, L, 1}},
                                    {{0, 0, 1}},     {{1, 0, 0}},     {{0, 1, 0}},
                                    {{J, 1, 0}},     {{1, I, I * J}}, {{J * (L + 3), L + 3, 1}}};
      const size_t size = static_cast<size_t>(I * J * (L + 3) + 16);
      for (size_t a = 0; a < views.size(); ++a)
        for (size_t b = 0; b < views.size(); ++b) {
          const View vx = views[a], vy = views[b], vz = views[(a + b) % views.size()];
          for (const View& vo : {views[0], views[7], views[8]}) {
            const Floats x = random_floats(size, 1), y = random_floats(size, 2),
                         z = random_floats(size, 3);
            Floats out(size, -7);
            const auto access = [](const View& v) {
              return k::Access{DType::f32, {v.strides[0], v.strides[1], v.strides[2]}};
            };
            run({.shape = {I, J, L},
                 .inputs = {access(vx), access(vy), access(vz)},
                 .program = {{.op = Opcode::mul, .a = 0, .b = 1},
                             {.op = Opcode::exp, .a = 2},
                             {.op = Opcode::add, .a = 3, .b = 4}},
                 .outputs = {access(vo)},
                 .results = {5}},
                {x.data(), y.data(), z.data()}, {out.data()});
            double worst = 0;
            for (int64_t i = 0; i < I; ++i)
              for (int64_t j = 0; j < J; ++j)
                for (int64_t l = 0; l < L; ++l) {
                  const double expected = double(x[vx.at(i, j, l)]) * y[vy.at(i, j, l)] +
                                          std::exp(double(z[vz.at(i, j, l)]));
                  worst = std::fmax(worst, std::fabs(out[vo.at(i, j, l)] - expected));
                }
            INFO(I, "x", J, "x", L, " views ", a, " ", b);
            CHECK(worst < 1e-6);
          }
        }
    }
  });
}

TEST_CASE("elementwise: f32 opcodes of two operands") {
  on_every_machine([] {
    const Floats a{1, -2.5F, 7, kNaN, 3, -7, 0, 5, -8, 2},
        b{2, 2, -3, 1, kNaN, 3, -4, kInf, 1.0F / 3, 0.5F};
    const auto check = [&](Opcode op, const std::function<double(double, double)>& f,
                           double tolerance = 1e-7) {
      std::vector<double> expected;
      for (size_t i = 0; i < a.size(); ++i) expected.push_back(f(a[i], b[i]));
      INFO("opcode ", static_cast<int>(op));
      check_close(zip<float>(op, a, b), expected, tolerance);
    };
    check(Opcode::add, [](double x, double y) { return x + y; });
    check(Opcode::sub, [](double x, double y) { return x - y; });
    check(Opcode::mul, [](double x, double y) { return x * y; });
    check(Opcode::div, [](double x, double y) { return x / y; });
    check(Opcode::pow, [](double x, double y) { return std::pow(x, y); });
    check(Opcode::maximum,
          [](double x, double y) { return std::isnan(x + y) ? kNaN : std::fmax(x, y); });
    check(Opcode::minimum,
          [](double x, double y) { return std::isnan(x + y) ? kNaN : std::fmin(x, y); });
    CHECK(zip<float>(Opcode::remainder, Floats{7, -7, 7, -7, 6}, Floats{3, 3, -3, -3, 3}) ==
          Floats{1, 2, -2, -1, 0});
    CHECK(zip<uint8_t>(Opcode::less, Floats{1, 2, kNaN}, Floats{2, 2, 1}) ==
          std::vector<uint8_t>{1, 0, 0});
    CHECK(zip<uint8_t>(Opcode::not_equal, Floats{1, 2, kNaN}, Floats{2, 2, kNaN}) ==
          std::vector<uint8_t>{1, 0, 1});
    CHECK(zip<uint8_t>(Opcode::greater_equal, Floats{1, 2, kNaN}, Floats{2, 2, 1}) ==
          std::vector<uint8_t>{0, 1, 0});
  });
}

TEST_CASE("elementwise: f32 opcodes of one operand, exact ones") {
  on_every_machine([] {
    const Floats x{-2.5F, -0.5F, 0.5F, 1.5F, 2.5F, -3, 0, kNaN, kInf};
    const auto check = [&](Opcode op, const std::function<float(float)>& f) {
      const Floats y = map<float>({.op = op}, x);
      for (size_t i = 0; i < x.size(); ++i) {
        INFO("opcode ", static_cast<int>(op), " of ", x[i], ": ", y[i]);
        CHECK((y[i] == f(x[i]) || (std::isnan(y[i]) && std::isnan(f(x[i])))));
      }
    };
    check(Opcode::neg, [](float v) { return -v; });
    check(Opcode::abs, [](float v) { return std::fabs(v); });
    check(Opcode::sign, [](float v) { return std::isnan(v) ? kNaN : float((v > 0) - (v < 0)); });
    check(Opcode::floor, [](float v) { return std::floor(v); });
    check(Opcode::ceil, [](float v) { return std::ceil(v); });
    check(Opcode::round, [](float v) { return std::nearbyint(v); });
    check(Opcode::square, [](float v) { return v * v; });
    check(Opcode::sqrt, [](float v) { return std::sqrt(v); });
    check(Opcode::rsqrt, [](float v) { return 1 / std::sqrt(v); });
    check(Opcode::reciprocal, [](float v) { return 1 / v; });
    check(Opcode::copy, [](float v) { return v; });
    CHECK(map<uint8_t>({.op = Opcode::is_finite}, x) ==
          std::vector<uint8_t>{1, 1, 1, 1, 1, 1, 1, 0, 0});
  });
}

TEST_CASE("elementwise: integers are exact and wrap") {
  on_every_machine([] {
    using V = std::vector<int64_t>;
    const V a{7, -7, INT64_MAX, INT64_MIN, 5}, b{3, 3, 2, -1, 0};
    CHECK(zip<int64_t>(Opcode::add, a, b) == V{10, -4, INT64_MIN + 1, INT64_MAX, 5});
    CHECK(zip<int64_t>(Opcode::mul, a, b) == V{21, -21, -2, INT64_MIN, 0});
    CHECK(zip<int64_t>(Opcode::div, a, b) == V{2, -2, INT64_MAX / 2, INT64_MIN, 0});
    CHECK(zip<int64_t>(Opcode::remainder, a, b) == V{1, 2, 1, 0, 0});
    CHECK(zip<int64_t>(Opcode::pow, V{2, -1, 0, 3, -2}, V{10, -3, 0, 39, 3}) ==
          V{1024, -1, 1, 4052555153018976267, -8});
    CHECK(zip<int64_t>(Opcode::maximum, a, b) == V{7, 3, INT64_MAX, -1, 5});
    CHECK(zip<uint8_t>(Opcode::less, a, b) == std::vector<uint8_t>{0, 1, 0, 1, 0});
    CHECK(zip<int32_t>(Opcode::sub, std::vector<int32_t>{INT32_MIN}, {1}) ==
          std::vector<int32_t>{INT32_MAX});
    CHECK(map<int64_t>({.op = Opcode::abs}, V{-3, 4}) == V{3, 4});
    CHECK(zip<uint8_t>(Opcode::logical_xor, std::vector<uint8_t>{0, 1, 1}, {1, 1, 0}) ==
          std::vector<uint8_t>{1, 0, 1});
    CHECK(map<uint8_t>({.op = Opcode::logical_not}, std::vector<uint8_t>{0, 1}) ==
          std::vector<uint8_t>{1, 0});
  });
}

TEST_CASE("elementwise: casts truncate and saturate") {
  on_every_machine([] {
    const Floats x{1.9F, -1.9F, 3e9F, -3e9F, kNaN, 0};
    CHECK(map<int32_t>({.op = Opcode::cast, .dtype = DType::s32}, x) ==
          std::vector<int32_t>{1, -1, INT32_MAX, INT32_MIN, 0, 0});
    CHECK(map<int64_t>({.op = Opcode::cast, .dtype = DType::s64}, x) ==
          std::vector<int64_t>{1, -1, 3000000000, -3000000000, 0, 0});
    CHECK(map<uint8_t>({.op = Opcode::cast, .dtype = DType::u8}, x) ==
          std::vector<uint8_t>{1, 1, 1, 1, 1, 0});
    CHECK(map<float>({.op = Opcode::cast, .dtype = DType::f32},
                     std::vector<int64_t>{1LL << 40, -3}) == Floats{1099511627776.0F, -3});
    CHECK(map<int32_t>({.op = Opcode::cast, .dtype = DType::s32}, std::vector<uint8_t>{1, 0}) ==
          std::vector<int32_t>{1, 0});
  });
}

TEST_CASE("elementwise: select with scalar branches, constants, two results, in place") {
  on_every_machine([] {
    for (const int64_t n : {1, 7, 31, 1000, 100003}) {
      Floats x = random_floats(n, 5);
      const Floats before = x;
      const auto mask = random_mask(n, 6);
      Floats second(n);
      // y = mask ? x : -inf over x itself;  z = 2*x
      run({.shape = {n},
           .inputs = {{DType::f32, {1}}, {DType::u8, {1}}},
           .program = {{.op = Opcode::constant, .immediate = -INFINITY},
                       {.op = Opcode::constant, .immediate = 2},
                       {.op = Opcode::select, .a = 1, .b = 0, .c = 2},
                       {.op = Opcode::mul, .a = 0, .b = 3}},
           .outputs = {{DType::f32, {1}}, {DType::f32, {1}}},
           .results = {4, 5}},
          {x.data(), mask.data()}, {x.data(), second.data()});
      size_t wrong = 0;
      for (int64_t i = 0; i < n; ++i)
        wrong += x[i] != (mask[i] ? before[i] : -kInf) || second[i] != 2 * before[i];
      CHECK(wrong == 0);
    }
  });
}

TEST_CASE("elementwise: one op on contiguous and broadcast operands needs no scratch") {
  const auto scratch = [](const k::ElementwiseSpec& spec) {
    return k::Elementwise(spec).workspace_bytes();
  };
  CHECK(scratch({.shape = {64, 512},
                 .inputs = {{DType::f32, {512, 1}}, {DType::f32, {0, 1}}},
                 .program = {{.op = Opcode::add, .a = 0, .b = 1}},
                 .outputs = {{DType::f32, {512, 1}}},
                 .results = {2}}) == 0);
  CHECK(scratch({.shape = {64, 512},
                 .inputs = {{DType::f32, {528, 1}}, {DType::f32, {1, 0}}},
                 .program = {{.op = Opcode::mul, .a = 0, .b = 1}},
                 .outputs = {{DType::f32, {528, 1}}},
                 .results = {2}}) == 0);
  CHECK(scratch({.shape = {8},
                 .inputs = {},
                 .program = {{.op = Opcode::constant, .immediate = 3}},
                 .outputs = {{DType::f32, {1}}},
                 .results = {0}}) == 0);
}

TEST_CASE("elementwise: ill-typed programs are refused with a reason") {
  const auto error = [](std::vector<k::Instruction> program, DType out) {
    k::ElementwiseSpec spec{.shape = {4},
                            .inputs = {{DType::f32, {1}}, {DType::s32, {1}}},
                            .program = std::move(program),
                            .outputs = {{out, {1}}},
                            .results = {2}};
    return std::string(k::Elementwise(spec).error());
  };
  CHECK(error({{.op = Opcode::add, .a = 0, .b = 1}}, DType::f32) ==
        "elementwise: operands differ in dtype");
  CHECK(error({{.op = Opcode::exp, .a = 1}}, DType::s32) ==
        "elementwise: the op has no such dtype");
  CHECK(error({{.op = Opcode::exp, .a = 5}}, DType::f32) ==
        "elementwise: a register is read before it is written");
  CHECK(error({{.op = Opcode::exp, .a = 0}}, DType::s32) ==
        "elementwise: an output's dtype is not that of its register");
}

TEST_CASE("elementwise: f32 becomes bf16 to nearest, halves to even, and comes back exactly") {
  // 1 + 2^-8 lies between 1 and 1 + 2^-7: to the even one, as 1 + 3 * 2^-8 to 1 + 2^-6.
  const Floats given{1.0F,   1.00390625F, 1.01171875F, -1.0039064F, 0.0F,    -0.0F, 3.4e38F,
                     1e-40F, kInf,        -kInf,       kNaN,        65537.F, 0.1F};
  const Floats wanted{1.0F,      1.0F, 1.015625F, -1.0078125F, 0.0F,    -0.0F,         kInf,
                      0x1p-133F, kInf, -kInf,     kNaN,        65536.F, 0.10009765625F};
  Floats many;
  for (int i = 0; i < 7; ++i) many.insert(many.end(), given.begin(), given.end());
  on_every_machine([&] {
    for (const size_t n : {size_t{1}, size_t{13}, many.size()}) {
      const auto length = static_cast<int64_t>(n);
      const auto cast = [&](k::DType from, k::DType to, const void* x, void* y) {
        k::ElementwiseSpec spec{
            {length}, {{from, {1}}}, {{.op = k::Opcode::cast, .dtype = to}}, {{to, {1}}}, {1}};
        const k::Elementwise program(spec);
        REQUIRE(program.error() == nullptr);
        std::vector<char> space(program.workspace_bytes() + 64);
        const void* in[] = {x};
        void* out[] = {y};
        program.run(in, out, space.data());
      };
      std::vector<uint16_t> low(n + 1, 0x1234);
      Floats back(n + 1, 7.0F);
      cast(k::DType::f32, k::DType::bf16, many.data(), low.data());
      cast(k::DType::bf16, k::DType::f32, low.data(), back.data());
      CHECK(low[n] == 0x1234);
      CHECK(back[n] == 7.0F);
      for (size_t i = 0; i < n; ++i) {
        const float want = wanted[i % wanted.size()];
        INFO(i, ": ", many[i]);
        CHECK((std::isnan(want) ? std::isnan(back[i])
                                : std::memcmp(&back[i], &want, sizeof want) == 0));
      }
    }
  });
}
