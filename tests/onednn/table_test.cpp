// tests/onednn/table_test.cpp -- the lowering table against the op table, and every op against the
// reference.
#include "backends/onednn/lower/table.h"

#include "ir/ops/table.h"
#include "ir/text/text.h"
#include "tests/onednn/compare.h"
#include "tests/support/op_samples.h"

#include <doctest/doctest.h>

using namespace weft;

TEST_CASE("table: every op has a lowering, or is marked as running through its expansion") {
  for (const ir::OpDef* op : ir::ops::table()) {
    CAPTURE(std::string(op->name));
    const onednn::Lowering* lowering = onednn::find_lowering(op);
    REQUIRE(lowering != nullptr);
    const bool expands = op->expand != nullptr || op->regions > 0;
    CHECK((lowering->lower != nullptr || expands));
  }
  CHECK(onednn::lowerings().size() == ir::ops::table().size());
}

TEST_CASE("table: every op agrees with the reference on samples") {
  for (const ir::OpDef* op : ir::ops::table()) {
    CAPTURE(std::string(op->name));
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      CAPTURE(seed);
      for (const ir::Graph& graph : tests::samples(*op, seed)) {
        if (ir::print(graph).find("f64") != std::string::npos) {
          CHECK_THROWS_AS(onednn::compile(graph, tests::sample_bindings(graph, seed)),
                          ir::GraphError);
          continue;
        }
        const ir::Bindings bindings = tests::sample_bindings(graph, seed);
        try {
          tests::check_same(graph, tests::sample_arguments(graph, bindings, seed, ir::DType::f32),
                            {.bindings = bindings, .seed = seed});
        } catch (const std::exception& e) {
          FAIL_CHECK(std::string(e.what()) << "\n" << ir::print(graph));
        }
      }
    }
  }
}
