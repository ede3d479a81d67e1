// tests/frontend/tensor_test.cpp -- what operations append, and where their errors point.
#include "tests/frontend/graph_text.h"

using namespace weft;
using weft::tests::check_graph;
using weft::tests::error_of;
using weft::tests::has;

namespace {

// As printed in the design: e_tj = v . tanh(W s_{t-1} + U h_j)
Attended bahdanau(Scope p, Tensor s /*[B,H]*/, Tensor h /*[B,S,E]*/, Tensor mask /*[B,S]*/,
                  int64_t A) {
  Tensor q = linear(p / "W", s, A, no_bias);                           // [B,A]
  Tensor k = linear(p / "U", h, A, no_bias);                           // [B,S,A]
  Tensor e = sum(p.parameter("v", {A}) * tanh(expand(q, 1) + k), -1);  // [B,S]
  Tensor a = softmax(where(mask, e, -infinity), -1);                   // [B,S]
  return {.context = sum(expand(a, -1) * h, 1), .weights = a};         // [B,E], [B,S]
}

constexpr const char* kBahdanau = R"(
graph @main(input %s: f32[B,4], input %h: f32[B,S,6], input %mask: pred[B,S], parameter %W: f32[4,5] {path="attention/W", init="glorot_uniform"},
    parameter %U: f32[6,5] {path="attention/U", init="glorot_uniform"}, parameter %v: f32[5] {path="attention/v", init="glorot_uniform"}) {
  %q = matmul(%s, %W)
  %k = matmul(%h, %U)
  %q1 = reshape(%q) {shape=[B,1,5]}
  %u = add(%q1, %k)
  %t = tanh(%u)
  %vt = mul(%v, %t)
  %e = sum(%vt) {axes=[-1]}
  %em = select(%mask, %e, -inf)
  %a = softmax(%em)
  %a1 = reshape(%a) {shape=[B,S,1]}
  %ah = mul(%a1, %h)
  %c = sum(%ah) {axes=[1]}
  return %c
})";

struct AttentionInputs {
  Model m;
  Tensor s = m.input("s", f32, {dim("B"), 4}), h = m.input("h", f32, {dim("B"), dim("S"), 6}),
         mask = m.input("mask", pred, {dim("B"), dim("S")});
};

}  // namespace

TEST_CASE("tensor: additive attention is the graph its equations say") {
  AttentionInputs in;
  const Attended a = bahdanau(in.m.scope() / "attention", in.s, in.h, in.mask, 5);
  in.m.output("c", a.context);
  check_graph(in.m, kBahdanau);
}

TEST_CASE("tensor: the library's additive attention is the same graph") {
  AttentionInputs in;
  in.m.output("c", additive_attention(in.m.scope() / "attention", in.s, in.h, in.mask, 5).context);
  check_graph(in.m, kBahdanau);
}

TEST_CASE("tensor: numbers take the dtype of the other operand, on either side") {
  Model m;
  const Tensor x = m.input("x", f32, {3}), n = m.input("n", s32, {3});
  m.output("y", 1 - x * 2.5);
  m.output("p", n >= 2 && !(x == 0));
  m.output("w", where(n < 1, 0, x));
  check_graph(m, R"(
    graph(%x: f32[3], %n: s32[3]) -> (y: f32[3], p: pred[3], w: f32[3]) {
      %a = mul(%x, 2.5)
      %y = sub(1, %a)
      %b = greater_equal(%n, 2)
      %c = equal(%x, 0)
      %d = logical_not(%c)
      %p = logical_and(%b, %d)
      %e = less(%n, 1)
      %w = select(%e, 0, %x)
      return %y, %p, %w
    })");
}

