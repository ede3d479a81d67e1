// tests/ir/text_test.cpp -- graphs as text: round trips and errors.
#include "ir/text/text.h"

#include "ir/ops/table.h"
#include "ir/rewrite/builder.h"
#include "ir/rewrite/rewrite.h"
#include "ir/verify.h"
#include "tests/support/decoder_text.h"

#include <doctest/doctest.h>

using namespace weft;
using namespace weft::ir;

namespace {

using tests::kDecoder;
std::string error_of(const char* text) {
  try {
    parse(text);
  } catch (const GraphError& e) {
    return e.what();
  }
  return "(no error)";
}

void check_error(const char* text, std::string_view expected) {
  const std::string e = error_of(text);
  INFO("error: " << e);
  CHECK(e.find(expected) != std::string::npos);
}

}  // namespace

TEST_CASE("text: the worked decoder of the manual prints and parses to itself") {
  const Graph g = parse(kDecoder);
  verify(g);
  CHECK(print(parse(print(g))) == print(g));
  CHECK(canonical_text(parse(print(g))) == canonical_text(g));
  CHECK(g.nodes().size() == 2);
  CHECK(g.node_count() == 33);
}

TEST_CASE("text: a graph with sizes bound is checked anew") {
  const Graph g = parse(kDecoder);
  const Bindings sizes{{"A", 4}, {"B", 2}, {"E", 6}, {"H", 3},
                       {"M", 5}, {"S", 7}, {"T", 0}, {"V", 9}};
  const Graph bound = specialize(g, sizes);
  verify(bound);
  CHECK(bound.symbols().empty());
  CHECK(bound.type(bound.outputs()[0].value).str() == "f32[0,2,9]");
}

TEST_CASE("text: short headers, scalar literals and absent optional operands") {
  const Graph g = parse(R"(graph(%q: f32[2,4,8], %k: f32[2,6,8], %m: pred[6]) {
    %o, %l = attention(%q, %k, %k; ; %m) {lse=true}
    %p = mul(%o, 0.5)
    return %p, %l
  })");
  verify(g);
  CHECK(g.nodes()[0].group_sizes == std::vector<int>{1, 1, 1, 0, 1, 0, 0, 0, 0});
  CHECK(print(g).find("mul(%o, 0.5)") != std::string::npos);
  CHECK(print(parse(print(g))) == print(g));
}

TEST_CASE("text: scopes and parts survive") {
  const Graph g =
      parse("graph(%x: f32[2]) {\n %y = tanh(%x) // decoder/attention [backward]\n return %y\n}");
  CHECK(g.nodes()[0].from.scope == "decoder/attention");
  CHECK(g.nodes()[0].from.part == Part::backward);
  CHECK(print(parse(print(g))) == print(g));
}

TEST_CASE("text: arguments keep kind, path, initialiser and flags") {
  const char* text =
      R"ir(graph @g(parameter %W: f32[2,2] {path="a/W", init="normal(0.1)", trainable=false, donated=true}, state %m: f32[2]) -> (W: f32[2,2]) {
  return %W
}
)ir";
  CHECK(print(parse(text)) == text);
}

TEST_CASE("text: structure alone decides canonical text") {
  const Graph a =
      parse("graph(%x: f32[2]) { %u = tanh(%x) %v = exp(%x) %s = add(%u, %v) return %s }");
  const Graph b =
      parse("graph(%z: f32[2]) { %q = exp(%z) %p = tanh(%z) %r = add(%p, %q) return %r }");
  const Graph c =
      parse("graph(%z: f32[2]) { %q = exp(%z) %p = tanh(%z) %r = add(%q, %p) return %r }");
  CHECK(canonical_text(a) == canonical_text(b));
  CHECK(canonical_text(a) != canonical_text(c));
}

TEST_CASE("text: what was written causal=true is read as a band") {
  const auto parsed = [](const std::string& attrs) {
    return canonical_text(
        parse("graph(%q: f32[2,3,4], %k: f32[2,5,4]) { %o = attention(%q, %k, %k) {" + attrs +
              "} return %o }"));
  };
  CHECK(parsed("causal=true, scale=0.5") == parsed("band=[-1, 0], scale=0.5"));
  CHECK(parsed("causal=false, scale=0.5") == parsed("scale=0.5"));
  CHECK(parsed("causal=true").find("band=[-1, 0]") != std::string::npos);
  check_error(
      "graph(%q: f32[2,3,4]) { %o = attention(%q, %q, %q) {band=[1, 0], causal=true} return %o }",
      "attribute 'band' is given twice, once as causal=true");
}

