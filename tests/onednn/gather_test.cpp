// tests/onednn/gather_test.cpp -- look-ups with indices of their own for each of a batch.
#include "ir/error.h"
#include "ir/text/text.h"
#include "tests/onednn/compare.h"
#include "tests/support/op_samples.h"

#include <doctest/doctest.h>

using namespace weft;

TEST_CASE(
    "gather, scatter_add: a batch of look-ups, of single elements and of rows, with axes between") {
  for (const char* text :
       {"graph(%x: f32[B,40], %i_below_40: s32[B,60]) { %y = gather(%x, %i_below_40) {axis=1, "
        "batch=1} return %y }",
        "graph(%x: f32[B,3,9,2,17], %i_below_2: s64[B,5]) { %y = gather(%x, %i_below_2) {axis=3, "
        "batch=1} return %y }",
        "graph(%x: s64[B,7,3], %i_below_7: s32[B,4]) { %y = gather(%x, %i_below_7) {axis=1, "
        "batch=1} return %y }",
        "graph(%x: f32[2,B,40], %i_below_40: s32[2,B,60], %u: f32[2,B,60]) { %y = "
        "scatter_add(%x, %i_below_40, %u) {axis=2, batch=2} return %y }",
        "graph(%x: f32[B,3,5,17], %i_below_5: s64[B,6], %u: f32[B,3,6,17]) { %y = "
        "scatter_add(%x, %i_below_5, %u) {axis=2, batch=1} return %y }",
        "graph(%x: f32[3,5,2], %i_below_5: s32[B], %u: f32[3,B,2]) { %y = scatter_add(%x, "
        "%i_below_5, %u) {axis=1} return %y }"})
    for (const int64_t batch : {0, 1, 5}) {
      CAPTURE(text);
      tests::check_same(text, {.bindings = {{"B", batch}}});
    }
}

TEST_CASE(
    "gather, scatter_add: an index out of range in a batch of look-ups is named with its place") {
  const auto said = [](const char* text, std::vector<ir::Array> arguments) {
    try {
      tests::run_onednn(ir::parse(text), arguments);
    } catch (const ir::GraphError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  const ir::Array x = ir::Array::of(ir::DType::f32, {2, 3}, std::vector<double>(6, 1)),
                  i = ir::Array::of(ir::DType::s32, {2, 2}, std::vector<int64_t>{0, 2, 3, 1}),
                  u = ir::Array::of(ir::DType::f32, {2, 2}, std::vector<double>(4, 1));
  for (const std::string& message :
       {said(
            "graph(%x: f32[2,3], %i: s32[2,2]) { %y = gather(%x, %i) {axis=1, batch=1} return %y }",
            {x, i}),
        said("graph(%x: f32[2,3], %i: s32[2,2], %u: f32[2,2]) { %y = scatter_add(%x, %i, %u) "
             "{axis=1, batch=1} return %y }",
             {x, i, u})})
    CHECK(message.find("reads index 3 at [1,0] of %i, needs 0 to 2") != message.npos);
}
