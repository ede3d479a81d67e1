// tests/inspect/small_drawing_test.cpp -- layers drawn once, a neighbourhood, the same as JSON.
#include "frontend/inspect/drawing/dot.h"
#include "ir/error.h"
#include "ir/text/text.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace weft::inspect {
namespace {

constexpr const char* kLayers = R"(
  graph @stack(input %x: f32[B,4], parameter %W0: f32[4,4] {path="layer/0/W"}, parameter %W1: f32[4,4] {path="layer/1/W"},
      parameter %W2: f32[4,4] {path="layer/2/W"}, parameter %V: f32[4,4] {path="last/V"}) -> (y: f32[B,4]) {
    %a0 = matmul(%x, %W0)  // layer/0
    %b0 = tanh(%a0)  // layer/0
    %a1 = matmul(%b0, %W1)  // layer/1
    %b1 = tanh(%a1)  // layer/1
    %a2 = matmul(%b1, %W2)  // layer/2
    %b2 = tanh(%a2)  // layer/2
    %c = matmul(%b2, %V)  // last
    %y = exp(%c)  // last
    return %y
  })";

int groups_titled(const Drawing& d, const std::string& title) {
  return static_cast<int>(std::count_if(d.groups.begin(), d.groups.end(),
                                        [&](const Group& g) { return g.title == title; }));
}
int boxes_titled(const Drawing& d, const std::string& title) {
  return static_cast<int>(std::count_if(d.boxes.begin(), d.boxes.end(),
                                        [&](const Box& b) { return b.title == title; }));
}

TEST_CASE("drawing: equal layers are drawn once, with their number, and linked to themselves") {
  const Drawing d = draw(ir::parse(kLayers));
  CHECK(boxes_titled(d, "tanh") == 1);
  CHECK(boxes_titled(d, "exp") == 1);
  CHECK(groups_titled(d, "1") == 0);
  const auto layer =
      std::find_if(d.groups.begin(), d.groups.end(), [](const Group& g) { return g.times == 3; });
  REQUIRE(layer != d.groups.end());
  CHECK(layer->tooltip == "0 ... 2");
  CHECK(std::any_of(d.links.begin(), d.links.end(),
                    [](const Link& l) { return l.kind == Link::Kind::recurrence; }));
}

TEST_CASE("drawing: of equal layers that hold equal pieces one piece of one layer is drawn") {
  const Drawing d = draw(ir::parse(R"(
    graph @stack(input %x: f32[B,4]) -> (y: f32[B,4]) {
      %a = exp(%x)  // layer/0/one
      %b = tanh(%a)  // layer/0/one
      %c = exp(%b)  // layer/0/two
      %d = tanh(%c)  // layer/0/two
      %e = exp(%d)  // layer/1/one
      %f = tanh(%e)  // layer/1/one
      %g = exp(%f)  // layer/1/two
      %h = tanh(%g)  // layer/1/two
      %y = abs(%h)
      return %y
    })"));
  CHECK(boxes_titled(d, "tanh") == 1);
  for (const Link& link : d.links) {
    CHECK(link.from >= 0);
    CHECK(link.to >= 0);
  }
  CHECK(dot(d).find("n-1") == std::string::npos);
}

TEST_CASE(
    "drawing: layers that differ in one type are all drawn, and all are where one asks for it") {
  std::string text = kLayers;
  const auto replace = [&](const std::string& a, const std::string& b) {
    text.replace(text.find(a), a.size(), b);
  };
  replace("%W1: f32[4,4]", "%W1: f32[4,5]");
  replace("%W2: f32[4,4]", "%W2: f32[5,4]");
  CHECK(boxes_titled(draw(ir::parse(text)), "tanh") == 3);
  CHECK(boxes_titled(draw(ir::parse(kLayers), {.repeats = false}), "tanh") == 3);
}

TEST_CASE("drawing: a focus keeps what is within its radius") {
  const auto near = [](const std::string& name, int radius) {
    return draw(ir::parse(kLayers), {.focus = name, .radius = radius}).boxes.size();
  };
  CHECK(near("%b1", 0) == 1);
  CHECK(near("b1", 1) == 3);
  CHECK(near("b1", 2) == 5);
  CHECK(near("layer/1", 0) == 2);
  CHECK(near("tanh", 0) == 3);
  CHECK_THROWS_WITH_AS(near("nothing", 1), doctest::Contains("is called 'nothing'"),
                       ir::GraphError);
}

TEST_CASE("drawing: as JSON it has every box, link and group") {
  const Drawing d = draw(ir::parse(kLayers));
  const auto j = nlohmann::json::parse(json(d));
  CHECK(j["boxes"].size() == d.boxes.size());
  CHECK(j["links"].size() == d.links.size());
  REQUIRE(j["groups"].size() == d.groups.size());
  CHECK(j["groups"][0]["parent"] == -1);
  for (const auto& link : j["links"]) CHECK(link["to"].get<size_t>() < d.boxes.size());
  CHECK(j["boxes"][0]["kind"] == "input");
}

}  // namespace
}  // namespace weft::inspect
