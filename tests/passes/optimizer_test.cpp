// tests/passes/optimizer_test.cpp -- norms and updates of all parameters become one op each.
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

using namespace weft::test;

namespace {

constexpr const char* kPasses = "canonicalize cse fuse_optimizer";
const std::string kHead =
    R"(graph(%p1: f32[3,H], %p2: f32[H], %g1: f32[3,H], %g2: f32[H], %m1: f32[3,H], %m2: f32[H], %n1: f32[3,H], %n2: f32[H], %step: s64[], %lr: f32[]) {
)";
const std::string kNorm = R"(
    %q1 = mul(%g1, %g1)  %s1 = sum(%q1) {axes=[0,1]}  %q2 = mul(%g2, %g2)  %s2 = sum(%q2) {axes=[0]}  %sq = add(%s1, %s2)
    %norm = sqrt(%sq)  %most = maximum(%norm, 1)  %scale = div(1, %most)
    %c1 = mul(%g1, %scale)  %c2 = mul(%g2, %scale)
)";
const std::string kFusedNorm =
    "%sq = squared_norm(%g1, %g2) %norm = sqrt(%sq) %most = maximum(%norm, 1) %scale = div(1, "
    "%most) ";

void replace(std::string& s, std::string_view from, const std::string& to) {
  for (size_t at = 0; (at = s.find(from, at)) != s.npos; at += to.size())
    s.replace(at, from.size(), to);
}
// The text for parameter 1 with every # its number.
std::string both(const std::string& text) {
  std::string first = text, second = text;
  replace(first, "#", "1");
  replace(second, "#", "2");
  return first + second;
}

const std::string kCorrections =
    "%t = cast(%step) {dtype=f32} %b1t = pow(0.9, %t) %k1 = sub(1, %b1t) %b2t = pow(0.999, %t) %k2 "
    "= sub(1, %b2t)\n";
const std::string kAdam = R"(
    %ma# = mul(%m#, 0.9)  %mb# = mul(G, 0.1)  %mn# = add(%ma#, %mb#)
    %va# = mul(%n#, 0.999)  %gg# = mul(G, G)  %vb# = mul(%gg#, 0.001)  %vn# = add(%va#, %vb#)
    %vh# = div(%vn#, %k2)  %sv# = sqrt(%vh#)  %de# = add(%sv#, 1e-08)  %mh# = div(%mn#, %k1)  %up# = div(%mh#, %de#)
    %lu# = mul(%lr, %up#)  %pn# = sub(P, %lu#)
)";
const std::string kReturn = " return %pn1, %pn2, %mn1, %mn2, %vn1, %vn2 }";

std::string adam(const std::string& gradient, const std::string& parameter = "%p#") {
  std::string text = kAdam;
  replace(text, "G", gradient);
  replace(text, "P", parameter);
  return text;
}

}  // namespace

TEST_CASE("fuse_optimizer: sums of squares are one norm; a single one stays") {
  check_rewrite(kPasses, kHead + kNorm + "return %scale }", kHead + kFusedNorm + "return %scale }");
  check_keeps_values(kPasses, kHead + kNorm + "return %scale }");
  check_unchanged("fuse_optimizer",
                  "graph(%g: f32[3]) { %q = mul(%g, %g) %s = sum(%q) {axes=[0]} return %s }");
  check_unchanged("fuse_optimizer",
                  "graph(%g: f32[3], %h: f32[3]) { %q = mul(%g, %g) %s = sum(%q) {axes=[0]} %p = "
                  "mul(%g, %h) %r = sum(%p) {axes=[0]} %t = add(%s, %r) return %t }");
}

TEST_CASE("fuse_optimizer: Adam of all parameters is one op, clipping taken in") {
  const std::string before = kHead + kNorm + kCorrections + both(adam("%c#")) + kReturn;
  check_rewrite(kPasses, before,
                kHead + kFusedNorm +
                    "%pn1, %pn2, %mn1, %mn2, %vn1, %vn2 = adam_update(%p1, %p2; %g1, %g2; %m1, "
                    "%m2; %n1, %n2; %step, %lr; %scale)" +
                    kReturn);
}

