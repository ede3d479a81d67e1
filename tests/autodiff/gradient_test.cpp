// tests/autodiff/gradient_test.cpp -- what `gradient` promises: outputs, seeds, zeros, errors.
#include "autodiff/gradient.h"

#include "backends/reference/reference.h"
#include "ir/ops/all.h"
#include "ir/text/text.h"
#include "ir/verify.h"
#include "tests/support/check_gradient.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace weft;
using ir::Array;
using Numbers = std::vector<double>;

namespace {

Array numbers(ir::Dims dims, const Numbers& values) {
  return Array::of<double>(ir::DType::f64, std::move(dims), values);
}

// The gradient of the sum of output 0 by every float argument.
std::vector<Array> gradients(const char* text, const std::vector<Array>& at) {
  const ir::Graph graph = ir::parse(text);
  const ir::Graph with =
      autodiff::gradient(graph, graph.outputs()[0].name, autodiff::float_arguments(graph));
  ir::verify(with);
  std::vector<Array> out = backends::reference::evaluate(with, at);
  out.erase(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(graph.outputs().size()));
  return out;
}

void check_values(const Array& found, const Numbers& expected) {
  REQUIRE(found.size() == static_cast<int64_t>(expected.size()));
  for (int64_t i = 0; i < found.size(); ++i)
    CHECK(found.at(i) == doctest::Approx(expected[static_cast<size_t>(i)]));
}

std::string error_of(const char* text, const std::string& result, const std::string& argument) {
  try {
    autodiff::gradient(ir::parse(text, "model.ir"), result, {argument});
  } catch (const ir::GraphError& e) {
    return e.what();
  }
  return "(no error)";
}

int count(const ir::Graph& graph, const ir::OpDef& op) {
  int n = 0;
  for (const ir::Node& node : graph.nodes()) n += node.op == &op;
  return n;
}

constexpr double kInf = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("gradient: what a select does not choose has no part in it, whatever its derivative is") {
  const Array x = numbers({4}, {-1, 0, 4, 1});
  check_values(gradients("graph(%x: f32[4]) { %c = greater(%x, 0) %s = sqrt(%x) "
                         "%y = select(%c, %s, 0) return %y }",
                         {x})[0],
               {0, 0, 0.25, 0.5});
  // Through a chain, a branch of which is read twice, and what only moves.
  check_values(gradients("graph(%x: f32[4]) { %c = less_equal(%x, 0) %l = log(%x) %a = mul(%l, %l) "
                         "%r = reverse(%a) {axis=0} %d = reverse(%c) {axis=0} "
                         "%y = select(%d, 5, %r) return %y }",
                         {x})[0],
               {0, 0, std::log(4.0) / 2, 0});
  // Of two selects one inside the other.
  check_values(
      gradients("graph(%x: f32[4]) { %c = greater(%x, 0) %d = less(%x, 3) %s = rsqrt(%x) "
                "%u = select(%c, %s, 0) %v = mul(%u, %u) %y = select(%d, %v, 0) return %y }",
                {x})[0],
      {0, 0, 0, -1});
}

TEST_CASE("gradient: rows that a select leaves out have no part in it, losses of NaN among them") {
  const Array x = numbers({2, 2}, {std::nan(""), 1, 0, 0});
  const Array m = Array::of<int64_t>(ir::DType::pred, {2}, {0, 1});
  const Array l = Array::of<int64_t>(ir::DType::s32, {2}, {0, 1});
  check_values(gradients("graph(%x: f32[2,2], %m: pred[2], %l: s32[2]) { %p = log_softmax(%x) "
                         "%g = gather(%p, %l) {axis=1, batch=1} %u = mean(%p) {axes=[-1]} "
                         "%a = add(%g, %u) %n = neg(%a) %y = select(%m, %n, 0) return %y }",
                         {x, m, l})[0],
               {0, 0, 0.5, -0.5});
}

TEST_CASE("gradient: activations are flat where they have reached their limits") {
  const Array x = numbers({4}, {-kInf, kInf, -1e30, 1e30});
  for (const char* op : {"gelu", "gelu_tanh", "silu"}) {
    const std::string text = std::string("graph(%x: f32[4]) { %y = ") + op + "(%x) return %y }";
    check_values(gradients(text.c_str(), {x})[0], {0, 1, 0, 1});
    const Array y = backends::reference::evaluate(ir::parse(text), {x})[0];
    CHECK(y.at(0) == 0);
    CHECK(y.at(1) == kInf);
    CHECK(y.at(2) == 0);
    CHECK(y.at(3) == 1e30);
  }
}

TEST_CASE("gradient: outputs are kept and one is added for each argument named") {
  const ir::Graph graph = ir::parse(
      "graph(%x: f32[B,3], parameter %w: f32[3] {path=\"out/w\"}) {"
      " %p = mul(%x, %w) %loss = sum(%p) {axes=[0,1]} return %loss, %p }");
  const ir::Graph with = autodiff::gradient(graph, "loss", {"out/w", "x"});
  REQUIRE(with.outputs().size() == 4);
  CHECK(with.outputs()[0].name == "loss");
  CHECK(with.outputs()[1].name == "p");
  CHECK(with.outputs()[2].name == "dout.w");
  CHECK(with.type(with.outputs()[2].value).str() == "f32[3]");
  CHECK(with.outputs()[3].name == "dx");
  CHECK(with.type(with.outputs()[3].value).str() == "f32[B,3]");
  CHECK(ir::print(ir::parse(ir::print(with))) == ir::print(with));
}

TEST_CASE("gradient: of the gradient has names of its own") {
  const ir::Graph graph = ir::parse("graph(%x: f32[]) { %y = pow(%x, 3) return %y }");
  const ir::Graph twice = autodiff::gradient(autodiff::gradient(graph, "y", {"x"}), "dx", {"x"});
  REQUIRE(twice.find_output("ddx") == 2);
  check_values(backends::reference::evaluate(twice, {numbers({}, {2})})[2], {12});
}

TEST_CASE("gradient: backward nodes bear the place of the node they come from") {
  const ir::Graph graph =
      ir::parse("graph(%x: f32[3]) {\n %y = exp(%x) // encoder\n return %y }", "model.ir");
  const ir::Graph with = autodiff::gradient(graph, "y", {"x"});
  const ir::Node* d = with.producer(with.outputs()[1].value);
  CHECK(d->from.part == ir::Part::backward);
  CHECK(d->from.scope == "encoder");
  CHECK(d->from.loc.line == 2);
}

TEST_CASE("gradient: what the result does not depend on has a gradient of zeros") {
  const std::vector<Array> d =
      gradients("graph(%x: f32[2], %z: f32[3]) { %y = mul(%x, %x) return %y }",
                {numbers({2}, {1, 2}), numbers({3}, {1, 2, 3})});
  check_values(d[0], {2, 4});
  check_values(d[1], {0, 0, 0});
}

TEST_CASE("gradient: no adjoint is built for what leads to no wanted argument") {
  const ir::Graph graph =
      ir::parse("graph(%x: f32[4,4], %w: f32[4,4]) { %e = exp(%w) %y = matmul(%x, %e) return %y }");
  const ir::Graph with = autodiff::gradient(graph, "y", {"x"});
  CHECK(count(with, ir::ops::matmul) == 2);
  CHECK(count(with, ir::ops::mul) == 0);
}

TEST_CASE("gradient: a weight that a batch shares gets one contraction over all rows") {
  for (const char* attrs : {"", "{transpose_b=true}"}) {
    const ir::Graph graph =
        ir::parse(std::string("graph(%x: f32[B,T,4], %w: f32[4,4]) { %y = matmul(%x, %w) ") +
                  attrs + " return %y }");
    const ir::Graph with = autodiff::gradient(graph, "y", {"w"});
    const ir::Node* d = with.producer(with.outputs()[1].value);
    CHECK(d->op == &ir::ops::matmul);
    CHECK(with.type(d->operands[0]).shape[0] == ir::Dim::parse("B*T"));
    CHECK(count(with, ir::ops::sum) == 0);
  }
}

TEST_CASE("gradient: stop_gradient stops it") {
  const std::vector<Array> d =
      gradients("graph(%x: f32[2]) { %s = stop_gradient(%x) %y = mul(%x, %s) return %y }",
                {numbers({2}, {3, 5})});
  check_values(d[0], {3, 5});
}

TEST_CASE("gradient: custom_vjp has the derivative it is given") {
  // Rounds forwards, passes straight through backwards.
  const std::vector<Array> d = gradients(R"(
    graph(%x: f32[2]) {
      %r = custom_vjp(%x) (%x) { %r = round(%x) yield %r } (%x, %r, %dr) { %d = mul(%dr, 10) yield %d }
      %y = mul(%r, %x)
      return %y
    })",
                                         {numbers({2}, {1.2, 2.7})});
  check_values(d[0], {1 + 12, 3 + 27});
}

