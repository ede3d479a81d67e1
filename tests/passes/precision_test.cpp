// tests/passes/precision_test.cpp -- lower_precision.
#include "autodiff/gradient.h"
#include "ir/ops/all.h"
#include "ir/text/text.h"
#include "ir/verify.h"
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

using namespace weft;
using namespace weft::test;

TEST_CASE("lower_precision: a product reads bf16, what it adds and gives is f32") {
  check_rewrite("lower_precision", R"(
    graph(%x: f32[B,M], %W: f32[M,H], %b: f32[H], %r: f32[B,H]) {
      %y = linear(%x, %W; %b; %r)
      return %y
    })",
                R"(
    graph(%x: f32[B,M], %W: f32[M,H], %b: f32[H], %r: f32[B,H]) {
      %0 = cast(%x) {dtype=bf16}
      %1 = cast(%W) {dtype=bf16}
      %y = linear(%0, %1; %b; %r) : f32[B,H]
      return %y
    })");
}

TEST_CASE("lower_precision: a value is cast once, forward and backward") {
  check_rewrite("lower_precision", R"(
    graph(%x: f32[B,M], %dy: f32[B,H], %W: f32[M,H]) {
      %y = matmul(%x, %W)
      %dx = matmul(%dy, %W) {transpose_b=true}
      %dW = matmul(%x, %dy) {transpose_a=true}
      return %y, %dx, %dW
    })",
                R"(
    graph(%x: f32[B,M], %dy: f32[B,H], %W: f32[M,H]) {
      %0 = cast(%x) {dtype=bf16}
      %1 = cast(%W) {dtype=bf16}
      %y = matmul(%0, %1)
      %2 = cast(%dy) {dtype=bf16}
      %dx = matmul(%2, %1) {transpose_b=true}
      %dW = matmul(%0, %2) {transpose_a=true}
      return %y, %dx, %dW
    })");
}

TEST_CASE("lower_precision: what only products read exists in bf16 only, from where it is made") {
  check_rewrite("lower_precision", R"(
    graph(%x: f32[T,B,M], %n: s32[B], %V: f32[M,K], %W: f32[M,K], %Z: f32[2*K,H]) {
      %t = tanh(%x)
      %p = pack(%t, %n)
      %a = matmul(%p, %V)
      %b = matmul(%p, %W)
      %c = concat(%a, %b) {axis=-1}
      %y = matmul(%c, %Z)
      return %y
    })",
                R"(
    graph(%x: f32[T,B,M], %n: s32[B], %V: f32[M,K], %W: f32[M,K], %Z: f32[2*K,H]) {
      %t = tanh(%x)
      %0 = cast(%t) {dtype=bf16}
      %p = pack(%0, %n) : bf16[B*T,M]
      %1 = cast(%V) {dtype=bf16}
      %a = linear(%p, %1) {rounded=true}
      %2 = cast(%W) {dtype=bf16}
      %b = linear(%p, %2) {rounded=true}
      %c = concat(%a, %b) {axis=-1} : bf16[B*T,2*K]
      %3 = cast(%Z) {dtype=bf16}
      %y = matmul(%c, %3)
      return %y
    })");
}

TEST_CASE("lower_precision: what others read too is cast where a product needs it") {
  check_rewrite("lower_precision", R"(
    graph(%x: f32[T,B,M], %n: s32[B], %W: f32[M,H]) {
      %p = pack(%x, %n)
      %y = matmul(%p, %W)
      %s = sum(%p) {axes=[-1]}
      return %y, %s
    })",
                R"(
    graph(%x: f32[T,B,M], %n: s32[B], %W: f32[M,H]) {
      %p = pack(%x, %n)
      %0 = cast(%p) {dtype=bf16}
      %1 = cast(%W) {dtype=bf16}
      %y = matmul(%0, %1)
      %s = sum(%p) {axes=[-1]}
      return %y, %s
    })");
}

