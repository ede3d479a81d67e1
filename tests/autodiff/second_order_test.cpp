// tests/autodiff/second_order_test.cpp -- derivatives of derivatives, and in loops, of ops whose
// adjoints are ops of their own.
#include "autodiff/gradient.h"
#include "ir/text/text.h"
#include "tests/support/check_gradient.h"

#include <doctest/doctest.h>

using namespace weft;

namespace {

// The gradients of the sum of y's cubes, themselves checked.
void check_second_order(const char* body) {
  const ir::Graph graph = ir::parse(std::string("graph(") + body +
                                    " %two = mul(%y, %y) %three = mul(%two, %y) %loss = "
                                    "sum(%three) {axes=[0,1,2]} return %loss }");
  CAPTURE(ir::print(graph));
  tests::check_gradient(autodiff::gradient(graph, "loss", autodiff::float_arguments(graph)));
}

}  // namespace

TEST_CASE("gradient: twice through a convolution, by x, w and bias") {
  check_second_order(
      "%x: f32[2,5,4], %w: f32[3,2,4], %b: f32[4]) { %y = conv(%x, %w; %b) {strides=[2], low=[1], "
      "high=[1], groups=2}");
  check_second_order(
      "%d: f32[2,2,3], %w: f32[2,2,3]) { %y = conv_input_grad(%d, %w) {size=[4], strides=[2]}");
}

TEST_CASE("gradient: twice through pooling, sort, running products and recurrences") {
  check_second_order("%x: f32[2,5,3]) { %y = max_pool(%x) {window=[2], high=[1]}");
  check_second_order("%x: f32[2,5,3]) { %y = avg_pool(%x) {window=[2], strides=[2], low=[1]}");
  check_second_order("%x: f32[2,5,3]) { %y, %i = sort(%x) {axis=1}");
  check_second_order("%x: f32[2,4,3]) { %y = cumprod(%x) {axis=1}");
  check_second_order(
      "%x: f32[2,4,3]) { %k = constant() {shape=[4,1], values=[1, 0, 1, 0]} %z = mul(%x, %k)"
      " %y = cumprod(%z) {axis=1}");
  check_second_order(
      "%a: f32[2,4,3], %b: f32[2,4,3]) { %y = linear_recurrence(%a, %b) {axis=1, reverse=true}");
}

TEST_CASE("gradient: through a loop that convolves its state") {
  tests::check_gradient(R"(
    graph(%s0: f32[2,4,3], %x: f32[3,2,4,3], %w: f32[3,3,3], %len_upto_3: s32[2]) {
      %s, %o = scan(%s0; %x; %w; %len_upto_3) {axes=[0], out_axes=[0]}
      (%s, %x, %w, %live) {
        %a = add(%s, %x)
        %c = conv(%a, %w) {low=[1], high=[1]}
        %p = avg_pool(%c) {window=[2], high=[1]}
        %l = linear_recurrence(%p, %x) {axis=1}
        %n = tanh(%l)
        yield %n; %p
      }
      return %s, %o
    })");
}