TEST_CASE("text: attention says what its dropout and its band need") {
  const auto check = [](const std::string& operands, const std::string& attrs,
                        std::string_view expected) {
    const std::string text =
        "graph(%q: f32[2,3,4], %k: f32[2,5,4], %one: f32[2,4], %s: s64[], %r: s64[2], %r3: s64[3], "
        "%p: s32[3], %p5: s32[5]) { %o = attention(" +
        operands + ") {" + attrs + "} return %o }";
    check_error(text.c_str(), expected);
  };
  check("%one, %k, %k", "band=[-1, 0]", "band needs an axis of queries [attention.17]");
  for (const char* band : {"[1]", "[1, 2, 3]", "[-1, -1]", "[-2, 0]", "[0, 2147483648]"})
    check("%q, %k, %k", std::string("band=") + band,
          "needs a band of [behind, ahead], each 0 to 2147483647 or -1 for no limit, not both of "
          "them -1 [attention.22]");
  for (const char* keep : {"0.0", "1.5", "-1.0"})
    check("%q, %k, %k; ; ; ; %s; %r", std::string("inner_axes=[-2, -1], keep=") + keep,
          "keep must lie in (0, 1]");
  check("%q, %k, %k", "keep=0.5",
        "needs step and rows exactly where keep is below 1 [attention.19]");
  check("%q, %k, %k; ; ; ; %s; %r", "keep=1.0", "exactly where keep is below 1 [attention.19]");
  check("%q, %k, %k; ; ; ; %s; %r3", "keep=0.5, inner_axes=[-2, -1]",
        "needs rows of s64[2], found s64[3] [attention.20]");
  check("%q, %k, %k; ; ; ; %r; %r", "keep=0.5, inner_axes=[-2, -1]",
        "needs an integer scalar step");
  check("%q, %k, %k; ; ; ; %s; %r; %p5", "keep=0.5, inner_axes=[-1]",
        "needs positions of s32, one or one a query, found s32[5] [attention.20]");
  check("%q, %k, %k; ; ; ; %s; %r; %p", "keep=0.5, inner_axes=[-2, -1]",
        "inner_axes must be all axes of the scores [2,3,5] but the first and the queries'");
  check("%q, %k, %k; ; ; ; %s; %r", "keep=0.5, inner_axes=[-1, -1]", "[attention.21]");
}

TEST_CASE("text: errors name file, line and what was needed") {
  check_error("graph(%x: f32[2]) {\n  %y = tanhh(%x)\n  return %y\n}",
              "graph.ir:2: error: there is no op 'tanhh'; did you mean 'tanh'?");
  check_error("graph(%x: f32[2]) {\n\n  %y = tanh(%z)\n  return %y\n}",
              "graph.ir:3: error: %z is not defined here");
  check_error("graph(%x: f32[2,3]) { %y = softmax(%x) {axis=5} return %y }",
              "'softmax' axis must lie in [-2, 2) [softmax.2]\n    x: f32[2,3]   = %x");
  check_error(
      "graph(%a: f32[2,4,8], %b: f32[2,6,7]) { %c = matmul(%a, %b) {transpose_b=true} return %c }",
      "contracts 8 columns of a with 7 rows of b [matmul.3]");
  check_error("graph(%a: f32[2,4], %b: bf16[4,3]) { %c = matmul(%a, %b) return %c }",
              "needs operands of one dtype, numbers, found f32 and bf16 [matmul.1]");
  check_error(
      "graph(%a: bf16[2,4], %b: bf16[4,3], %c: bf16[3]) { %d = linear(%a, %b; %c) return %d }",
      "needs a bias of f32[3], found bf16[3] [linear.4]");
  check_error("graph(%a: f64[2,4], %b: f64[4,3]) { %c = linear(%a, %b) {rounded=true} return %c }",
              "rounds sums of f32 to bf16, found f64 [linear.8]");
  check_error("graph(%x: f64[2,4]) { %y = layer_norm(%x) {rounded=true} return %y }",
              "rounds norms of f32 to bf16, found f64 [layer_norm.9]");
  check_error("graph(%x: bf16[2,4]) { %y = rms_norm(%x) {rounded=true} return %y }",
              "rounds norms of f32 to bf16, found bf16 [rms_norm.9]");
  check_error(
      "graph(%g: f32[2,12], %h: f32[2,3], %c: f32[2,3], %U: f16[3,12]) { "
      "%h1, %c1 = lstm_cell(%g, %h, %c, %U) return %h1 }",
      "needs U of f32[3,12] or bf16, as U is, found f16[3,12] [lstm_cell.6]");
  check_error("graph(%x: f32[2]) { %y = tanh(%x) {axis=1} return %y }",
              "'tanh' has no attribute 'axis'");
  check_error("graph(%x: f32[2]) { %y = tanh(%x) : f32[3] return %y }",
              "is typed f32[3] but infers f32[2]");
  check_error("graph(%x: f32[2]) { %y = tanh(%x, %x) return %y }", "takes fewer operands");
  check_error("graph(%x: f32[2]) { %x = tanh(%x) return %x }", "%x is defined twice");
  check_error("graph(%x: f32[2]) { %y = tanh(%x)", "expected 'return' before the end of the file");
  check_error("graph(%x: f32[-2]) { return %x }", "a size must be 0 or more");
  check_error("graph(%x: f99[2]) { return %x }", "expected a dtype");
  check_error("graph(%x: f32[B], %y: f32[S]) { %z = add(%x, %y) return %z }", "cannot broadcast");
  check_error("", "expected 'graph'");
}

