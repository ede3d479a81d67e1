// tests/reference/backend_test.cpp -- arguments, bindings and results of the reference backend.
#include "backends/backend.h"

#include "backends/reference/eval/table.h"
#include "ir/ops/table.h"
#include "tests/reference/evaluate.h"

using namespace weft;
using namespace weft::test;

TEST_CASE("reference: every op has an evaluation or an expansion") {
  for (const ir::OpDef* op : ir::ops::table()) {
    const bool evaluated = backends::reference::find_evaluation(*op) != nullptr;
    CHECK_MESSAGE(evaluated != (op->expand != nullptr), std::string(op->name));
  }
}

TEST_CASE("reference: evaluations are sorted by op") {
  std::string last;
  for (const backends::reference::Evaluation* e : backends::reference::evaluations()) {
    CHECK(last < e->op->name);
    last = e->op->name;
  }
}

TEST_CASE("infer_bindings: sizes are read off plain symbols, other dims are compared") {
  const ir::Graph graph = ir::parse("graph(%a: f32[T+1,B], %b: f32[B,T]) { return %a, %b }");
  const ir::Bindings bindings =
      backends::infer_bindings(graph, std::vector<Array>{floats({4, 2}, {}), floats({2, 3}, {})});
  CHECK(bindings == ir::Bindings{{"B", 2}, {"T", 3}});
}

TEST_CASE("infer_bindings: a conflict names the argument, the dim and what fixed it") {
  const ir::Graph graph =
      ir::parse("graph(%a: f32[B,3], %b: f32[B,T], %c: f32[T+1]) { return %a, %b, %c }");
  const auto error = [&](Dims a, Dims b, Dims c, const ir::Bindings& given = {}) {
    return error_of([&] {
      backends::infer_bindings(
          graph,
          std::vector<Array>{Array(DType::f32, a), Array(DType::f32, b), Array(DType::f32, c)},
          given);
    });
  };
  CHECK(error({2, 3}, {2, 5}, {6}).empty());
  CHECK(mentions(
      error({2, 3}, {4, 5}, {6}),
      "argument %b: f32[B,T] needs 2 elements along axis 0 (B), found 4; B = 2 by axis 0 of %a"));
  CHECK(mentions(error({2, 4}, {2, 5}, {6}),
                 "argument %a: f32[B,3] needs 3 elements along axis 1 (3), found 4"));
  CHECK(mentions(
      error({2, 3}, {2, 5}, {5}),
      "argument %c: f32[T+1] needs 6 elements along axis 0 (T+1), found 5; T = 5 by axis 1 of %b"));
  CHECK(mentions(error({2, 3}, {2, 5}, {6}, {{"T", 4}}), "T = 4 by the bindings given"));
  CHECK(mentions(error({2, 3, 1}, {2, 5}, {6}),
                 "argument %a: f32[B,3] has rank 2, found an array of [2,3,1]"));
  CHECK(mentions(error_of([&] { backends::infer_bindings(graph, {}); }),
                 "takes 3 arguments, found 0"));
}

TEST_CASE("infer_bindings: a symbol that no plain dim gives must be bound") {
  const ir::Graph graph = ir::parse("graph(%a: f32[2*N]) { return %a }");
  const std::vector<Array> arguments{floats({6}, {})};
  CHECK(mentions(error_of([&] { backends::infer_bindings(graph, arguments); }), "2*N"));
  CHECK(backends::infer_bindings(graph, arguments, {{"N", 3}}) == ir::Bindings{{"N", 3}});
}

TEST_CASE("evaluate: floats are read unrounded and never rounded to f32") {
  const double x = 0.1;
  check_values(run("graph(%x: f32[1]) { %y = add(%x, 0) return %y }", {floats({1}, {x})})[0], {1},
               {x});
  check_values(
      run("graph(%x: f32[1]) { %y = add(%x, 0) return %y }", {array(DType::f32, {1}, {x})})[0], {1},
      {double(float(x))});
  CHECK(mentions(error_of([] { run("graph(%x: s32[1]) { return %x }", {floats({1}, {1})}); }),
                 "argument %x is s32[1], found an array of f64"));
  CHECK(mentions(error_of([] { run("graph(%x: s32[1]) { return %x }", {longs({1}, {1})}); }),
                 "found an array of s64"));
}

TEST_CASE("evaluate_values: every value of the graph at its id") {
  const ir::Graph graph = ir::parse(
      "graph(%x: f32[N]) { %y = neg(%x) %k = iota() {shape=[N], dtype=s32} %z = exp(%y) return %z "
      "}");
  const auto values = backends::reference::evaluate_values(graph, {floats({2}, {0, 0})});
  CHECK(values.size() == static_cast<size_t>(graph.value_count()));
  check_values(values[static_cast<size_t>(graph.outputs()[0].value.id)], {2}, {1, 1});
  check_values(values[static_cast<size_t>(graph.nodes()[1].results[0].id)], {2}, {0, 1});
}

TEST_CASE("executable: writes the dtype that the results have, donated buffers included") {
  const ir::Graph graph = ir::parse("graph(%x: f32[N]) { %y = div(%x, 3) return %y, %x }");
  const auto executable = backends::make_reference()->compile(graph, {{"N", 2}});
  const std::vector<Array> arguments{floats({2}, {1, 2})};
  std::vector<Array> results = backends::allocate_results(graph, {{"N", 2}});
  CHECK(results[0].dtype() == DType::f32);
  executable->run(arguments, results);
  check_values(results[0], {2}, {double(1 / 3.0f), double(2 / 3.0f)});
  std::vector<Array> wide{arguments[0],
                          floats({2}, {0, 0})};  // the first is the argument's own buffer
  executable->run(arguments, wide);
  check_values(wide[0], {2}, {1 / 3.0, 2 / 3.0});
  check_values(wide[1], {2}, {1, 2});

  std::vector<Array> narrow{floats({1}, {0}), floats({2}, {0, 0})};
  CHECK(mentions(error_of([&] { executable->run(arguments, narrow); }),
                 "result 'y' is f32[2], found room for f64[1]"));
  CHECK(mentions(error_of([&] {
                   executable->run(std::vector<Array>{floats({3}, {1, 2, 3})}, wide);
                 }),
                 "argument %x: f32[N]"));
}
