// tests/passes/loss_test.cpp -- log-softmax, look-up, smoothing and weights become one op.
#include "ir/text/text.h"
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

using namespace weft;
using namespace weft::test;

namespace {
void becomes(const std::string& before, const std::string& after) {
  const std::string head = "graph(%x: f32[T,B,7], %l: s32[T,B], %w: f32[T,B], %m: pred[T,B]) {\n";
  check_rewrite("canonicalize fuse_cross_entropy canonicalize", head + before + " }",
                head + after + " }");
  check_keeps_values("canonicalize fuse_cross_entropy canonicalize", head + before + " }");
}
}  // namespace

TEST_CASE(
    "fuse_cross_entropy: plain, as log-softmax or log of softmax, looked up or chosen by one_hot") {
  const std::string after = "%y, %e = softmax_cross_entropy(%x, %l) return %y";
  becomes("%p = log_softmax(%x) %g = gather(%p, %l) {axis=2, batch=2} %y = neg(%g) return %y",
          after);
  becomes(
      "%q = softmax(%x) %p = log(%q) %g = gather(%p, %l) {axis=2, batch=2} %y = neg(%g) return %y",
      after);
  becomes(
      "%p = log_softmax(%x) %h = one_hot(%l) {size=7} %hp = mul(%h, %p) %g = sum(%hp) {axes=[-1]} "
      "%y = neg(%g) return %y",
      "%y, %e = softmax_cross_entropy(%x, %l) {skip_unknown=true} return %y");
  becomes(
      "%p = log_softmax(%x) %i = reshape(%l) {shape=[T,B,1]} %g = gather(%p, %i) {axis=2, batch=2} "
      "%r = reshape(%g) {shape=[T,B]} %y = neg(%r) return %y",
      after);
}

TEST_CASE("fuse_cross_entropy: masks are taken in, products with weights are not") {
  becomes(
      "%p = log_softmax(%x) %g = gather(%p, %l) {axis=2, batch=2} %n = neg(%g) %y = mul(%n, %w) "
      "return %y",
      "%n, %e = softmax_cross_entropy(%x, %l) %y = mul(%n, %w) return %y");
  becomes(
      "%p = log_softmax(%x) %g = gather(%p, %l) {axis=2, batch=2} %s = select(%m, %g, 0) %t = "
      "sum(%s) {axes=[0,1]} %y = neg(%t) return %y",
      "%w1 = cast(%m) {dtype=f32} %n, %e = softmax_cross_entropy(%x, %l; %w1) %y = sum(%n) "
      "{axes=[0,1]} return %y");
}

TEST_CASE("fuse_cross_entropy: label smoothing") {
  const std::string after =
      "%w1 = cast(%m) {dtype=f32} %y, %e = softmax_cross_entropy(%x, %l; %w1) {smoothing=0.25} "
      "return %y";
  becomes(
      "%p = log_softmax(%x) %g = gather(%p, %l) {axis=2, batch=2} %n = neg(%g) %a = mul(%n, 0.75) "
      "%u = mean(%p) {axes=[-1]} %v = mul(%u, 0.25) %s = sub(%a, %v) %y = select(%m, %s, 0) return "
      "%y",
      after);
  becomes(
      "%p = log_softmax(%x) %g = gather(%p, %l) {axis=2, batch=2} %n = neg(%g) %a = mul(0.75, %n) "
      "%q = neg(%p) %u = mean(%q) {axes=[-1]} %v = mul(0.25, %u) %s = add(%a, %v) %y = select(%m, "
      "%s, "
      "0) return %y",
      after);
}

TEST_CASE("fuse_cross_entropy: sums that read the negated log-probabilities") {
  becomes(
      "%p = log_softmax(%x) %q = neg(%p) %g = gather(%q, %l) {axis=2, batch=2} %a = mul(%g, 0.75) "
      "%u = mean(%q) {axes=[-1]} %v = mul(%u, 0.25) %y = add(%a, %v) return %y",
      "%y, %e = softmax_cross_entropy(%x, %l) {smoothing=0.25} return %y");
  check_unchanged("fuse_cross_entropy",
                  "graph(%x: f32[B,V], %l: s32[B]) { %p = log_softmax(%x) %q = neg(%p) "
                  "%g = gather(%q, %l) {axis=1, batch=1} return %g, %q }");
}

TEST_CASE("fuse_cross_entropy: log-probabilities that are read elsewhere hold it back") {
  const std::string text =
      "graph(%x: f32[B,V], %l: s32[B]) { %p = log_softmax(%x) %g = gather(%p, %l) {axis=1, "
      "batch=1} %y = neg(%g) return %y, %p }";
  check_unchanged("fuse_cross_entropy", text);
  ir::PassContext context;
  run("fuse_cross_entropy", ir::parse(text), &context);
  CHECK(
      noted(context, ir::Note::Kind::near_miss, "%p are read elsewhere, by a result of the graph"));
}