TEST_CASE("lower_precision: a view of what is cast is a view of the cast") {
  check_rewrite("lower_precision", R"(
    graph(%x: f32[T,B,M], %dy: f32[T,B,H], %W: f32[M,H]) {
      %dx = matmul(%dy, %W) {transpose_b=true}
      %r = reshape(%x) {shape=[B*T,M]}
      %d = reshape(%dy) {shape=[B*T,H]}
      %dW = matmul(%r, %d) {transpose_a=true}
      %db = sum(%d) {axes=[-2]}
      return %dx, %dW, %db
    })",
                R"(
    graph(%x: f32[T,B,M], %dy: f32[T,B,H], %W: f32[M,H]) {
      %0 = cast(%dy) {dtype=bf16}
      %1 = cast(%W) {dtype=bf16}
      %dx = matmul(%0, %1) {transpose_b=true}
      %2 = cast(%x) {dtype=bf16}
      %r = reshape(%2) {shape=[B*T,M]}
      %d = reshape(%dy) {shape=[B*T,H]}
      %3 = reshape(%0) {shape=[B*T,H]}
      %dW = matmul(%r, %3) {transpose_a=true}
      %db = sum(%d) {axes=[-2]}
      return %dx, %dW, %db
    })");
}

TEST_CASE(
    "lower_precision: of a loop, weights are cast in front, what it stacks for products inside") {
  check_rewrite("lower_precision", R"(
    graph(%s0: f32[B,H], %x: f32[T,B,H], %W: f32[H,H], %V: f32[H,K]) {
      %sN, %ss = scan(%s0; %x; %W) {axes=[0], out_axes=[0]}
      (%s, %x, %W) {
        %u = matmul(%s, %W)
        %w = mul(%W, %W)
        %v = sum(%w) {axes=[-2]}
        %p = matmul(%x, %W)
        %q = add(%u, %p)
        %a = add(%q, %v)
        %s1 = tanh(%a)
        yield %s1; %s1
      }
      %r = reshape(%ss) {shape=[B*T,H]}
      %y = matmul(%r, %V)
      return %y, %sN
    })",
                R"(
    graph(%s0: f32[B,H], %x: f32[T,B,H], %W: f32[H,H], %V: f32[H,K]) {
      %0 = cast(%x) {dtype=bf16}
      %1 = cast(%W) {dtype=bf16}
      %sN, %ss = scan(%s0; %0; %W, %1) {axes=[0], out_axes=[0]} : f32[B,H], bf16[T,B,H]
      (%s, %x, %W, %2) {
        %3 = cast(%s) {dtype=bf16}
        %u = matmul(%3, %2)
        %w = mul(%W, %W)
        %v = sum(%w) {axes=[-2]}
        %p = matmul(%x, %2)
        %q = add(%u, %p)
        %a = add(%q, %v)
        %s1 = tanh(%a)
        %4 = cast(%s1) {dtype=bf16}
        yield %s1; %4
      }
      %r = reshape(%ss) {shape=[B*T,H]}
      %5 = cast(%V) {dtype=bf16}
      %y = matmul(%r, %5)
      return %y, %sN
    })");
}

TEST_CASE("lower_precision: cells and losses take their weights as bf16") {
  check_rewrite("lower_precision", R"(
    graph(%g: f32[B,3*H], %s: f32[B,H], %U: f32[H,2*H], %Un: f32[H,H], %d: f32[B], %w: f32[H,V],
          %l: s32[B]) {
      %s1 = gru_cell(%g, %s, %U, %Un)
      %loss, %dx = linear_cross_entropy(%d, %s1, %w, %l) {wanted=["x"]}
      return %loss, %dx
    })",
                R"(
    graph(%g: f32[B,3*H], %s: f32[B,H], %U: f32[H,2*H], %Un: f32[H,H], %d: f32[B], %w: f32[H,V],
          %l: s32[B]) {
      %0 = cast(%U) {dtype=bf16}
      %1 = cast(%Un) {dtype=bf16}
      %s1 = gru_cell(%g, %s, %0, %1) : f32[B,H]
      %2 = cast(%s1) {dtype=bf16}
      %3 = cast(%w) {dtype=bf16}
      %loss, %dx = linear_cross_entropy(%d, %2, %3, %l) {wanted=["x"]} : f32[B], f32[B,H]
      return %loss, %dx
    })");
}

