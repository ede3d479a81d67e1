// tests/frontend/convolution_test.cpp -- convolutions, pooling and norms as they are written.
#include "backends/reference/reference.h"
#include "tests/frontend/graph_text.h"

#include <cmath>

using namespace weft;
using ir::Array;
using weft::tests::check_graph;
using weft::tests::error_of;
using weft::tests::has;

namespace {

std::string type_of(const Tensor& x) { return x.type().str(); }

struct Inputs {
  Model m;
  Tensor mel = m.input("mel", f32, {dim("B"), dim("S"), 80});
  Tensor image = m.input("image", f32, {dim("B"), 32, 48, 3});
};

Array counted(const ir::Dims& dims) {
  Array a(f64, dims);
  for (int64_t i = 0; i < a.size(); ++i) a.set(i, static_cast<double>(i * i % 13) - 4);
  return a;
}

}  // namespace

TEST_CASE("conv1d: parameters W and b under its path, options that are usual left out") {
  Model m;
  const Tensor x = m.input("x", f32, {dim("B"), dim("S"), 3});
  m.output("y", conv1d(m / "conv", x, 5, 3, {.stride = 2, .padding = 1}));
  check_graph(m,
              "graph @main(input %x: f32[B,S,3], parameter %W: f32[3,3,5] {path=\"conv/W\", "
              "init=\"glorot_uniform\"}, parameter %b: f32[5] {path=\"conv/b\", init=\"zeros\"}) {"
              " %y = conv(%x, %W; %b) {strides=[2], low=[1], high=[1]} return %y }");
}

TEST_CASE("conv1d, conv2d: sizes of results, with symbols too") {
  Inputs in;
  CHECK(type_of(conv1d(in.m / "a", in.mel, 384, 3, {.padding = 1})) == "f32[B,S,384]");
  CHECK(type_of(conv1d(in.m / "b", in.mel, 384, 3, {.stride = 2, .padding = 1})) ==
        "f32[B,floordiv(S+1,2),384]");
  CHECK(type_of(conv1d(in.m / "c", in.mel, 80, 4, {.padding = Padding::same(), .groups = 80})) ==
        "f32[B,S,80]");
  CHECK(type_of(conv1d(in.m / "d", in.mel, 80, 3, {.padding = Padding::causal(), .dilation = 4})) ==
        "f32[B,S,80]");
  CHECK(type_of(conv2d(in.m / "e", in.image, 768, 16, {.stride = 16, .bias = false})) ==
        "f32[B,2,3,768]");
  CHECK(type_of(conv2d(in.m / "f", in.image, 8, {3, 5},
                       {.stride = {2, 3}, .padding = Padding::same()})) == "f32[B,16,16,8]");
  CHECK(type_of(conv2d(in.m / "g", in.image, 8, 2, {.padding = {{1, 0}, {0, 1}}})) ==
        "f32[B,32,48,8]");
  CHECK(type_of(max_pool2d(in.image, 2)) == "f32[B,16,24,3]");
  CHECK(type_of(avg_pool1d(in.mel, 3, {.stride = 1, .padding = Padding::same()})) == "f32[B,S,80]");
  CHECK(type_of(max_pool1d(in.mel, 2)) == "f32[B,floordiv(S,2),80]");
}

TEST_CASE("conv1d: of an odd number of zeros that keep the size the last stands behind") {
  Model m;
  const Tensor x = m.input("x", f32, {1, 4, 1}), w = m.input("w", f32, {2, 1, 1});
  m.output("same", conv1d(x, w, std::nullopt, {.padding = Padding::same()}));
  m.output("causal", conv1d(x, w, std::nullopt, {.padding = Padding::causal()}));
  const auto y = backends::reference::evaluate(
      m.graph(), {Array::of(f64, {1, 4, 1}, std::vector<double>{1, 2, 3, 4}),
                  Array::of(f64, {2, 1, 1}, std::vector<double>{1, 10})});
  CHECK(y[0].at(0) == 21);
  CHECK(y[0].at(3) == 4);
  CHECK(y[1].at(0) == 10);
  CHECK(y[1].at(3) == 43);
}

