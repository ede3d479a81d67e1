// tests/passes/prologue_test.cpp -- what a graph computes from its parameters alone.
#include "ir/rewrite/prologue.h"

#include "ir/text/text.h"
#include "ir/verify.h"

#include <doctest/doctest.h>

using namespace weft;

namespace {

void splits(const std::string& graph, const std::string& prologue, const std::string& rest) {
  const ir::Prologue found = ir::split_prologue(ir::parse(graph));
  ir::verify(found.prologue);
  ir::verify(found.rest);
  CHECK(ir::print(found.prologue) == ir::print(ir::parse(prologue)));
  CHECK(ir::print(found.rest) == ir::print(ir::parse(rest)));
}

}  // namespace

TEST_CASE("prologue: a concatenation of weights is made once, products with it stay") {
  splits(
      "graph @step(parameter %a: f32[2,3] {path=\"a\"}, parameter %b: f32[2,3] {path=\"b\"},"
      " input %x: f32[B,2]) -> (y: f32[B,6]) {"
      " %w = concat(%a, %b) {axis=1} %y = matmul(%x, %w) return %y }",
      "graph @step_prologue(parameter %a: f32[2,3] {path=\"a\"}, parameter %b: f32[2,3] "
      "{path=\"b\"}) -> (prologue.0: f32[2,6]) { %w = concat(%a, %b) {axis=1} return %w }",
      "graph @step(parameter %a: f32[2,3] {path=\"a\"}, parameter %b: f32[2,3] {path=\"b\"},"
      " input %x: f32[B,2], input %prologue.0: f32[2,6]) -> (y: f32[B,6]) {"
      " %y = matmul(%x, %prologue.0) return %y }");
}

TEST_CASE("prologue: views of parameters, and what has a size of the batch, stay") {
  const ir::Prologue found = ir::split_prologue(ir::parse(
      "graph @step(parameter %a: f32[2,3] {path=\"a\"}, parameter %b: f32[2] {path=\"b\"},"
      " input %x: f32[B,3]) {"
      " %t = transpose(%a) {perm=[1,0]} %c = broadcast(%b) {shape=[B,2]} %e = exp(%c)"
      " %y = matmul(%x, %t) %z = add(%y, %e) return %z }"));
  CHECK(found.prologue.outputs().empty());
  CHECK(found.prologue.nodes().empty());
  CHECK(found.rest.nodes().size() == 5);
}

TEST_CASE("prologue: behind a view in the rest stands what is computed once") {
  const ir::Prologue found = ir::split_prologue(ir::parse(
      "graph @step(parameter %a: f32[2,3] {path=\"a\"}, input %x: f32[B,3]) {"
      " %e = exp(%a) %t = transpose(%e) {perm=[1,0]} %y = matmul(%x, %t) return %y, %e }"));
  REQUIRE(found.prologue.outputs().size() == 1);
  CHECK(found.prologue.nodes().size() == 1);
  CHECK(found.rest.nodes().size() == 2);
}