TEST_CASE("text: integers that a double does not hold are kept to the last digit") {
  const Graph g = parse(R"(graph(%x: s64[1], %z: f32[1]) {
    %a = add(%x, 9007199254740993)
    %b = constant() {dtype=s64, shape=[2], values=[9223372036854775807, -9007199254740993]}
    %c = add(%z, 9007199254740993)
    %d = constant() {dtype=f32, shape=[], values=[9007199254740993]}
    return %a, %b, %c, %d
  })");
  CHECK(print(g).find("add(%x, 9007199254740993)") != std::string::npos);
  CHECK(print(g).find("values=[9223372036854775807, -9007199254740993]") != std::string::npos);
  CHECK(print(parse(print(g))) == print(g));
  CHECK(canonical_text(parse(print(g))) == canonical_text(g));
  check_error("graph(%x: s32[1]) { %y = add(%x, 9007199254740993) return %y }",
              "cannot hold 9007199254740993 in s32");
  check_error(
      "graph() { %y = constant() {dtype=s64, values=[9007199254740993, 0.5], shape=[2]} "
      "return %y }",
      "may hold nothing but integers");
  check_error("graph(%x: s64[1]) { %y = add(%x, 9223372036854775808) return %y }", "cannot hold");
}

TEST_CASE("text: arguments and results keep names that are numbers") {
  const Graph g = parse(
      "graph(%1: f32[2], %0: f32[2]) { %2 = exp(%0) %y = add(%2, %1) %3 = neg(%y) "
      "return %3, %2 }");
  CHECK(g.find_argument("0") == 1);
  CHECK(g.outputs()[0].name == "3");
  CHECK(g.outputs()[1].name == "2");
  const Graph again = parse(print(g));
  CHECK(again.find_argument("0") == 1);
  CHECK(again.find_argument("1") == 0);
  CHECK(print(again) == print(g));
}

TEST_CASE("text: nesting is bounded") {
  std::string deep = "graph(%x: f32[2]) { %y = custom_vjp(%x)";
  for (int i = 0; i < 5000; ++i) deep += "(%a) { %b = custom_vjp(%a)";
  CHECK_THROWS_AS(parse(deep), GraphError);
}

TEST_CASE("ops: the table is sorted, and every op has a doc line and an inference") {
  std::string_view last;
  for (const OpDef* op : ops::table()) {
    CHECK(last < op->name);
    last = op->name;
    CHECK_MESSAGE(!op->doc.empty(), op->name);
    CHECK_MESSAGE((op->infer != nullptr), op->name);
    CHECK(ops::find(op->name) == op);
  }
}

TEST_CASE("specialize: a carry [H] does not become a row carry when H happens to be B") {
  const Graph g = parse(R"(graph(%s: f32[B,H], %n: f32[H], %len: s32[B]) {
    %sN, %nN = scan(%s, %n; ; ; %len) {steps=T}
    (%s, %n, %live) {
      %m = add(%n, 1)
      yield %s, %m
    }
    return %sN, %nN
  })");
  const Graph bound = specialize(g, {{"B", 3}, {"H", 3}, {"T", 2}});
  const ops::ScanParts parts(OpView(bound, bound.nodes()[0]));
  CHECK(parts.row_carry == std::vector<bool>{true, false});
  CHECK(print(parse(print(bound))) == print(bound));
}
