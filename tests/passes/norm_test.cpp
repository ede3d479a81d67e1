// tests/passes/norm_test.cpp -- mean, variance and their root become layer norm or RMS norm.
#include "ir/text/text.h"
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

using namespace weft;
using namespace weft::test;

namespace {

const std::string kHead = "graph(%x: f32[B,T,8], %g: f32[8], %b: f32[8]) {\n";
const std::string kCentred =
    "%m = mean(%x) {axes=[-1], keep=true} %c = sub(%x, %m) %cc = mul(%c, %c) "
    "%v = mean(%cc) {axes=[-1], keep=true} %e = add(%v, 0.001) ";

void becomes(const std::string& before, const std::string& after) {
  const std::string passes = "canonicalize cse fuse_norm canonicalize";
  check_rewrite(passes, kHead + before + " }", kHead + after + " }");
  check_keeps_values(passes, kHead + before + " }");
}

}  // namespace

TEST_CASE("fuse_norm: layer norm with scale and shift, with either, and without") {
  const std::string n = kCentred + "%r = rsqrt(%e) %n = mul(%c, %r) ";
  becomes(n + "%s = mul(%n, %g) %y = add(%s, %b) return %y",
          "%y = layer_norm(%x; %g; %b) {eps=0.001} return %y");
  becomes(n + "%y = mul(%g, %n) return %y", "%y = layer_norm(%x; %g) {eps=0.001} return %y");
  becomes(n + "%y = add(%b, %n) return %y", "%y = layer_norm(%x; ; %b) {eps=0.001} return %y");
  becomes(n + "return %n", "%y = layer_norm(%x) {eps=0.001} return %y");
}

TEST_CASE("fuse_norm: other spellings of the mean, the square and the root") {
  const std::string after = "%y = layer_norm(%x; %g) {eps=0.001} return %y";
  becomes(kCentred + "%r = sqrt(%e) %n = div(%c, %r) %y = mul(%n, %g) return %y", after);
  becomes(
      "%m0 = sum(%x) {axes=[-1], keep=true} %m = div(%m0, 8) %c = sub(%x, %m) %cc = pow(%c, 2) "
      "%v0 = sum(%cc) {axes=[-1], keep=true} %v = mul(%v0, 0.125) %e = add(0.001, %v) "
      "%r = rsqrt(%e) %n = mul(%r, %c) %y = mul(%n, %g) return %y",
      after);
  becomes(
      "%m0 = mean(%x) {axes=[2]} %m = reshape(%m0) {shape=[B,T,1]} %c = sub(%x, %m) "
      "%c2 = sub(%x, %m) %cc = mul(%c, %c2) "
      "%v0 = mean(%cc) {axes=[2]} %v = reshape(%v0) {shape=[B,T,1]} %e = add(%v, 0.001) "
      "%r = rsqrt(%e) %n = mul(%c, %r) %y = mul(%n, %g) return %y",
      after);
}

TEST_CASE("fuse_norm: without the mean it is RMS norm, whose shift stays outside") {
  const std::string n =
      "%xx = mul(%x, %x) %v = mean(%xx) {axes=[-1], keep=true} %e = add(%v, 0.001) "
      "%r = rsqrt(%e) %n = mul(%x, %r) %s = mul(%n, %g) ";
  becomes(n + "return %s", "%y = rms_norm(%x; %g) {eps=0.001} return %y");
  becomes(n + "%y = add(%s, %b) return %y",
          "%s = rms_norm(%x; %g) {eps=0.001} %y = add(%s, %b) return %y");
}

TEST_CASE("fuse_norm: what is read elsewhere holds it back, and is named") {
  const std::string text =
      kHead + kCentred + "%r = rsqrt(%e) %n = mul(%c, %r) %y = mul(%n, %g) return %y, %c }";
  check_unchanged("fuse_norm", text);
  ir::PassContext context;
  run("fuse_norm", ir::parse(text), &context);
  CHECK(noted(context, ir::Note::Kind::near_miss, "is read elsewhere, by a result of the graph"));
}

TEST_CASE("fuse_norm: other axes, and another row than the one whose squares were taken, stay") {
  check_unchanged("fuse_norm",
                  "graph(%x: f32[B,8]) { %xx = mul(%x, %x) %v = mean(%xx) {axes=[0], keep=true} %e "
                  "= add(%v, 0.1) %r = rsqrt(%e) %y = mul(%x, %r) return %y }");
  const std::string text =
      "graph(%x: f32[B,8], %z: f32[B,8]) { %xx = mul(%x, %x) %v = mean(%xx) {axes=[-1], keep=true} "
      "%e = add(%v, 0.1) %r = rsqrt(%e) %y = mul(%z, %r) return %y }";
  check_unchanged("fuse_norm", text);
  ir::PassContext context;
  run("fuse_norm", ir::parse(text), &context);
  CHECK(noted(context, ir::Note::Kind::near_miss, "what multiplies by it is not %x"));
}