TEST_CASE("lower_precision: thin products, batches of matrices and integers stay as they are") {
  check_unchanged("lower_precision",
                  "graph(%x: f32[B,16], %W: f32[16,H]) { %y = matmul(%x, %W) return %y }");
  check_unchanged("lower_precision",
                  "graph(%a: f32[B,T,M], %b: f32[B,M,S]) { %y = matmul(%a, %b) return %y }");
  check_unchanged("lower_precision",
                  "graph(%a: s32[T,M], %b: s32[M,S]) { %y = matmul(%a, %b) return %y }");
  check_unchanged("lower_precision", "graph(%a: f32[T,M]) { %y = tanh(%a) return %y }");
}

TEST_CASE("lower_precision: says what it lowered and what not") {
  ir::PassContext context;
  run("lower_precision", ir::parse(R"(
    graph(%x: f32[B,64], %V: f32[64,8], %W: f32[64,H]) {
      %a = matmul(%x, %V)
      %b = matmul(%x, %W)
      return %a, %b
    })"),
      &context);
  CHECK(noted(context, ir::Note::Kind::done, "read bf16 and compute in f32: 1 matmul"));
  CHECK(noted(context, ir::Note::Kind::near_miss,
              "'matmul' stays f32: it has a matrix of 8 rows or columns, fewer than 32"));
}

TEST_CASE("lower_precision: the sign of what products read is that of bf16") {
  check_rewrite("lower_precision", R"(
    graph(%x: f32[B,M], %W: f32[M,H], %V: f32[H,K], %d: f32[B,H]) {
      %y = linear(%x, %W) {activation="relu"}
      %z = matmul(%y, %V)
      %off = less_equal(%y, 0.0)
      %dy = select(%off, 0.0, %d)
      return %z, %dy
    })",
                R"(
    graph(%x: f32[B,M], %W: f32[M,H], %V: f32[H,K], %d: f32[B,H]) {
      %0 = cast(%x) {dtype=bf16}
      %1 = cast(%W) {dtype=bf16}
      %y = linear(%0, %1) {activation="relu", rounded=true} : bf16[B,H]
      %2 = cast(%V) {dtype=bf16}
      %z = matmul(%y, %2)
      %3 = cast(%y) {dtype=f32}
      %off = less_equal(%3, 0.0)
      %dy = select(%off, 0.0, %d)
      return %z, %dy
    })");
}

TEST_CASE("lower_precision: attention that has an adjoint reads bf16, outside of loops") {
  check_rewrite("lower_precision", R"(
    graph(%q: f32[B,T,D], %k: f32[B,S,D], %v: f32[B,S,D], %do: f32[B,T,D], %W: f32[D,H]) {
      %o, %lse = attention(%q, %k, %v) {lse=true}
      %y = matmul(%o, %W)
      %dq = attention_grad(%do, %q, %k, %v, %o, %lse) {wanted=["q"]}
      return %y, %dq
    })",
                R"(
    graph(%q: f32[B,T,D], %k: f32[B,S,D], %v: f32[B,S,D], %do: f32[B,T,D], %W: f32[D,H]) {
      %0 = cast(%q) {dtype=bf16}
      %1 = cast(%k) {dtype=bf16}
      %2 = cast(%v) {dtype=bf16}
      %o, %lse = attention(%0, %1, %2) {lse=true}
      %3 = cast(%o) {dtype=bf16}
      %4 = cast(%W) {dtype=bf16}
      %y = matmul(%3, %4)
      %dq = attention_grad(%do, %0, %1, %2, %3, %lse) {wanted=["q"]}
      return %y, %dq
    })");
  ir::PassContext context;
  run("lower_precision",
      ir::parse("graph(%q: f32[B,T,D], %k: f32[B,S,D], %v: f32[B,S,D]) "
                "{ %o = attention(%q, %k, %v) return %o }"),
      &context);
  CHECK(noted(context, ir::Note::Kind::near_miss, "'attention' stays f32: it has no adjoint"));
}