TEST_CASE("gradient: kinks, ties and poles are PyTorch's") {
  check_values(
      gradients("graph(%x: f32[3]) { %y = abs(%x) return %y }", {numbers({3}, {-2, 0, 2})})[0],
      {-1, 0, 1});
  check_values(
      gradients("graph(%x: f32[3]) { %y = relu(%x) return %y }", {numbers({3}, {-2, 0, 2})})[0],
      {0, 0, 1});
  CHECK(gradients("graph(%x: f32[]) { %y = sqrt(%x) return %y }", {numbers({}, {0})})[0].at(0) ==
        kInf);
  const auto shared = gradients("graph(%a: f32[3], %b: f32[3]) { %y = maximum(%a, %b) return %y }",
                                {numbers({3}, {1, 2, 3}), numbers({3}, {2, 2, 2})});
  check_values(shared[0], {0, 0.5, 1});
  check_values(shared[1], {1, 0.5, 0});
  check_values(gradients("graph(%x: f32[4]) { %y = max(%x) {axes=[0]} return %y }",
                         {numbers({4}, {1, 3, 3, 0})})[0],
               {0, 0.5, 0.5, 0});
  const auto power = gradients("graph(%a: f32[4], %b: f32[4]) { %y = pow(%a, %b) return %y }",
                               {numbers({4}, {0, 0, 0, 2}), numbers({4}, {2, 1, 0, 3})});
  check_values(power[0], {0, 1, 0, 12});
  check_values(power[1], {0, 0, 0, 8 * std::log(2)});
}

