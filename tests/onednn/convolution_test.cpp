// tests/onednn/convolution_test.cpp -- convolutions, pooling and sort where samples do not go: sizes
// of none and one, special values, rows that must not see each other.
#include "ir/error.h"
#include "ir/text/text.h"
#include "tests/onednn/compare.h"
#include "tests/support/op_samples.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace weft;
using ir::Array;
using ir::DType;

namespace {

Array floats(ir::Dims dims, const std::vector<double>& values) {
  return Array::of(DType::f32, std::move(dims), values);
}

const double kNaN = std::nan(""), kInf = HUGE_VAL;

}  // namespace

TEST_CASE("conv: sizes of none, one and many, front ends as models have them") {
  for (const char* text :
       {"graph(%x: f32[B,9,3], %w: f32[3,3,5], %b: f32[5]) { %y = conv(%x, %w; %b) {low=[1], "
        "high=[1]} return %y }",
        "graph(%x: f32[B,4,0], %w: f32[2,0,3], %b: f32[3]) { %y = conv(%x, %w; %b) return %y }",
        "graph(%x: f32[B,4,0], %w: f32[2,0,3]) { %y = conv(%x, %w) return %y }",
        "graph(%d: f32[B,4,0], %w: f32[2,3,0]) { %y = conv_input_grad(%d, %w) {size=[5]} return "
        "%y }",
        "graph(%x: f32[B,5,3], %d: f32[B,4,2]) { %y = conv_weight_grad(%x, %d) {size=[2]} return "
        "%y }",
        "graph(%x: f32[B,1,1], %w: f32[1,1,1]) { %y = conv(%x, %w) return %y }",
        "graph(%x: f32[B,20,80], %w: f32[3,80,384], %b: f32[384]) { %y = conv(%x, %w; %b) "
        "{strides=[2], low=[1], high=[1]} return %y }",
        "graph(%x: f32[B,32,32,3], %w: f32[16,16,3,24], %b: f32[24]) { %y = conv(%x, %w; %b) "
        "{strides=[16,16]} return %y }",
        "graph(%x: f32[B,40,64], %w: f32[31,1,64]) { %y = conv(%x, %w) {low=[15], high=[15], "
        "groups=64} return %y }",
        "graph(%x: f32[B,7,7,8], %w: f32[2,2,8,8]) { %y = conv(%x, %w) {strides=[5,5]} return %y "
        "}"})
    for (const int64_t batch : {0, 1, 3}) {
      CAPTURE(text);
      CAPTURE(batch);
      tests::check_same(text, {.bindings = {{"B", batch}}});
    }
}

TEST_CASE("conv_weight_grad: over long sequences, whatever window, stride and padding") {
  for (const char* attrs :
       {"{size=[3], low=[1], high=[1]}", "{size=[4], strides=[2], low=[3]}",
        "{size=[2], strides=[5], high=[2]}", "{size=[3], dilations=[7], low=[10], high=[4]}",
        "{size=[5], low=[700], high=[700]}", "{size=[1], strides=[2]}"}) {
    CAPTURE(attrs);
    const std::string conv = attrs;
    const ir::Graph forward = ir::parse(
        "graph(%x: f32[2,600,33], %w: f32[" + conv.substr(7, 1) + ",33,40]) { %y = conv(%x, %w) {" +
        (conv.size() > 10 ? conv.substr(11) : "}") + " return %y }");
    const std::string positions = forward.type(forward.outputs()[0].value).dim(1).str();
    tests::check_same("graph(%x: f32[2,600,33], %d: f32[2," + positions +
                          ",40]) { %y = conv_weight_grad(%x, %d) " + conv + " return %y }",
                      {.tolerance = 3e-5});
  }
}

TEST_CASE("conv: a row of the batch has the same bits whatever else is in it") {
  const ir::Graph graph = ir::parse(
      "graph(%x: f32[B,20,80], %w: f32[3,80,64], %b: f32[64]) { %y = conv(%x, %w; %b) "
      "{strides=[2], low=[1], high=[1]} return %y }");
  const std::vector<Array> three = tests::sample_arguments(graph, {{"B", 3}}, 1, DType::f32);
  const Array together = tests::run_onednn(graph, three, {}, {{"B", 3}})[0];
  const int64_t in = three[0].size() / 3, out = together.size() / 3;
  for (int64_t row = 0; row < 3; ++row) {
    std::vector<Array> one = three;
    one[0] = Array(DType::f32, {1, 20, 80});
    for (int64_t i = 0; i < in; ++i) one[0].set(i, three[0].at(row * in + i));
    const Array alone = tests::run_onednn(graph, one, {}, {{"B", 1}})[0];
    for (int64_t i = 0; i < out; ++i) REQUIRE(alone.at(i) == together.at(row * out + i));
  }
}

TEST_CASE("sort: stable with infinities, NaN and zeros of both signs, few elements and many") {
  for (const char* attrs : {"", "{descending=true}"})
    for (const int64_t n : {int64_t{1}, int64_t{7}, int64_t{300}}) {
      const ir::Graph graph = ir::parse("graph(%x: f32[2,N]) { %v, %i = sort(%x) " +
                                        std::string(attrs) + " return %v, %i }");
      const double special[] = {0.0, -0.0, kNaN, kInf, -kInf, 1e-42, -1e-42, 3, 3, -3e38};
      std::vector<double> values;
      for (int64_t i = 0; i < 2 * n; ++i) values.push_back(special[(i * 7 + i / 3) % 10]);
      tests::check_same(graph, {floats({2, n}, values)}, {.bindings = {{"N", n}}});
    }
}

TEST_CASE("sort: every dtype of numbers") {
  for (const char* dtype : {"s64", "s32", "u32", "u8", "s8", "f16", "bf16"})
    tests::check_same(
        "graph(%x_below_9: f32[3,60]) { %c = cast(%x_below_9) {dtype=" + std::string(dtype) +
        "} %v, %i = sort(%c) {axis=0, descending=true} %w = cast(%v) {dtype=f32} "
        "return %w, %i }");
}

TEST_CASE("max_pool: the first NaN of a window, the first of equals, -inf where all is") {
  const ir::Graph graph = ir::parse(
      "graph(%x: f32[1,6,2]) { %y, %i = max_pool(%x) {window=[3], strides=[2], low=[1], high=[1], "
      "indices=true} return %y, %i }");
  tests::check_same(
      graph,
      {floats({1, 6, 2}, {2, -kInf, 2, -kInf, kNaN, -kInf, kNaN, kInf, 5, kInf, -0.0, kNaN})});
}

TEST_CASE("max_pool_grad: an index beyond the elements is an error that names it") {
  std::string said;
  try {
    tests::run_onednn(
        ir::parse("graph(%d: f32[1,2,1], %i: s32[1,2,1]) { %y = max_pool_grad(%d, %i) "
                  "{size=[3]} return %y }"),
        {floats({1, 2, 1}, {1, 2}), Array::of(DType::s32, {1, 2, 1}, std::vector<int64_t>{1, 3})});
  } catch (const ir::GraphError& e) {
    said = e.what();
  }
  CHECK(said.find("needs indices in [0, 3), found 3 [max_pool_grad.7]") != said.npos);
}

TEST_CASE("cumprod and linear_recurrence: empty, of one, and in place") {
  for (const int64_t n : {0, 1, 5})
    tests::check_same(
        "graph(%x: f32[3,N], %a: f32[3,N]) { %p = cumprod(%x) %q = linear_recurrence(%a, %p) "
        "{axis=0} %r = cumprod(%q) {axis=0, exclusive=true} return %r }",
        {.bindings = {{"N", n}}});
}
