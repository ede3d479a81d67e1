// tests/frontend/scope_test.cpp -- parameters by path, scopes of nodes, streams of dropout.
#include "tests/frontend/graph_text.h"

using namespace weft;
using weft::tests::check_graph;
using weft::tests::error_of;
using weft::tests::has;

TEST_CASE("scope: a path asked for twice with one type is one argument") {
  Model m;
  const Tensor x = m.input("x", f32, {2, 3});
  m.output("y", linear(m / "out", linear(m / "out", x, 3), 3));
  check_graph(m, R"(
    graph(%x: f32[2,3], parameter %W: f32[3,3] {path="out/W", init="glorot_uniform"}, parameter %b: f32[3] {path="out/b", init="zeros"}) -> (y: f32[2,3]) {
      %a = matmul(%x, %W)
      %c = add(%a, %b)
      %d = matmul(%c, %W)
      %y = add(%d, %b)
      return %y
    })");
}

TEST_CASE("scope: a path asked for with another type names both lines") {
  Model m;
  const Scope p = m / "encoder";
  const int first = __LINE__ + 1;
  p.parameter("W", {3, 4});
  const int second = __LINE__ + 1;
  const std::string error = error_of([&] { p.parameter("W", {4, 3}); });
  CHECK(has(error, "scope_test.cpp:" + std::to_string(second) +
                       ": error: parameter 'encoder/W' (f32[4,3]"));
  CHECK(has(error, "f32[3,4], glorot_uniform) at scope_test.cpp:" + std::to_string(first)));
  CHECK(has(error_of([&] { p.parameter("W", {3, 4}, init::zeros()); }), "encoder/W"));
  CHECK(has(error_of([&] { p.frozen("W", {3, 4}, init::glorot_uniform()); }), "not trainable"));
}

TEST_CASE("scope: inputs and outputs have one name each") {
  Model m;
  const Tensor x = m.input("x", f32, {2});
  CHECK(has(error_of([&] { m.input("x", f32, {2}); }), "input 'x'"));
  m.output("y", x);
  CHECK(has(error_of([&] { m.output("y", x); }), "output 'y' was made before at scope_test.cpp"));
}

TEST_CASE("scope: nodes bear the scope they were made in, and the line") {
  Model m;
  const Tensor x = m.input("x", f32, {2, 3});
  const int line = __LINE__ + 1;
  const Tensor y = linear(m / "decoder" / "out", x, 4);
  const ir::Node& node = *m.graph().producer(y.place().value);
  CHECK(node.from.scope == "decoder/out");
  CHECK(node.from.loc.str() == "scope_test.cpp:" + std::to_string(line));
  const Tensor z = tanh(y);
  CHECK(m.graph().producer(z.place().value)->from.scope.empty());
}

// A function of somebody's library, which calls one of another.
Tensor inner(const Scope& p, const Tensor& x, SourceLoc loc = SourceLoc::here()) {
  const auto in = p.enter(loc);
  return tanh(x + x) * 2;
}
Tensor outer(const Scope& p, const Tensor& x, SourceLoc loc = SourceLoc::here()) {
  const auto in = p.enter(loc);
  return inner(p / "inner", x) + 1;
}

TEST_CASE(
    "scope: operators of a library's function name the line it was called from, the outermost") {
  Model m;
  const Tensor x = m.input("x", f32, {2, 3});
  const int line = __LINE__ + 1;
  m.output("y", outer(m / "outer", x));
  for (const ir::Node& node : m.graph().nodes())
    CHECK(node.from.loc.str() == "scope_test.cpp:" + std::to_string(line));
  CHECK(m.graph().nodes().size() == 6);
  const Tensor after = -x;
  CHECK(m.graph().producer(after.place().value)->from.loc.str() ==
        "scope_test.cpp:" + std::to_string(__LINE__ - 2));
}

TEST_CASE("scope: so do errors of a library's function, and none names the library's source") {
  Model m;
  const Tensor x = m.input("x", f32, {2, 3});
  const auto at = [](int line) { return "scope_test.cpp:" + std::to_string(line) + ": error: "; };
  const std::string never_made = error_of([&] { linear(m / "p", Tensor(), 3); });
  CHECK(has(never_made, at(__LINE__ - 1) + "a tensor is used that was never made"));
  const std::string within = error_of([&] { outer(m / "p", Tensor()); });
  CHECK(has(within, at(__LINE__ - 1)));
  const std::string rank = error_of([&] { multi_head_attention(m / "a", x, {}, {}, {}, {}); });
  CHECK(has(rank, at(__LINE__ - 1) + "attention needs sequences"));
}

TEST_CASE("dropout: each scope has a stream of its own; without noise it is the identity") {
  Model m;
  const Tensor x = m.input("x", f32, {dim("B"), 3});
  const Noise noise{m.input("step", s64, {}), m.input("rows", s64, {dim("B")}), 7};
  CHECK(dropout(m / "a", x, 0.5, {}).place().value == x.place().value);
  CHECK(dropout(m / "a", x, 0, noise).place().value == x.place().value);
  std::vector<ir::Attr> streams;
  for (const char* name : {"a", "a", "b"}) dropout(m / name, x, 0.5, noise);
  for (const ir::Node& node : m.graph().nodes())
    if (node.op == &ir::ops::random) streams.push_back(*node.attrs.find("stream"));
  REQUIRE(streams.size() == 3);
  CHECK(streams[0] != streams[1]);
  CHECK(streams[0] != streams[2]);
  CHECK(streams[1] != streams[2]);
  CHECK(has(error_of([&] { dropout(m / "c", x, 1.0, noise); }), "rate must lie in [0, 1)"));
}
