// tests/passes/attention_parts_test.cpp -- the pieces that attention is recognised by, each alone.
#include "ir/passes/fuse/attention/attention_band.h"
#include "ir/passes/fuse/attention/attention_scores.h"
#include "ir/text/text.h"

#include <doctest/doctest.h>

using namespace weft;
using ir::Integers;

namespace {

// Queries %t and keys %j of scores [B,T,S], then `text`, which makes %m.
ir::Graph graph_of(const std::string& text) {
  return ir::parse(
      "graph(%x: f32[B,T,S], %w: s32[], %a: pred[T,S], %b: pred[B,1,S], %c: pred[B,S]) {\n"
      "%t0 = iota() {shape=[T], dtype=s32} %t = reshape(%t0) {shape=[T,1]}\n"
      "%j = iota() {shape=[S], dtype=s32}\n" +
          text + " return %m }",
      "user.ir");
}

ir::BandRead band_of(const std::string& text, bool negated = false) {
  const ir::Graph g = graph_of(text);
  const ir::GraphUses readers(g);
  const ir::Value m = g.outputs()[0].value;
  return ir::band_of(readers, {m, negated, readers.shape(m)});
}

void is_band(const Integers& expected, const std::string& text, bool negated = false) {
  INFO(text);
  const ir::BandRead read = band_of(text, negated);
  CHECK(read.band == expected);
  CHECK(read.reason.empty());
}

void is_none(std::string_view reason, const std::string& text) {
  INFO(text);
  const ir::BandRead read = band_of(text);
  CHECK(read.band.empty());
  CHECK(read.reason == reason);
}

std::vector<std::string> masks_of(const std::string& text, bool negated = false) {
  const ir::Graph g = graph_of(text);
  const ir::GraphUses readers(g);
  std::vector<ir::Mask> masks;
  ir::add_masks(readers, g.outputs()[0].value, negated, masks);
  std::vector<std::string> names;
  for (const ir::Mask& m : masks)
    names.push_back((m.negated ? "not " : "") + g.display_name(m.value) + str(m.shape));
  return names;
}
using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("attention_band: comparisons of positions, however they are written") {
  is_band({-1, 0}, "%m = greater_equal(%t, %j)");
  is_band({-1, 0}, "%m = less_equal(%j, %t)");
  is_band({-1, 0}, "%m = less(%t, %j)", true);
  is_band({0, -1}, "%m = less_equal(%t, %j)");
  is_band({3, -1}, "%d = sub(%t, %j) %m = less(%d, 4)");
  is_band({3, -1}, "%d = sub(%j, %t) %m = greater_equal(%d, -3)");
  is_band({3, -1}, "%d = sub(%t, 4) %m = greater(%j, %d)");
  is_band({3, -1}, "%d = add(%j, 3) %m = less_equal(%t, %d)");
  is_band({3, -1}, "%d = sub(%t, %j) %m = greater(%d, 3)", true);
  is_band({-1, 2}, "%n = neg(%t) %d = add(%j, %n) %m = greater_equal(2, %d)");
  is_band({-1, 2}, "%e = add(%t, 2) %d = sub(%j, %e) %m = less_equal(%d, 0)");
  is_band({0, 0}, "%m = equal(%t, %j)");
  is_band({0, 0}, "%m = not_equal(%j, %t)", true);
  is_band({5, 5}, "%d = sub(%t, %j) %n = abs(%d) %m = less_equal(%n, 5)");
  is_band({4, 4}, "%d = sub(%j, %t) %n = abs(%d) %m = greater(5, %n)");
  is_band({3, 5}, "%d = sub(%j, %t) %e = sub(%d, 1) %n = abs(%e) %m = less(4, %n)", true);
}

TEST_CASE("attention_band: positions that are moved, widened and of other numbers") {
  is_band({-1, 0}, "%u = greater_equal(%t, %j) %m = reshape(%u) {shape=[1,T,S]}");
  is_band({-1, 0}, "%u = greater_equal(%t, %j) %m = reshape(%u) {shape=[1,1,T,S]}");
  is_band({2, -1},
          "%s = cast(%j) {dtype=f32} %q = cast(%t) {dtype=f32} %d = sub(%q, %s) %m = less(%d, 3)");
  is_band({2, -1}, "%d = sub(%t, %j) %r = reshape(%d) {shape=[1,T,S]} %m = less_equal(%r, 2)");
  is_band({-1, 0}, "%u = broadcast(%j) {shape=[T,S]} %m = less_equal(%u, %t)");
  is_band({-1, 0},
          "%p = iota() {shape=[B,T,S], axis=1, dtype=s64} %q = iota() {shape=[B,T,S], axis=2, "
          "dtype=s64} %m = less_equal(%q, %p)");
}

TEST_CASE("attention_band: constants that were folded from it, limits that hide nothing left out") {
  is_band({-1, 0}, "%m = constant() {dtype=pred, shape=[3,3], values=[1,0,0,1,1,0,1,1,1]}");
  is_band({1, 0}, "%m = constant() {dtype=pred, shape=[3,3], values=[1,0,0,1,1,0,0,1,1]}");
  is_band({0, 1}, "%m = constant() {dtype=pred, shape=[1,3,3], values=[0,0,1,1,0,0,1,1,0]}", true);
  is_band({}, "%m = constant() {dtype=pred, shape=[2,2], values=[1,1,1,1]}");
  is_band({}, "%m = constant() {dtype=pred, shape=[2,2], values=[0,0,0,0]}");
  is_band({}, "%m = constant() {dtype=pred, shape=[3,3], values=[1,0,1,1,1,0,1,1,1]}");
}

TEST_CASE("attention_band: what is none, and why where it nearly is one") {
  is_none("the nearest key it shows is 1 behind its query", "%m = less(%j, %t)");
  is_none("the nearest key it shows is 2 ahead of its query",
          "%e = add(%t, 1) %m = greater(%j, %e)");
  is_none("its limit is known at run time only", "%d = sub(%t, %j) %m = less(%d, %w)");
  is_none("it compares other than distances of keys and queries",
          "%d = add(%t, %j) %m = less(%d, 7)");
  is_none("it hides what is near", "%d = sub(%t, %j) %n = abs(%d) %m = greater(%n, 2)");
  is_none("", "%m = less(%j, 7)");
  is_none("", "%m = not_equal(%j, %t)");
  is_none("", "%m = less(%j, %w)");
  // Unsigned differences wrap.
  is_none("",
          "%p = iota() {shape=[T,1], dtype=u8} %q = iota() {shape=[S], dtype=u8} %d = sub(%p, "
          "%q) %m = less(%d, 3)");
  // Positions of a batch, not of queries.
  is_none("", "%p = iota() {shape=[B,1,S], dtype=s32} %m = less_equal(%j, %p)");
}

TEST_CASE("attention_band: two bands show what both do") {
  CHECK(ir::both({-1, 0}, {3, -1}) == Integers{3, 0});
  CHECK(ir::both({2, 5}, {3, 1}) == Integers{2, 1});
  CHECK(ir::both({}, {3, 1}) == Integers{3, 1});
  CHECK(ir::both({3, 1}, {}) == Integers{3, 1});
}

TEST_CASE("attention_mask: `and` is taken apart, through `not`, broadcasts and axes of size 1") {
  CHECK(masks_of("%m = logical_and(%a, %b)") == Names{"%a[T,S]", "%b[B,1,S]"});
  CHECK(masks_of("%m = logical_or(%a, %b)") == Names{"%m[B,T,S]"});
  CHECK(masks_of("%m = logical_or(%a, %b)", true) == Names{"not %a[T,S]", "not %b[B,1,S]"});
  CHECK(masks_of("%n = logical_not(%a) %o = logical_or(%n, %b) %m = logical_not(%o)") ==
        Names{"%a[T,S]", "not %b[B,1,S]"});
  CHECK(masks_of("%n = logical_and(%a, %b) %m = reshape(%n) {shape=[B,1,T,S]}") ==
        Names{"%a[1,T,S]", "%b[B,1,1,S]"});
  CHECK(masks_of("%n = logical_and(%a, %b) %o = logical_and(%n, %a) %m = reshape(%o) "
                 "{shape=[1,B,1,T,S]}") == Names{"%a[1,T,S]", "%b[1,B,1,1,S]", "%a[1,T,S]"});
  CHECK(masks_of("%m = reshape(%c) {shape=[B,1,S]}") == Names{"%m[B,1,S]"});
  CHECK(masks_of("%m = broadcast(%b) {shape=[B,T,S]}") == Names{"%b[B,1,S]"});
}

TEST_CASE("attention_product: queries and keys, whichever way they are multiplied") {
  const auto product = [](const std::string& arguments, const std::string& text) {
    const ir::Graph g = ir::parse("graph(" + arguments + ") {" + text + " return %e }");
    const ir::GraphUses readers(g);
    ir::Product p;
    if (!ir::find_product(readers, g.outputs()[0].value, p)) return "none: " + p.reason;
    const auto names = [&](const std::vector<ir::Shaped>& terms) {
      std::string s;
      for (const ir::Shaped& t : terms)
        s += g.display_name(t.value) + str(t.shape) + (t.swapped ? "'" : "");
      return s;
    };
    return names(p.q) + " x " + names(p.k) + (p.v_a.valid() ? " by " + g.display_name(p.v_a) : "") +
           (p.single ? ", one query" : "");
  };
  CHECK(product("%q: f32[B,T,D], %k: f32[B,S,D]", "%e = matmul(%q, %k) {transpose_b=true}") ==
        "%q[B,T,D] x %k[B,S,D]");
  CHECK(product("%q: f32[B,T,D], %k: f32[B,D,S]", "%e = matmul(%q, %k)") ==
        "%q[B,T,D] x %k[B,S,D]'");
  CHECK(product("%q: f32[B,D], %k: f32[B,S,D]",
                "%q1 = reshape(%q) {shape=[B,1,D]} %p = mul(%q1, %k) %e = sum(%p) {axes=[-1]}") ==
        "%q1[B,D] x %k[B,S,D], one query");
  CHECK(product("%q: f32[B,T,1,D], %k: f32[B,1,S,D], %v: f32[D]",
                "%u = add(%q, %k) %h = tanh(%u) %p = mul(%h, %v) %e = sum(%p) {axes=[-1]}") ==
        "%q[B,T,D] x %k[B,S,D] by %v");
  CHECK(product("%q: f32[T,D], %k: f32[B,S,D]", "%e = matmul(%q, %k) {transpose_b=true}") ==
        "none: leading axes of queries %q of [T,D] and keys %k of [B,S,D] differ");
  CHECK(product("%x: f32[B,T,S]", "%e = exp(%x)") == "none: ");
}