TEST_CASE("tensor: shapes") {
  Model m;
  const Tensor x = m.input("x", f32, {dim("B"), dim("T"), 6});
  m.output("a", squeeze(expand(swap_axes(x, 0, 1), -1), -1));
  m.output("b", split(x, 3)[1]);
  m.output("c", pick(x, -1, 5));
  m.output("d", maxout(x));
  m.output("e", stack({x, x}, 1));
  CHECK(m.graph().type(m.graph().outputs()[0].value).str() == "f32[T,B,6]");
  CHECK(m.graph().type(m.graph().outputs()[1].value).str() == "f32[B,T,2]");
  CHECK(m.graph().type(m.graph().outputs()[2].value).str() == "f32[B,T]");
  CHECK(m.graph().type(m.graph().outputs()[3].value).str() == "f32[B,T,3]");
  CHECK(m.graph().type(m.graph().outputs()[4].value).str() == "f32[B,2,T,6]");
}

TEST_CASE("tensor: an operator's error names the user's line and operands") {
  Model m;
  const Tensor q = m.input("q", f32, {2, 4}), k = m.input("k", f32, {2, 7});
  const int line = __LINE__ + 1;
  const std::string error = error_of([&] { q + k; });
  CHECK(has(error, "tensor_test.cpp:" + std::to_string(line) + ": error: 'add'"));
  CHECK(has(error, "a: f32[2,4]   = %q"));
  CHECK(has(error, "b: f32[2,7]   = %k"));
  const int next = __LINE__ + 1;
  const std::string product = error_of([&] { matmul(q, k); });
  CHECK(has(product, "tensor_test.cpp:" + std::to_string(next) + ": error: 'matmul' contracts"));
}

TEST_CASE("tensor: an error inside a function of the library names the caller's line") {
  Model m;
  const Tensor s = m.input("s", f32, {2, 4}), h = m.input("h", f32, {3, 5, 6}),
               mask = m.input("mask", pred, {3, 5});
  const int line = __LINE__ + 1;
  const std::string error = error_of([&] { additive_attention(m / "attention", s, h, mask, 7); });
  CHECK(has(error, "tensor_test.cpp:" + std::to_string(line) + ": error: 'add'"));
}

TEST_CASE("tensor: what was never made and what belongs elsewhere is refused") {
  Model a, b;
  const Tensor x = a.input("x", f32, {2}), y = b.input("y", f32, {2});
  CHECK(has(error_of([&] { x + y; }), "mixes tensors of two graphs"));
  CHECK(has(error_of([&] { tanh(Tensor()); }), "never made"));
  CHECK(has(error_of([&] { a.output("y", y); }), "another graph"));
}

TEST_CASE("tensor: cross entropy and masks") {
  Model m;
  const Tensor logits = m.input("logits", f32, {dim("T"), dim("B"), 9}),
               labels = m.input("labels", s32, {dim("T"), dim("B")});
  m.output("loss", cross_entropy(logits, labels));
  m.output("causal", causal_mask(logits, dim("T"), dim("T")));
  m.output("window", window_mask(logits, dim("T"), dim("B"), 3, 1));
  m.output("open", window_mask(logits, dim("T"), dim("B"), -1, 2));
  check_graph(m, R"(
    graph(%logits: f32[T,B,9], %labels: s32[T,B]) -> (loss: f32[T,B], causal: pred[T,T], window: pred[T,B], open: pred[T,B]) {
      %p = log_softmax(%logits)
      %g = gather(%p, %labels) {axis=2, batch=2}
      %loss = neg(%g)
      %i = iota() {shape=[T], dtype=s32}
      %c = reshape(%i) {shape=[T,1]}
      %j = iota() {shape=[T], dtype=s32}
      %m = greater_equal(%c, %j)
      %i1 = iota() {shape=[T], dtype=s32}
      %c1 = reshape(%i1) {shape=[T,1]}
      %j1 = iota() {shape=[B], dtype=s32}
      %d1 = sub(%j1, %c1)
      %n1 = greater_equal(%d1, -3)
      %f1 = less_equal(%d1, 1)
      %w1 = logical_and(%n1, %f1)
      %i2 = iota() {shape=[T], dtype=s32}
      %c2 = reshape(%i2) {shape=[T,1]}
      %j2 = iota() {shape=[B], dtype=s32}
      %d2 = sub(%j2, %c2)
      %w2 = less_equal(%d2, 2)
      return %loss, %m, %w1, %w2
    })");
  CHECK(has(error_of([&] { window_mask(logits, 4, 4, -1, -1); }), "needs 0 or more keys behind"));
}
