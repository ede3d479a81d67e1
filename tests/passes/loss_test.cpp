// tests/passes/loss_test.cpp -- log-softmax, look-up, smoothing and weights become one op.
#include "check_rewrite.h"
#include "ir/text/text.h"

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
      after);
  becomes(
      "%p = log_softmax(%x) %i = reshape(%l) {shape=[T,B,1]} %g = gather(%p, %i) {axis=2, batch=2} "
      "%r = reshape(%g) {shape=[T,B]} %y = neg(%r) return %y",
      after);
}

TEST_CASE("fuse_cross_entropy: weights and masks") {
  becomes(
      "%p = log_softmax(%x) %g = gather(%p, %l) {axis=2, batch=2} %n = neg(%g) %y = mul(%n, %w) "
      "return %y",
      "%y, %e = softmax_cross_entropy(%x, %l; %w) return %y");
  becomes(
      "%p = log_softmax(%x) %g = gather(%p, %l) {axis=2, batch=2} %s = select(%m, %g, 0) %t = "
      "sum(%s) {axes=[0,1]} %y = neg(%t) return %y",
      "%w1 = cast(%m) {dtype=f32} %n, %e = softmax_cross_entropy(%x, %l; %w1) %y = sum(%n) "
      "{axes=[0,1]} return %y");
}

TEST_CASE("fuse_cross_entropy: label smoothing") {
  const std::string after = "%y, %e = softmax_cross_entropy(%x, %l; %w) {smoothing=0.25} return %y";
  becomes(
      "%p = log_softmax(%x) %g = gather(%p, %l) {axis=2, batch=2} %n = neg(%g) %a = mul(%n, 0.75) "
      "%u = mean(%p) {axes=[-1]} %v = mul(%u, 0.25) %s = sub(%a, %v) %y = mul(%s, %w) return %y",
      after);
  becomes(
      "%p = log_softmax(%x) %g = gather(%p, %l) {axis=2, batch=2} %n = neg(%g) %a = mul(0.75, %n) "
      "%q = neg(%p) %u = mean(%q) {axes=[-1]} %v = mul(0.25, %u) %s = add(%a, %v) %y = mul(%w, %s) "
      "return %y",
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