TEST_CASE("gradient: a product with zeros among its factors") {
  check_values(gradients("graph(%x: f32[3,3]) { %y = prod(%x) {axes=[1]} return %y }",
                         {numbers({3, 3}, {2, 3, 4, 2, 0, 4, 0, 0, 4})})[0],
               {12, 8, 6, 0, 8, 0, 0, 0, 0});
  tests::check_gradient(
      autodiff::gradient(ir::parse("graph(%x: f32[4]) { %y = prod(%x) {axes=[0]} return %y }"), "y",
                         {"x"}),
      {.arguments = {numbers({4}, {0, 0, 2, 3})}});
}

TEST_CASE("gradient: a lane with nothing to attend to has gradient zero") {
  const char* softmax =
      "graph(%x: f32[2,3], %w: f32[2,3]) { %y = OP(%x) %z = exp(%y) %p = mul(%z, %w) return %p }";
  for (const std::string op : {"softmax", "log_softmax"}) {
    std::string text = softmax;
    text.replace(text.find("OP"), 2, op);
    const Array d = gradients(text.c_str(), {numbers({2, 3}, {-kInf, -kInf, -kInf, 1, -kInf, 2}),
                                             numbers({2, 3}, {1, 2, 3, 4, 5, 6})})[0];
    for (const int64_t i : {0, 1, 2, 4}) CHECK(d.at(i) == 0);
    CHECK(d.at(3) == doctest::Approx(-d.at(5)));
  }
  const Array q = gradients(
      "graph(%q: f32[2,3], %k: f32[2,2,3], %v: f32[2,2,3], %m: pred[2,2]) { %y = attention(%q, %k, "
      "%v; ; %m) return %y }",
      {numbers({2, 3}, {1, 2, 3, 4, 5, 6}), numbers({2, 2, 3}, Numbers(12, 0.5)),
       numbers({2, 2, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3}),
       Array::of<int>(ir::DType::pred, {2, 2}, {0, 0, 1, 1})})[0];
  for (int64_t i = 0; i < 3; ++i) CHECK(q.at(i) == 0);
}

