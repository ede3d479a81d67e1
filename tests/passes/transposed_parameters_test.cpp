// tests/passes/transposed_parameters_test.cpp -- matrices among parameters, read the other way round.
#include "ir/rewrite/transposed_parameters.h"

#include "ir/text/text.h"
#include "ir/verify.h"

#include <doctest/doctest.h>

using namespace weft;

namespace {

void becomes(const std::string& graph, const std::string& wanted) {
  const ir::Graph found = ir::with_transposed_parameters(
      ir::parse(graph), [](std::string_view path) { return path != "c"; });
  ir::verify(found);
  CHECK(ir::print(found) == ir::print(ir::parse(wanted)));
}

}  // namespace

TEST_CASE("transposed parameters: a matrix is turned round where it is read, others stay") {
  becomes(
      "graph @g(parameter %a: f32[2,3] {path=\"a\"}, parameter %b: f32[3] {path=\"b\"},"
      " parameter %c: f32[3,4] {path=\"c\"}, input %x: f32[B,2]) -> (y: f32[B,4]) {"
      " %y = matmul(%x, %a) %z = add(%y, %b) %r = matmul(%z, %c) return %r }",
      "graph @g(parameter %a: f32[3,2] {path=\"a^T\"}, parameter %b: f32[3] {path=\"b\"},"
      " parameter %c: f32[3,4] {path=\"c\"}, input %x: f32[B,2]) -> (y: f32[B,4]) {"
      " %0 = transpose(%a) {perm=[1,0]} %y = matmul(%x, %0) %z = add(%y, %b)"
      " %r = matmul(%z, %c) return %r }");
}

TEST_CASE("transposed parameters: a concat and a cast of them are made as they lie") {
  becomes(
      "graph @g(parameter %a: f32[2,3] {path=\"a\"}, parameter %b: f32[2,4] {path=\"b\"},"
      " input %x: f32[B,2]) -> (y: bf16[2,7], z: f32[B,3]) {"
      " %w = concat(%a, %b) {axis=1} %h = cast(%w) {dtype=bf16}"
      " %z = matmul(%x, %a) return %h, %z }",
      "graph @g(parameter %a: f32[3,2] {path=\"a^T\"}, parameter %b: f32[4,2] {path=\"b^T\"},"
      " input %x: f32[B,2]) -> (y: bf16[2,7], z: f32[B,3]) {"
      " %0 = concat(%a, %b) {axis=0} %1 = cast(%0) {dtype=bf16} %2 = transpose(%a) {perm=[1,0]}"
      " %z = matmul(%x, %2) %3 = transpose(%1) {perm=[1,0]} return %3, %z }");
}

TEST_CASE("transposed parameters: a concat with another value is one of matrices turned back") {
  becomes(
      "graph @g(parameter %a: f32[2,3] {path=\"a\"}, parameter %c: f32[2,3] {path=\"c\"})"
      " -> (y: f32[4,3]) { %w = concat(%a, %c) {axis=0} return %w }",
      "graph @g(parameter %a: f32[3,2] {path=\"a^T\"}, parameter %c: f32[2,3] {path=\"c\"})"
      " -> (y: f32[4,3]) { %0 = transpose(%a) {perm=[1,0]} %w = concat(%0, %c) {axis=0} return %w "
      "}");
}