TEST_CASE("conv_transpose1d: undoes the size of a strided convolution") {
  Model m;
  const Tensor x = m.input("x", f32, {dim("B"), dim("S"), 6}), w = m.input("w", f32, {4, 3, 6});
  CHECK(type_of(conv_transpose1d(x, w, {.stride = 2, .padding = 1})) == "f32[B,2*S,3]");
  CHECK(type_of(conv_transpose1d(x, w, {.stride = 2}, 1)) == "f32[B,2*S+3,3]");
}

TEST_CASE("conv1d: errors name the line and what was found") {
  Inputs in;
  const auto said = [](auto f) { return error_of(f); };
  const std::string rank = said([&] { conv1d(in.m / "a", in.image, 4, 3); });
  CHECK(has(rank, "convolution_test.cpp"));
  CHECK(has(rank, "'conv1d' needs x of rank 3, found f32[B,32,48,3]"));
  CHECK(has(said([&] { conv1d(in.m / "b", in.mel, 4, 3, {.groups = 3}); }),
            "'conv1d' cannot cut 80 channels of x into 3 groups"));
  CHECK(has(said([&] {
              conv2d(in.m / "c", in.image, 4, 3, {.stride = {1, 2, 3}});
            }),
            "'conv2d' needs a stride for 2 axes, found 3"));
  CHECK(has(said([&] {
              conv2d(in.m / "d", in.image, 4, {33, 3});
            }),
            "slides a window over 33 elements along axis 1, which has 32 and 0 + 0 of padding"));
  CHECK(has(
      said([&] { conv1d(in.m / "e", in.mel, 4, 3, {.stride = 2, .padding = Padding::same()}); }),
      "cannot tell how many zeros keep an axis of S elements the same"));
  CHECK(has(said([&] { max_pool1d(in.mel, 2, {.padding = 2}); }), "[max_pool.3]"));
}

TEST_CASE("norms: over several axes they are norms of one axis that is as long") {
  Model m;
  const Tensor x = m.input("x", f32, {2, 3, 4});
  m.output("y", layer_norm(m / "n", x, {.axes = 2}));
  const Array data = counted({2, 3, 4}), ones = Array::of(f64, {3, 4}, std::vector<double>(12, 1)),
              zeros(f64, {3, 4});
  const Array y = backends::reference::evaluate(m.graph(), {data, ones, zeros})[0];
  for (int64_t b = 0; b < 2; ++b) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < 12; ++i) mean += data.at(b * 12 + i) / 12;
    for (int64_t i = 0; i < 12; ++i) variance += std::pow(data.at(b * 12 + i) - mean, 2) / 12;
    for (int64_t i = 0; i < 12; ++i)
      CHECK(y.at(b * 12 + i) ==
            doctest::Approx((data.at(b * 12 + i) - mean) / std::sqrt(variance + 1e-5)));
  }
  CHECK(has(error_of([&] { rms_norm(m / "r", x, {.axes = 4}); }), "over 4 axes"));
}

