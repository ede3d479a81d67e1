// tests/reference/convolution_test.cpp -- what convolutions compute, and what they refuse.
#include "tests/reference/evaluate.h"

using namespace weft::test;

namespace {

std::string conv(const std::string& x, const std::string& w, const std::string& attrs = "") {
  return error_of([&] {
    weft::ir::parse("graph(%x: " + x + ", %w: " + w + ") { %y = conv(%x, %w) " + attrs +
                    " return %y }");
  });
}

}  // namespace

TEST_CASE("conv: each position sees the elements its window covers, zeros beyond the ends") {
  const Array x = floats({1, 4, 1}, {1, 2, 3, 4}), w = floats({3, 1, 1}, {1, 10, 100});
  check_values(apply("conv(%a, %b)", {x, w}), {1, 2, 1}, {321, 432});
  check_values(apply("conv(%a, %b) {low=[1], high=[1]}", {x, w}), {1, 4, 1}, {210, 321, 432, 43});
  check_values(apply("conv(%a, %b) {strides=[2], low=[1], high=[1]}", {x, w}), {1, 2, 1},
               {210, 432});
  check_values(apply("conv(%a, %b) {dilations=[2], low=[2], high=[1]}", {x, w}), {1, 3, 1},
               {310, 420, 31});
  check_values(apply("conv(%a, %b) {strides=[3], low=[3]}", {x, w}), {1, 2, 1}, {0, 321});
}

TEST_CASE("conv: channels are summed, each group sees its own, the bias is added") {
  const Array x = floats({1, 1, 4}, {1, 2, 3, 4});
  check_values(apply("conv(%a, %b; %c)",
                     {x, floats({1, 4, 2}, {1, 5, 2, 6, 3, 7, 4, 8}), floats({2}, {0.5, -1})}),
               {1, 1, 2}, {30.5, 69});
  check_values(apply("conv(%a, %b) {groups=2}", {x, floats({1, 2, 2}, {1, 10, 2, 20})}), {1, 1, 2},
               {5, 110});
  check_values(apply("conv(%a, %b) {groups=4}", {x, floats({1, 1, 4}, {1, 10, 100, 1000})}),
               {1, 1, 4}, {1, 20, 300, 4000});
}

TEST_CASE("conv: two axes have strides, dilations and padding of their own") {
  const Array x = floats({1, 2, 3, 1}, {1, 2, 3, 4, 5, 6}), w = floats({2, 2, 1, 1}, {1, 2, 3, 4});
  check_values(apply("conv(%a, %b)", {x, w}), {1, 1, 2, 1}, {37, 47});
  check_values(apply("conv(%a, %b) {strides=[2,1], dilations=[1,2], high=[1,0]}", {x, w}),
               {1, 1, 1, 1}, {1 + 6 + 12 + 24});
}

TEST_CASE("conv: an empty batch and no channels are legal, and give what sums of nothing give") {
  check_values(
      apply("conv(%a, %b)", {floats({0, 4, 1}, {}), floats({3, 1, 2}, {1, 2, 3, 4, 5, 6})}),
      {0, 2, 2}, {});
  check_values(
      apply("conv(%a, %b; %c)", {floats({1, 2, 0}, {}), floats({1, 0, 1}, {}), floats({1}, {3})}),
      {1, 2, 1}, {3, 3});
  check_values(
      apply("conv_weight_grad(%a, %b) {size=[2]}", {floats({0, 3, 1}, {}), floats({0, 2, 1}, {})}),
      {2, 1, 1}, {0, 0});
}

TEST_CASE("conv: an axis that is a symbol keeps its size in the result as a floordiv") {
  const auto g = weft::ir::parse(
      "graph(%x: f32[B,S,3], %w: f32[3,3,5]) { %a = conv(%x, %w) {strides=[2], low=[1], high=[1]} "
      "%v = constant() {shape=[3,5,2], values=[1]} %b = conv(%a, %v) {strides=[2], low=[1], "
      "high=[1]} return %a, %b }");
  CHECK(g.type(g.outputs()[0].value).str() == "f32[B,floordiv(S+1,2),5]");
  CHECK(g.type(g.outputs()[1].value).str() == "f32[B,floordiv(S+3,4),2]");
  CHECK(weft::ir::print(weft::ir::parse(weft::ir::print(g))) == weft::ir::print(g));
}