TEST_CASE("fuse_cross_entropy: look-ups along other axes stay") {
  check_unchanged("fuse_cross_entropy",
                  "graph(%x: f32[B,V], %l: s32[4]) { %p = log_softmax(%x) %g = gather(%p, %l) "
                  "{axis=0} return %g }");
  check_unchanged("fuse_cross_entropy",
                  "graph(%x: f32[B,V], %l: s32[4]) { %p = log_softmax(%x) %g = gather(%p, %l) "
                  "{axis=1} return %g }");
}

namespace {
// Scores of five classes, their loss and its gradient; `rest` continues with %dy, f32[B,T,5].
std::string trained(const std::string& rest) {
  return "graph(%x: f32[B,T,4], %w: f32[4,5], %b: f32[5], %l: s32[B,T], %v: f32[B,T], %g: "
         "f32[B,T]) "
         "{\n %y = linear(%x, %w; %b) %loss, %lse = softmax_cross_entropy(%y, %l; %v) "
         "{smoothing=0.1} %dy = softmax_cross_entropy_grad(%g, %y, %l, %lse; %v) {smoothing=0.1} " +
         rest + " }";
}
}  // namespace

TEST_CASE("fuse_linear_cross_entropy: scores, loss and all three gradients") {
  const std::string before = trained(
      "%dx = matmul(%dy, %w) {transpose_b=true} %xr = reshape(%x) {shape=[B*T,4]} %dr = "
      "reshape(%dy) {shape=[B*T,5]} %dw = matmul(%xr, %dr) {transpose_a=true} %db = sum(%dy) "
      "{axes=[0,1]} return %loss, %dx, %dw, %db");
  check_rewrite("fuse_linear_cross_entropy dce", before,
                "graph(%x: f32[B,T,4], %w: f32[4,5], %b: f32[5], %l: s32[B,T], %v: f32[B,T], %g: "
                "f32[B,T]) {\n %loss, %dx, %dw, %db = linear_cross_entropy(%g, %x, %w, %l; %b; %v) "
                "{smoothing=0.1, wanted=[\"x\", \"w\", \"bias\"]} return %loss, %dx, %dw, %db }");
  check_keeps_values("fuse_linear_cross_entropy", before);
}

TEST_CASE("fuse_linear_cross_entropy: the cotangent may be made after the loss, not of it") {
  const std::string
      head =
          "graph(%x: f32[B,4], %w: f32[5,4], %l: s32[B], %c: f32[1]) {\n %y = matmul(%x, %w) "
          "{transpose_b=true} %loss, %lse = softmax_cross_entropy(%y, %l) "
          "%all = sum(%loss) {axes=[0]} ",
      tail =
          " %dy = softmax_cross_entropy_grad(%g, %y, %l, %lse) %dx = matmul(%dy, "
          "%w) %dw = matmul(%dy, %x) {transpose_a=true} return %all, %dx, %dw }";
  check_rewrite("fuse_linear_cross_entropy dce", head + "%g = broadcast(%c) {shape=[B]}" + tail,
                "graph(%x: f32[B,4], %w: f32[5,4], %l: s32[B], %c: f32[1]) {\n %g = broadcast(%c) "
                "{shape=[B]} "
                "%loss, %dx, %dw = linear_cross_entropy(%g, %x, %w, %l) {transpose_b=true, "
                "wanted=[\"x\", \"w\"]} %all = sum(%loss) {axes=[0]} return %all, %dx, %dw }");
  check_unchanged("fuse_linear_cross_entropy",
                  head + "%s = reshape(%all) {shape=[1]} %g = broadcast(%s) {shape=[B]}" + tail);
}

TEST_CASE("fuse_linear_cross_entropy: who else reads the scores is told of") {
  const std::string gradients = "%dx = matmul(%dy, %w) {transpose_b=true} ";
  const auto holds_back = [](const std::string& text, std::string_view why) {
    check_unchanged("fuse_linear_cross_entropy", text);
    ir::PassContext context;
    run("fuse_linear_cross_entropy", ir::parse(text), &context);
    CHECK(noted(context, ir::Note::Kind::near_miss, why));
  };
  holds_back(trained(gradients + "return %loss, %dx, %y"), "scores %y are read elsewhere too");
  holds_back(trained(gradients + "return %loss, %dx, %dy"),
             "the gradient of scores %y is read by what is no gradient");
}
