// tests/inspect/chart_test.cpp -- curves as SVG.
#include "frontend/inspect/chart.h"

#include "ir/error.h"

#include <doctest/doctest.h>

#include <cmath>

namespace weft::inspect {
namespace {

size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++n;
  return n;
}

TEST_CASE("chart: a path for every curve, a panel for every quantity, names once in the legend") {
  const std::string s =
      svg({.title = "two runs",
           .x_label = "step",
           .panels = {{"loss", {{"a", {1, 2, 3}, {3, 2, 1}}, {"b", {1, 3}, {2, 1}}}},
                      {"rate", {{"a", {1, 2}, {0.1, 0.2}}}}}});
  CHECK(count(s, "<path") == 3);
  CHECK(count(s, ">a<") == 1);
  CHECK(count(s, ">b<") == 1);
  CHECK(count(s, ">loss<") == 1);
  CHECK(count(s, ">step<") == 2);
}

TEST_CASE("chart: values rise from the bottom of their panel, steps run from the left") {
  const std::string s = svg({.panels = {{"loss", {{"a", {0, 10}, {1, 5}}}}}});
  CHECK(s.find("d=\"M74.0,249.9 L834.0,46.1\"") != s.npos);
}

TEST_CASE("chart: values that are not finite leave a gap, as do those without a logarithm") {
  const double nan = std::nan("");
  const std::string s = svg({.panels = {{"loss", {{"a", {0, 1, 2, 3, 4}, {1, 2, nan, 2, 1}}}}}});
  CHECK(count(s, "M") - count(s, "ML") == 2);
  const std::string log = svg(
      {.panels = {{.title = "n", .curves = {{"a", {0, 1, 2}, {1, 0, 100}}}, .logarithmic = true}}});
  CHECK(log.find("nan") == log.npos);
  CHECK(log.find("inf") == log.npos);
  CHECK(log.find(">100<") != log.npos);
}

TEST_CASE("chart: one point, no point and equal values draw without dividing by zero") {
  for (const Curve& c : {Curve{"a", {5}, {2}, false, true}, Curve{"a", {}, {}},
                         Curve{"a", {1, 2}, {3, 3}}, Curve{"a", {1, 2}, {0, 0}}}) {
    const std::string s = svg({.panels = {{"loss", {c}}}});
    CHECK(s.find("nan") == s.npos);
    CHECK(s.find("inf") == s.npos);
  }
}

TEST_CASE("chart: names are escaped; places and values must be as many") {
  CHECK(svg({.panels = {{"<x>", {{"a&b", {1}, {1}}, {"c", {1}, {1}}}}}}).find("a&amp;b") !=
        std::string::npos);
  CHECK_THROWS_WITH_AS(svg({.panels = {{"x", {{"a", {1, 2}, {1}}}}}}),
                       "the curve 'a' has 2 places and 1 values", ir::GraphError);
  CHECK_THROWS_AS(svg({}), ir::GraphError);
}

TEST_CASE("ticks are round and lie within") {
  CHECK(ticks(0, 10, 5) == std::vector<double>{0, 2, 4, 6, 8, 10});
  CHECK(ticks(0.11, 0.29, 4) == std::vector<double>{0.15000000000000002, 0.2, 0.25});
  CHECK(ticks(3, 3, 5) == std::vector<double>{3});
}

}  // namespace
}  // namespace weft::inspect