TEST_CASE("conv: a window larger than what a symbol is bound to is an error that says the sizes") {
  const std::string said = error_of([] {
    run("graph(%x: f32[B,S,1], %w: f32[5,1,1]) { %y = conv(%x, %w) {high=[1]} return %y }",
        {floats({1, 3, 1}, {1, 2, 3}), floats({5, 1, 1}, {1, 2, 3, 4, 5})}, {{"B", 1}, {"S", 3}});
  });
  CHECK(mentions(said, "[conv.w4]"));
  CHECK(mentions(said, "slides a window over 5 elements along axis 1, which has 3 and 0 + 1"));
}

TEST_CASE("conv: label 1, floats of rank 3 to 5") {
  CHECK(mentions(conv("f32[4,2]", "f32[4,2]"), "[conv.1]"));
  CHECK(mentions(conv("s32[1,4,2]", "s32[1,2,2]"), "[conv.1]"));
}
TEST_CASE("conv: label 2, x and w of one dtype and rank") {
  CHECK(mentions(conv("f32[1,4,2]", "f32[3,3,2,2]"), "[conv.2]"));
}
TEST_CASE("conv: label 3, one group or more") {
  CHECK(mentions(conv("f32[1,4,2]", "f32[3,2,2]", "{groups=0}"), "[conv.3]"));
}
TEST_CASE("conv: label 4, groups that cut the channels of x and of w") {
  CHECK(mentions(conv("f32[1,4,3]", "f32[3,2,2]", "{groups=2}"),
                 "cannot cut 3 channels of x into 2 groups [conv.4]"));
  CHECK(mentions(conv("f32[1,4,4]", "f32[3,2,3]", "{groups=2}"), "[conv.4]"));
}
TEST_CASE("conv: label 5, as many channels as w has for each group") {
  CHECK(mentions(conv("f32[1,4,3]", "f32[3,2,2]"), "[conv.5]"));
  CHECK(mentions(conv("f32[1,4,4]", "f32[3,4,4]", "{groups=2}"),
                 "convolves 4 channels of x in 2 groups with 4 channels of w, needs 2"));
}
TEST_CASE("conv: label 6, dy of as many positions as the window has") {
  CHECK(mentions(error_of([] {
                   apply("conv_input_grad(%a, %b) {size=[5]}",
                         {floats({1, 2, 1}, {1, 2}), floats({3, 1, 1}, {1, 2, 3})});
                 }),
                 "needs dy of [3] positions between its first and last axes, found [2] "
                 "[conv_input_grad.6]"));
}
TEST_CASE("conv: label 7, a bias for each channel of the result") {
  CHECK(mentions(error_of([] {
                   apply("conv(%a, %b; %c)",
                         {floats({1, 1, 1}, {1}), floats({1, 1, 2}, {1, 2}), floats({1}, {1})});
                 }),
                 "[conv.7]"));
}
TEST_CASE("conv: label 8, a size for each axis") {
  CHECK(mentions(error_of([] {
                   apply("conv_weight_grad(%a, %b) {size=[1,1]}",
                         {floats({1, 1, 1}, {1}), floats({1, 1, 1}, {1})});
                 }),
                 "[conv_weight_grad.8]"));
}
TEST_CASE("conv: label 9, one batch") {
  CHECK(mentions(error_of([] {
                   apply("conv_weight_grad(%a, %b) {size=[1]}",
                         {floats({1, 1, 1}, {1}), floats({2, 1, 1}, {1, 2})});
                 }),
                 "[conv_weight_grad.9]"));
}
TEST_CASE("window: labels w1 to w4, an entry an axis, in range, windows that fit") {
  CHECK(mentions(conv("f32[1,4,4,1]", "f32[3,3,1,1]", "{strides=[2]}"), "[conv.w1]"));
  CHECK(mentions(conv("f32[1,4,1]", "f32[3,1,1]", "{strides=[0]}"), "[conv.w2]"));
  CHECK(mentions(conv("f32[1,4,1]", "f32[3,1,1]", "{low=[-1]}"), "[conv.w2]"));
  CHECK(mentions(conv("f32[1,4,1]", "f32[0,1,1]"), "[conv.w3]"));
  CHECK(
      mentions(conv("f32[1,4,1]", "f32[3,1,1]", "{dilations=[2]}"),
               "slides a window over 5 elements (3, dilated by 2) along axis 1, which has 4 and 0 "
               "+ 0 of padding [conv.w4]"));
}
