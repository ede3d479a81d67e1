// tests/inspect/heatmap_test.cpp -- attention weights as SVG.
#include "frontend/inspect/heatmap.h"

#include "ir/error.h"

#include <doctest/doctest.h>

namespace weft::inspect {
namespace {

ir::Array weights(ir::Dims dims, const std::vector<double>& values) {
  return ir::Array::of(ir::DType::f32, std::move(dims), values);
}

TEST_CASE("heatmap: one square a weight, labelled where it is not small") {
  const std::string s =
      svg({"ab", {"a", "b", "c"}, {"x", "y"}, weights({2, 3}, {1, 0, 0, 0.25, 0.5, 0.25})});
  size_t titles = 0;
  for (size_t at = s.find("<title>"); at != s.npos; at = s.find("<title>", at + 1)) ++titles;
  CHECK(titles == 6);
  CHECK(s.find(">50<") != s.npos);
  CHECK(s.find(">0<") == s.npos);
  CHECK(s.find("y looks at b: 50 %") != s.npos);
}

TEST_CASE("heatmap: tokens are escaped, malformed UTF-8 and control characters replaced") {
  const std::string s =
      svg({"a<b> & \"c\"", {"<", "\xC3\xA9"}, {"&", "\xFF\x01"}, weights({2, 2}, {1, 0, 0, 1})});
  CHECK(s.find("a&lt;b&gt; &amp; &quot;c&quot;") != s.npos);
  CHECK(s.find(">\xC3\xA9<") != s.npos);
  CHECK(s.find('\xFF') == s.npos);
  CHECK(s.find('\x01') == s.npos);
}

TEST_CASE("heatmap: weights of another shape are refused") {
  CHECK_THROWS_AS(svg({"", {"a"}, {"x", "y"}, weights({1, 2}, {0, 1})}), ir::GraphError);
}

TEST_CASE("heatmap: weights that are no shares still give colours") {
  CHECK_NOTHROW(svg({"", {"a", "b"}, {"x"}, weights({1, 2}, {-3, 1e30})}));
}

}  // namespace
}  // namespace weft::inspect