TEST_CASE("fuse_optimizer: Adam keeps its values") {
  // Second moments are squares, so that there are roots to take.
  std::string before = kHead + "%o1 = mul(%n1, %n1) %o2 = mul(%n2, %n2) %st = add(%step, 1) " +
                       kCorrections + both(adam("%g#")) + kReturn;
  replace(before, "mul(%n1, 0.999)", "mul(%o1, 0.999)");
  replace(before, "mul(%n2, 0.999)", "mul(%o2, 0.999)");
  replace(before, "cast(%step)", "cast(%st)");
  check_keeps_values(kPasses, before);
  check_rewrite(kPasses, before,
                kHead +
                    "%o1 = mul(%n1, %n1) %o2 = mul(%n2, %n2) %st = add(%step, 1) "
                    "%pn1, %pn2, %mn1, %mn2, %vn1, %vn2 = adam_update(%p1, %p2; %g1, %g2; %m1, "
                    "%m2; %o1, %o2; %st, %lr)" +
                    kReturn);
}

TEST_CASE("fuse_optimizer: weight decay, L2 and decoupled") {
  check_rewrite(kPasses,
                kHead + kCorrections +
                    both("%w# = mul(%p#, 0.01) %d# = add(%g#, %w#) " + adam("%d#")) + kReturn,
                kHead +
                    "%pn1, %pn2, %mn1, %mn2, %vn1, %vn2 = adam_update(%p1, %p2; %g1, %g2; %m1, "
                    "%m2; %n1, %n2; %step, %lr) {decay=0.01}" +
                    kReturn);
  check_rewrite(kPasses,
                kHead + kCorrections +
                    both("%w# = mul(%lr, 0.01) %x# = mul(%p#, %w#) %d# = sub(%p#, %x#) " +
                         adam("%g#", "%d#")) +
                    kReturn,
                kHead +
                    "%pn1, %pn2, %mn1, %mn2, %vn1, %vn2 = adam_update(%p1, %p2; %g1, %g2; %m1, "
                    "%m2; %n1, %n2; %step, %lr) {decay=0.01, decoupled=true}" +
                    kReturn);
}

TEST_CASE("fuse_optimizer: constants that do not fit together hold it back") {
  std::string before = kHead + kCorrections + both(adam("%g#")) + kReturn;
  replace(before, "mul(%g1, 0.1)", "mul(%g1, 0.2)");
  replace(before, "mul(%g2, 0.1)", "mul(%g2, 0.2)");
  check_unchanged("fuse_optimizer", before);
}

TEST_CASE("fuse_optimizer: Adadelta") {
  const std::string before = kHead + both(R"(
    %aa# = mul(%m#, 0.95)  %gg# = mul(%g#, %g#)  %ab# = mul(%gg#, 0.05)  %mn# = add(%aa#, %ab#)
    %de# = add(%n#, 1e-06)  %sd# = sqrt(%de#)  %ae# = add(%mn#, 1e-06)  %sa# = sqrt(%ae#)  %ra# = div(%sd#, %sa#)  %u# = mul(%ra#, %g#)
    %da# = mul(%n#, 0.95)  %uu# = mul(%u#, %u#)  %db# = mul(%uu#, 0.05)  %vn# = add(%da#, %db#)
    %lu# = mul(%lr, %u#)  %pn# = sub(%p#, %lu#)
)") + kReturn;
  check_rewrite(kPasses, before,
                kHead +
                    "%pn1, %pn2, %mn1, %mn2, %vn1, %vn2 = adadelta_update(%p1, %p2; %g1, %g2; %m1, "
                    "%m2; %n1, %n2; %lr)" +
                    kReturn);
}