TEST_CASE("group_norm: each group of channels with all positions of its example") {
  Model m;
  const Tensor x = m.input("x", f32, {dim("B"), dim("S"), 4});
  m.output("y", group_norm(m / "n", x, 2));
  const Array data = counted({2, 3, 4}),
              scale = Array::of(f64, {4}, std::vector<double>{1, 2, 3, 4}),
              shift = Array::of(f64, {4}, std::vector<double>{0, 1, 0, 1});
  const Array y =
      backends::reference::evaluate(m.graph(), {data, scale, shift}, {{"B", 2}, {"S", 3}})[0];
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t g = 0; g < 2; ++g) {
      double mean = 0, variance = 0;
      const auto each = [&](auto f) {
        for (int64_t s = 0; s < 3; ++s)
          for (int64_t c = 2 * g; c < 2 * g + 2; ++c) f((b * 3 + s) * 4 + c, c);
      };
      each([&](int64_t i, int64_t) { mean += data.at(i) / 6; });
      each([&](int64_t i, int64_t) { variance += std::pow(data.at(i) - mean, 2) / 6; });
      each([&](int64_t i, int64_t c) {
        CHECK(y.at(i) ==
              doctest::Approx((data.at(i) - mean) / std::sqrt(variance + 1e-5) * scale.at(c) +
                              shift.at(c)));
      });
    }
  CHECK(has(error_of([&] { group_norm(m / "bad", x, 3); }),
            "cannot cut 4 channels of x into 3 groups"));
}

TEST_CASE("batch_norm: the batch's statistics in training, the kept ones otherwise") {
  Model train("train"), infer("infer");
  for (Model* m : {&train, &infer}) {
    const Tensor x = m->input("x", f32, {dim("B"), dim("S"), 2});
    m->output("y", batch_norm(*m, *m / "n", x, {.training = m == &train}));
  }
  CHECK(train.graph().find_output("n.mean") >= 0);
  CHECK(infer.graph().find_output("n.mean") < 0);
  const Array data = counted({2, 3, 2}), mean0 = Array::of(f64, {2}, std::vector<double>{1, 2}),
              variance0 = Array::of(f64, {2}, std::vector<double>{4, 9}),
              ones = Array::of(f64, {2}, std::vector<double>{1, 1}), zeros(f64, {2});
  const auto arguments = [&](const Model& m) {
    std::vector<Array> in;
    for (const ir::Argument& a : m.graph().arguments())
      in.push_back(a.path == "n/mean"       ? mean0
                   : a.path == "n/variance" ? variance0
                   : a.path == "n/scale"    ? ones
                   : a.path == "n/shift"    ? zeros
                                            : data);
    return in;
  };
  const ir::Bindings sizes{{"B", 2}, {"S", 3}};
  const auto trained = backends::reference::evaluate(train.graph(), arguments(train), sizes);
  const auto result = [&](const char* name, int64_t i) {
    return trained[static_cast<size_t>(train.graph().find_output(name))].at(i);
  };
  const auto inferred = backends::reference::evaluate(infer.graph(), arguments(infer), sizes);
  for (int64_t c = 0; c < 2; ++c) {
    double mean = 0, variance = 0;
    for (int64_t r = 0; r < 6; ++r) mean += data.at(r * 2 + c) / 6;
    for (int64_t r = 0; r < 6; ++r) variance += std::pow(data.at(r * 2 + c) - mean, 2) / 6;
    for (int64_t r = 0; r < 6; ++r) {
      const int64_t i = r * 2 + c;
      CHECK(result("y", i) == doctest::Approx((data.at(i) - mean) / std::sqrt(variance + 1e-5)));
      CHECK(inferred[0].at(i) ==
            doctest::Approx((data.at(i) - mean0.at(c)) / std::sqrt(variance0.at(c) + 1e-5)));
    }
    CHECK(result("n.mean", c) == doctest::Approx(0.9 * mean0.at(c) + 0.1 * mean));
    CHECK(result("n.variance", c) ==
          doctest::Approx(0.9 * variance0.at(c) + 0.1 * variance * 6 / 5));
  }
}