TEST_CASE("gradient: NaN behind a select does not leak") {
  const Array d = gradients(
      "graph(%x: f32[3]) { %p = greater(%x, 0) %l = sqrt(%x) %y = select(%p, %l, 0) return %y }",
      {numbers({3}, {4, 1, 0.25})})[0];
  check_values(d, {0.25, 0.5, 1});
  const Array masked = gradients(
      "graph(%x: f32[3], %m: pred[3]) { %y = select(%m, %x, 0) %z = mul(%y, %y) return %z }",
      {numbers({3}, {1, std::nan(""), 3}), Array::of<int>(ir::DType::pred, {3}, {1, 0, 1})})[0];
  check_values(masked, {2, 0, 6});
}

TEST_CASE("gradient: of a loss's weights, the row's loss, where they are 0 too; no label, none") {
  const char* text =
      "graph(%w: f32[3], %x: f32[3,2], %y: s32[3]) {"
      " %l, %lse = softmax_cross_entropy(%x, %y; %w) {smoothing=0.5}"
      " %t = sum(%l) {axes=[0]} return %t }";
  const std::vector<Array> d =
      gradients(text, {numbers({3}, {2, 0, 0}), numbers({3, 2}, {0, 0, std::log(3), 0, 1, 2}),
                       Array::of<int32_t>(ir::DType::s32, {3}, {0, 0, 9})});
  const double first = std::log(4.0 / 3), second = std::log(4.0);
  check_values(d[0], {std::log(2), 0.75 * first + 0.25 * second, 0});
  check_values(d[1], {-0.5, 0.5, 0, 0, 0, 0});
}

TEST_CASE("gradient: errors [gradient.1] to [gradient.5]") {
  const char* text =
      "graph(%x: f32[3], %i: s32[3]) {\n %y = exp(%x)\n %n = arg_max(%x)\n return %y, %n }";
  CHECK(error_of(text, "loss", "x")
            .find("no output 'loss' to differentiate, only y, n [gradient.1]") !=
        std::string::npos);
  CHECK(error_of(text, "n", "x")
            .find("model.ir:3: error: the gradient of 'n' needs it to be a float, found s32[] "
                  "[gradient.2]") != std::string::npos);
  CHECK(error_of(text, "y", "w").find("no argument 'w' to differentiate by [gradient.3]") !=
        std::string::npos);
  CHECK(error_of(text, "y", "i").find("needs it to be a float, found s32[3] [gradient.4]") !=
        std::string::npos);
  const char* update =
      "graph(%p: f32[3], %g: f32[3], %a: f32[3], %d: f32[3], %lr: f32[]) {\n\n %p1, %a1, %d1 = "
      "adadelta_update(%p; %g; %a; %d; %lr) return %p1 }";
  CHECK(
      error_of(update, "p1", "g").find("model.ir:3: error: 'adadelta_update' has no derivative") !=
      std::string::npos);
}