TEST_CASE("lower_precision: a graph with products of bf16 has a derivative, of products of bf16") {
  const ir::Graph graph = ir::parse(R"(
    graph(%x: f32[B,M], %W: f32[M,H], %V: f32[H,K], %b: f32[K]) -> (loss: f32[]) {
      %0 = cast(%x) {dtype=bf16}
      %1 = cast(%W) {dtype=bf16}
      %y = linear(%0, %1) {activation="relu", rounded=true}
      %2 = cast(%V) {dtype=bf16}
      %z = linear(%y, %2; %b)
      %loss = sum(%z) {axes=[-2, -1]}
      return %loss
    })");
  const ir::Graph gradient = autodiff::gradient(graph, "loss", autodiff::float_arguments(graph));
  ir::verify(gradient);
  REQUIRE(gradient.outputs().size() == 5);
  for (const ir::Output& o : gradient.outputs())
    CHECK(gradient.type(o.value).dtype == ir::DType::f32);
}

// The gradient of a norm between two products, and of a tanh that no product reads.
TEST_CASE("lower_precision: what the forward pass leaves to be multiplied is kept as bf16") {
  const ir::Graph gradient = autodiff::gradient(ir::parse(R"(
    graph(%x: f32[B,64], %W: f32[64,64], %V: f32[64,64], %s: f32[64]) -> (loss: f32[]) {
      %h = linear(%x, %W)
      %n = layer_norm(%h; %s)
      %y = linear(%n, %V; ; %h)
      %t = tanh(%y)
      %loss = sum(%t) {axes=[-2, -1]}
      return %loss
    })"),
                                                "loss", {"W", "V", "s"});
  const ir::Graph graph = run("lower_precision", gradient);
  ir::verify(graph);
  int adjoints = 0, squares = 0;
  for (const ir::Node& node : graph.nodes()) {
    const bool of_norm = node.op == &ir::ops::layer_norm_grad,
               of_tanh = node.op == &ir::ops::mul && node.operands[0] == node.operands[1];
    if (node.op == &ir::ops::layer_norm) CHECK(ir::OpView(graph, node).flag("rounded"));
    if (!of_norm && !of_tanh) continue;
    (of_norm ? adjoints : squares) += 1;
    const ir::Node* widened =
        graph.producer(node.operands[of_norm ? static_cast<size_t>(1) : size_t{0}]);
    REQUIRE(widened != nullptr);
    REQUIRE(widened->op == &ir::ops::cast);
    CHECK(widened->from.part == ir::Part::backward);
    const ir::Node* kept = graph.producer(widened->operands[0]);
    REQUIRE(kept != nullptr);
    CHECK(kept->op == &ir::ops::cast);
    CHECK(kept->from.part == ir::Part::forward);
  }
  CHECK(adjoints > 0);
  CHECK(squares + adjoints > 1);
}

TEST_CASE(
    "lower_precision: a gradient of a bias sums what products read, losses of rows stay f32") {
  const ir::Graph graph = run("lower_precision", autodiff::gradient(ir::parse(R"(
    graph(%x: f32[B,64], %W: f32[64,64], %b: f32[64], %w: f32[B]) -> (loss: f32[]) {
      %y = linear(%x, %W; %b) {activation="tanh"}
      %r = sum(%y) {axes=[-1]}
      %z = mul(%r, %w)
      %loss = sum(%z) {axes=[-1]}
      return %loss
    })"),
                                                                    "loss", {"W", "b", "x"}));
  ir::verify(graph);
  bool summed = false;
  for (const ir::Node& node : graph.nodes())
    if (node.op == &ir::ops::sum && node.from.part == ir::Part::backward)
      if (const ir::Node* of = graph.producer(node.operands[0]); of->op == &ir::ops::cast)
        summed |= graph.type(of->operands[0]).dtype == ir::DType::bf16;
  CHECK(summed);
}