TEST_CASE("batch_norm: with a mask only what it lets through counts") {
  const auto run = [](int64_t length, bool masked) {
    Model m;
    const Tensor x = m.input("x", f32, {1, length, 2}), len = m.input("len", s32, {1});
    BatchNormOptions o;
    if (masked) o.mask = length_mask(len, length);
    m.output("y", batch_norm(m, m / "n", x, o));
    Array data(f64, {1, length, 2});
    for (int64_t i = 0; i < data.size(); ++i) data.set(i, i < 6 ? double(i * i % 5) : 1e6);
    const Array ones = Array::of(f64, {2}, std::vector<double>{1, 1}), zeros(f64, {2});
    std::vector<Array> in;
    for (const ir::Argument& a : m.graph().arguments())
      in.push_back(a.path.ends_with("scale") || a.path.ends_with("variance") ? ones
                   : !a.path.empty()                                         ? zeros
                   : m.graph().info(a.value).name == "len"
                       ? Array::of(s32, {1}, std::vector<int64_t>{3})
                       : data);
    return backends::reference::evaluate(m.graph(), in);
  };
  const auto padded = run(5, true), plain = run(3, false);
  for (size_t kept = 0; kept < 2; ++kept)  // mean and variance, then y
    for (int64_t c = 0; c < 2; ++c) CHECK(padded[kept].at(c) == doctest::Approx(plain[kept].at(c)));
  for (int64_t i = 0; i < 6; ++i) CHECK(padded[2].at(i) == doctest::Approx(plain[2].at(i)));
}

TEST_CASE("glu, geglu, swiglu, reglu: one half gates the other; an odd number has no halves") {
  Model m;
  const Tensor x = m.input("x", f32, {dim("B"), dim("H") * 2});
  CHECK(type_of(glu(x)) == "f32[B,H]");
  m.output("y", swiglu(x));
  check_graph(m,
              "graph @main(input %x: f32[B,2*H]) { %a = slice(%x) {axis=1, stop=H} %b = slice(%x) "
              "{axis=1, start=H, stop=2*H} %g = sigmoid(%b) %n = mul(%a, %g) %a1 = slice(%x) "
              "{axis=1, stop=H} %b1 = slice(%x) {axis=1, start=H, stop=2*H} %s = silu(%a1)"
              " %y = mul(%s, %b1) return %y }");
  const Tensor odd = m.input("odd", f32, {3});
  CHECK(
      has(error_of([&] { geglu(odd); }), "'geglu' needs an even number of elements along axis -1"));
}

TEST_CASE("take_along_axis, add_along_axis: every lane has indices of its own") {
  Model m;
  const Tensor x = m.input("x", f32, {3, 2}), i = m.input("i", s32, {2, 2});
  const Tensor y = take_along_axis(x, i, 0);
  m.output("y", y);
  m.output("z", add_along_axis(x, i, y, 0));
  const auto r = backends::reference::evaluate(
      m.graph(), {Array::of(f64, {3, 2}, std::vector<double>{1, 2, 3, 4, 5, 6}),
                  Array::of(s32, {2, 2}, std::vector<int64_t>{2, 0, 2, 1})});
  const double taken[] = {5, 2, 5, 4}, added[] = {1, 4, 3, 8, 15, 6};
  for (int64_t k = 0; k < 4; ++k) CHECK(r[0].at(k) == taken[k]);
  for (int64_t k = 0; k < 6; ++k) CHECK(r[1].at(k) == added[k]);
  CHECK(has(error_of([&] { take_along_axis(x, i, 1); }),
            "needs indices of x's rank and sizes off axis 1, found s32[2,2] for x f32[3,2]"));
}

TEST_CASE("sort, arg_sort, index_add: as their comments say") {
  Model m;
  const Tensor x = m.input("x", f32, {4});
  m.output("v", sort(x).values);
  m.output("i", arg_sort(x, 0, {.descending = true}));
  const auto r = backends::reference::evaluate(
      m.graph(), {Array::of(f64, {4}, std::vector<double>{3, 1, 3, 2})});
  const double values[] = {1, 2, 3, 3}, places[] = {0, 2, 3, 1};
  for (int64_t k = 0; k < 4; ++k) CHECK(r[0].at(k) == values[k]);
  for (int64_t k = 0; k < 4; ++k) CHECK(r[1].at(k) == places[k]);
}
