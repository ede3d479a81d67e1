// tests/inspect/dot_test.cpp -- what of a graph is in its picture, and how.
#include "frontend/inspect/drawing/dot.h"

#include "ir/rewrite/builder.h"
#include "ir/text/text.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace weft::inspect {
namespace {

constexpr const char* kLoop = R"(
  graph @rnn(input %x: f32[T,B,4], input %s0: f32[B,8], input %l: s32[B], parameter %W: f32[4,8] {path="cell/W"}) -> (s: f32[B,8], y: f32[T,B,8]) {
    %k = mul(%W, 0.5)  // cell
    %s, %y = scan(%s0; %x; %k; %l) {axes=[0], out_axes=[0]}  // cell
    (%c, %xt, %w, %live) {
      %p = matmul(%xt, %w)  // cell/input
      %u = add(%p, %c)  // cell
      %n = tanh(%u)  // cell
      yield %n; %n
    }
    return %s, %y
  })";

const Box& box_titled(const Drawing& d, const std::string& title) {
  const auto it =
      std::find_if(d.boxes.begin(), d.boxes.end(), [&](const Box& b) { return b.title == title; });
  REQUIRE(it != d.boxes.end());
  return *it;
}
int index_of(const Drawing& d, const Box& b) { return static_cast<int>(&b - d.boxes.data()); }
bool linked(const Drawing& d, const std::string& from, const std::string& to,
            Link::Kind kind = Link::Kind::data) {
  const int a = index_of(d, box_titled(d, from)), b = index_of(d, box_titled(d, to));
  return std::any_of(d.links.begin(), d.links.end(),
                     [&](const Link& l) { return l.from == a && l.to == b && l.kind == kind; });
}

TEST_CASE("drawing: constants and parameters are rows of the box that reads them") {
  const Drawing d = draw(ir::parse(kLoop));
  const Box& mul = box_titled(d, "mul");
  REQUIRE(mul.rows.size() == 2);
  CHECK(mul.rows[0].kind == Row::Kind::parameter);
  CHECK(mul.rows[0].text == "cell/W  f32[4,8]");
  CHECK(mul.rows[1].kind == Row::Kind::constant);
  CHECK(mul.rows[1].text == "0.5");
}

TEST_CASE("drawing: a scan's body stands in a group of its own, wired to what is outside") {
  const Drawing d = draw(ir::parse(kLoop));
  const auto loop = std::find_if(d.groups.begin(), d.groups.end(),
                                 [](const Group& g) { return g.kind == Group::Kind::loop; });
  REQUIRE(loop != d.groups.end());
  CHECK(loop->title == "scan, t = 0 ... T-1, rows end at their lengths");
  CHECK(box_titled(d, "tanh").group == static_cast<int>(loop - d.groups.begin()));
  CHECK(d.groups[static_cast<size_t>(box_titled(d, "matmul").group)].title == "input");
  CHECK(linked(d, "%x", "%xt at t"));
  CHECK(linked(d, "%s0", "carry %c"));
  CHECK(linked(d, "mul", "matmul"));  // an invariant is the value outside itself
  CHECK(linked(d, "tanh", "carry %c", Link::Kind::recurrence));
  CHECK(linked(d, "tanh", "y"));  // the stacked output is what the body yields
}

TEST_CASE(
    "drawing: what the backward pass keeps of the forward pass is a reference, its seed a link") {
  ir::Graph g =
      ir::parse("graph(input %x: f32[4]) { %y = tanh(%x) %l = sum(%y) {axes=[0]} return %l }");
  ir::Builder b(g, {{}, {}, {}, ir::Part::backward});
  const ir::Value y = g.nodes()[0].results[0], l = g.nodes()[1].results[0];
  g.add_output("dx", b.mul(b.mul(y, y), l));
  const Drawing d = draw(g);
  const Box& square = box_titled(d, "mul");
  REQUIRE(!square.rows.empty());
  CHECK(square.rows[0].kind == Row::Kind::reference);
  CHECK(square.rows[0].text == "%y");
  CHECK(d.groups[1].kind == Group::Kind::part);
}

TEST_CASE("drawing: with too many boxes the innermost scopes become one box each") {
  ir::Graph g = ir::parse(kLoop);
  const Drawing d = draw(g, {.title = {}, .max_boxes = 8});
  CHECK(d.boxes.size() <= 8);
  int nodes = 0;
  for (const Box& b : d.boxes)
    if (b.kind == Box::Kind::op || b.kind == Box::Kind::collapsed) nodes += b.nodes;
  CHECK(nodes >= 4);
  for (const Link& l : d.links) CHECK((l.from != l.to && l.to < static_cast<int>(d.boxes.size())));
}

TEST_CASE("svg: names with quotes and angle brackets come out as well-formed text") {
  ir::Graph g = ir::parse("graph(input %x: f32[4]) { %y = tanh(%x)  // a/b\n return %y }");
  g.set_name(g.nodes()[0].results[0], "q");
  const std::string s = svg(g, {.title = "<&\"> \\ \xC3\xA9"});
  CHECK(s.find("&lt;&amp;") != s.npos);
  CHECK(s.find("</svg>") != s.npos);
  CHECK(s.find("tanh") != s.npos);
}

TEST_CASE("svg: an empty graph and one without scopes or names are drawn") {
  CHECK(svg(ir::parse("graph(input %x: f32[4]) { return %x }")).find("</svg>") !=
        std::string::npos);
  ir::Graph g;
  ir::Value v = g.add_argument({ir::DType::f32, {4}}, "x");
  ir::Builder b(g);
  for (int i = 0; i < 2000; ++i) v = b.tanh(v);
  g.add_output("y", v);
  CHECK(draw(g).boxes.size() < 500);
}

}  // namespace
}  // namespace weft::inspect
