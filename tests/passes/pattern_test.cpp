// tests/passes/pattern_test.cpp -- patterns over graphs.
#include "ir/rewrite/pattern.h"

#include "ir/text/text.h"

#include <doctest/doctest.h>

using namespace weft::ir;

namespace {
std::optional<Match> matched(const GraphUses& readers, const Pattern& pattern) {
  return match(readers, pattern, readers.graph->outputs()[0].value);
}
}  // namespace

TEST_CASE("pattern: operands of commutative ops are tried both ways, with backtracking") {
  const Graph g = parse(
      "graph(%x: f32[2], %y: f32[2]) { %t = tanh(%y) %p = mul(%t, %x) %s = add(%x, %p) return %s "
      "}");
  const GraphUses readers(g);
  const Pattern x = any("x");
  const auto m = matched(readers, op(ops::add, op(ops::mul, x, op(ops::tanh, any("y"))), x));
  REQUIRE(m.has_value());
  CHECK(g.display_name(m->old("x")) == "%x");
  CHECK(g.display_name(m->old("y")) == "%y");
  CHECK(m->nodes().size() == 3);
}

TEST_CASE("pattern: a name bound twice is one value") {
  const Graph g = parse("graph(%x: f32[2], %y: f32[2]) { %p = mul(%x, %y) return %p }");
  CHECK_FALSE(matched(GraphUses(g), op(ops::mul, any("x"), any("x"))).has_value());
}

TEST_CASE("pattern: one_use, attributes with their defaults, constants and alternatives") {
  const Graph g = parse("graph(%x: f32[2,3]) { %t = softmax(%x) %s = mul(%t, 2) return %s, %t }");
  const GraphUses readers(g);
  const Pattern p = op(ops::softmax, any("x")).with("axis", int64_t{-1});
  CHECK(matched(readers, op(ops::mul, p, scalar(2.0))).has_value());
  CHECK_FALSE(matched(readers, op(ops::mul, p, scalar(3.0))).has_value());
  CHECK_FALSE(matched(readers, op(ops::mul, p.one_use(), scalar(2.0))).has_value());
  CHECK_FALSE(matched(readers, op(ops::mul, op(ops::softmax, any("x")).with("axis", int64_t{-2}),
                                  scalar(2.0)))
                  .has_value());
  CHECK(
      matched(readers, op(ops::mul, maybe(op(ops::tanh, any("x")), p), scalar("c")))->number("c") ==
      2);
}

TEST_CASE("pattern: rewriting unites origins and keeps the root's scope and line") {
  const Graph g = parse(
      "graph(%x: f32[2]) {\n %a = exp(%x) // encoder\n %b = log(%a) // decoder\n return %b\n}",
      "user.ir");
  const Graph h = rewrite(g, op(ops::log, op(ops::exp, any("x"))),
                          [](Match& m) { return m.emit(ops::abs, {{m["x"]}}); });
  REQUIRE(h.nodes().size() == 1);
  CHECK(h.nodes()[0].from.scope == "decoder");
  CHECK(h.nodes()[0].from.loc.str() == "user.ir:3");
  CHECK(h.nodes()[0].from.origins.size() == 2);
}

TEST_CASE("pattern: replacements are placed after the last of their inputs") {
  const Graph g = parse(
      "graph(%x: f32[2]) { %a = tanh(%x) %u = exp(%a) %v = exp(%x) %b = mul(%v, %x) return %u, %b "
      "}");
  const Values x{g.nodes()[0].results[0], g.nodes()[3].results[0]};
  // tanh(x) is replaced by something that needs %v, made later.
  const Value v = g.nodes()[2].results[0];
  const Graph h = replace_all(
      g, {{{x[0]}, {v}, {0}, [v](Rewriter& r) { return Values{r.builder.neg(r(v))}; }}});
  CHECK(canonical_text(h) ==
        canonical_text(parse("graph(%x: f32[2]) { %v = exp(%x) %a = neg(%v) %u = exp(%a) %b = "
                             "mul(%v, %x) return %u, %b }")));
}

TEST_CASE("pattern: replacements that need one another's results are not both made") {
  const Graph g = parse(
      "graph(%x: f32[2]) { %a = tanh(%x) %b = exp(%x) %u = neg(%b) %v = neg(%a) %c = mul(%a, %u) "
      "%d = mul(%b, %v) return %c, %d }");
  const auto result = [&](size_t n) { return g.nodes()[n].results[0]; };
  const auto build = [](Value u) { return [u](Rewriter& r) { return Values{r(u), r(u)}; }; };
  const Graph h = replace_all(g, {{{result(4), result(0)}, {result(2)}, {4, 0}, build(result(2))},
                                  {{result(5), result(1)}, {result(3)}, {5, 1}, build(result(3))}});
  CHECK(h.nodes().size() > 1);
}
