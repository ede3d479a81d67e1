// tests/onednn/plan_test.cpp -- places: views, reuse, donation, what a run may allocate.
#include "backends/onednn/kernels/gemm.h"
#include "backends/onednn/kernels/isa.h"
#include "backends/reference/reference.h"
#include "ir/text/text.h"
#include "tests/onednn/compare.h"
#include "tests/support/op_samples.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace weft;
using tests::check_same;

TEST_CASE("softmax: along an axis behind which there is one element") {
  check_same(
      "graph(%x: f32[2,3,1]) { %s = softmax(%x) {axis=1} %l = log_softmax(%x) {axis=1} return %s, "
      "%l }");
}

TEST_CASE("plan: a chain of elementwise ops is one kernel without an arena") {
  const ir::Graph g = ir::parse(
      "graph(%x: f32[8,100], %y: f32[100]) { %a = mul(%x, %y) %b = add(%a, %x) %c = tanh(%b) %d = "
      "mul(%c, 2.0) return %d }");
  const auto e = onednn::compile(g, {});
  CHECK(e->plan_text().find("mul+add+tanh+mul: elementwise") != std::string::npos);
  check_same(ir::print(g));
  check_same(ir::print(g), {.group = false});
}

TEST_CASE("plan: views cost nothing where readers follow strides, a copy where they cannot") {
  const ir::Graph free = ir::parse(
      "graph(%x: f32[6,8]) { %s = slice(%x) {axis=1, start=2, stop=6} %t = transpose(%s) "
      "{perm=[1,0]} %y = exp(%t) return %y }");
  CHECK(onednn::compile(free, {})->plan_text().find("copy") == std::string::npos);
  check_same(ir::print(free));
  check_same(
      "graph(%x: f32[6,8]) { %t = transpose(%x) {perm=[1,0]} %r = reshape(%t) {shape=[48]} %s = "
      "cumsum(%r) {axis=0} return %s, %t, %r }");
  check_same(
      "graph(%x: f32[6,8]) { %r = reverse(%x) {axis=0} %s = softmax(%r) %m = sum(%r) {axes=[0]} %q "
      "= reshape(%r) {shape=[3,16]} return %r, %s, %m, %q }");
  check_same(
      "graph(%x: f32[1,8]) { %b = broadcast(%x) {shape=[5,8]} %m = max(%b) {axes=[1]} %c = "
      "concat(%b, %b) {axis=0} return %b, %m, %c }");
}

TEST_CASE("plan: outputs that are arguments, constants, views, or one value twice") {
  check_same(
      "graph(%x: f32[2,3]) { %c = constant() {shape=[4], values=[0.5]} %r = reshape(%x) "
      "{shape=[6]} %y = neg(%x) %z = reshape(%y) {shape=[3,2]} return %x, %c, %r, %y, %y, %z }");
}

TEST_CASE("plan: memory is used again when its last reader is done") {
  std::string body = "graph(%x: f32[64,64]) { %v0 = softmax(%x)";
  for (int i = 1; i < 20; ++i)
    body += " %v" + std::to_string(i) + " = matmul(%v" + std::to_string(i - 1) + ", %x)";
  const ir::Graph g = ir::parse(body + " return %v19 }");
  // Of the values, and of what a product lays out: each product the same place again.
  const auto laid_out =
      static_cast<int64_t>(onednn::kernels::gemm_workspace_bytes({.columns = 64, .depth = 64}));
  CHECK(onednn::compile(g, {})->arena_bytes() <= 3 * 64 * 64 * 4 + laid_out);
  onednn::ExecutableOptions keep;
  keep.keep_all = true;
  CHECK(onednn::compile(g, {}, keep)->arena_bytes() >= 19 * 64 * 64 * 4);
}

TEST_CASE("plan: with keep_all every value can be read") {
  const ir::Graph g = ir::parse(
      "graph(%x: f32[4,4]) { %a = exp(%x) %b = matmul(%a, %x) %c = tanh(%b) %d = reshape(%c) "
      "{shape=[16]} return %d }");
  onednn::ExecutableOptions keep;
  keep.keep_all = true;
  const auto e = onednn::compile(g, {}, keep);
  const auto arguments = tests::sample_arguments(g, {}, 1, ir::DType::f32);
  auto results = backends::allocate_results(g, {});
  e->run(arguments, results);
  const auto want = backends::reference::evaluate_values(e->graph(), arguments);
  for (int id = 0; id < e->graph().value_count(); ++id)
    CHECK(tests::difference(e->value({id}), want[static_cast<size_t>(id)], 1e-5) == "");
}

namespace {

// Runs with the results of `shared` in the donated arguments' buffers.
void check_donated(const std::string& text, const std::vector<std::pair<int, int>>& shared,
                   bool copies) {
  ir::Graph g = ir::parse(text);
  for (const auto& [argument, result] : shared) g.set_donated(argument, true);
  std::vector<ir::Array> arguments = tests::sample_arguments(g, {}, 1, ir::DType::f32);
  const std::vector<ir::Array> want = backends::reference::evaluate(g, arguments);
  const auto e = onednn::compile(g, {});
  std::vector<ir::Array> results = backends::allocate_results(g, {});
  for (const auto& [argument, result] : shared)
    results[static_cast<size_t>(result)] = arguments[static_cast<size_t>(argument)];
  e->run(arguments, results);
  for (size_t j = 0; j < results.size(); ++j)
    CHECK(tests::difference(results[j], want[j], 1e-5) == "");
  CHECK(e->notes().empty() == !copies);
}

}  // namespace

TEST_CASE("donation: a result lies in an argument's buffer where that is safe, else it is copied") {
  check_donated("graph(%p: f32[4,4], %g: f32[4,4]) { %y = sub(%p, %g) return %y }", {{0, 0}},
                false);
  check_donated("graph(%p: f32[4,4], %g: f32[4,4]) { %y = matmul(%p, %g) return %y }", {{0, 0}},
                true);
  check_donated(
      "graph(%p: f32[4,4], %g: f32[4,4]) { %y = sub(%p, %g) %z = matmul(%p, %y) return %y, %z }",
      {{0, 0}}, true);
  check_donated(
      "graph(%p: f32[4,4], %g: f32[4,4]) { %z = matmul(%p, %g) %y = exp(%g) return %y, %z }",
      {{0, 0}}, false);
  check_donated("graph(%a: f32[4], %b: f32[4]) { return %b, %a }", {{0, 0}, {1, 1}}, true);
  check_donated(
      "graph(%a: f32[4], %b: f32[4]) { %t = reshape(%a) {shape=[2,2]} %u = transpose(%t) "
      "{perm=[1,0]} %v = reshape(%b) {shape=[2,2]} %y = add(%u, %v) %z = reshape(%y) {shape=[4]} "
      "return %z }",
      {{0, 0}}, true);
  check_donated(
      "graph(%cache: f32[3,8,2], %x: f32[3,1,2], %at_upto_9: s32[]) { %y = update_slice(%cache, "
      "%x, %at_upto_9) {axis=1} return %y }",
      {{0, 0}}, false);
  check_donated(
      "graph(%p: f32[5,3], %q: f32[7], %g: f32[5,3], %h: f32[7], %m: f32[5,3], %n: f32[7], "
      "%positive_v: f32[5,3], %positive_w: f32[7], %step_below_9: s64[], %lr: f32[]) {"
      " %p1, %q1, %m1, %n1, %v1, %w1 = adam_update(%p, %q; %g, %h; %m, %n; %positive_v, "
      "%positive_w; %step_below_9, %lr) return %p1, %q1, %m1, %n1, %v1, %w1 }",
      {{0, 0}, {1, 1}, {4, 2}, {5, 3}, {6, 4}, {7, 5}}, false);
}

TEST_CASE("matmul: sizes of 0 and 1, primes, broadcast batches, transposes") {
  for (const int64_t m : {0, 1, 2, 7})
    for (const int64_t k : {0, 1, 3})
      for (const int64_t n : {0, 1, 5})
        for (const bool ta : {false, true})
          for (const bool tb : {false, true})
            for (const auto& [la, lb] : {std::pair{"", ""},
                                         {"3,", ""},
                                         {"3,", "3,"},
                                         {"2,1,", "3,"},
                                         {"1,", "3,"},
                                         {"0,", "0,"},
                                         {"2,3,", "1,1,"},
                                         {"", "3,"}}) {
              const auto matrix = [](int64_t r, int64_t c, bool t) {
                return std::to_string(t ? c : r) + "," + std::to_string(t ? r : c) + "]";
              };
              const std::string sizes = std::string("graph(%a: f32[") + la + matrix(m, k, ta) +
                                        ", %b: f32[" + lb + matrix(k, n, tb);
              check_same(sizes + ") { %y = matmul(%a, %b) {transpose_a=" + (ta ? "true" : "false") +
                         ", transpose_b=" + (tb ? "true" : "false") + "} return %y }");
            }
}

TEST_CASE("linear: bias and every activation, sizes of 0 and 1") {
  for (const char* activation : {"none", "relu", "tanh", "sigmoid", "gelu", "gelu_tanh", "silu"})
    for (const char* x : {"[6,4]", "[2,3,4]", "[4]", "[1,4]", "[0,4]"})
      check_same(std::string("graph(%x: f32") + x +
                 ", %w: f32[4,5], %b: f32[5]) { %y = linear(%x, %w; %b) {activation=\"" +
                 activation + "\"} return %y }");
  check_same(
      "graph(%x: f32[3,0], %w: f32[0,5], %b: f32[5]) { %y = linear(%x, %w; %b) "
      "{activation=\"tanh\"} return %y }");
}

TEST_CASE("errors: data that does not fit is refused by name") {
  const ir::Graph g = ir::parse(
      "graph(%x: f32[2,3], %i: s32[4]) { %y = gather(%x, %i) {axis=0} return %y }", "user.ir");
  const auto message = [&](const std::vector<ir::Array>& arguments) -> std::string {
    auto results = backends::allocate_results(g, {});
    try {
      onednn::compile(g, {})->run(arguments, results);
    } catch (const ir::GraphError& e) {
      return e.what();
    }
    return "";
  };
  const ir::Array x(ir::DType::f32, {2, 3});
  const std::string index = message({x, ir::Array::of<int>(ir::DType::s32, {4}, {0, 1, 7, -1})});
  CHECK(index.find("user.ir:1") != std::string::npos);
  CHECK(index.find("'gather' reads index 7 at [2] of %i") != std::string::npos);
  CHECK(message({x}).find("takes 2 arguments, found 1") != std::string::npos);
  CHECK(message({ir::Array(ir::DType::f32, {3, 2}), ir::Array(ir::DType::s32, {4})})
            .find("argument 'x' needs f32[2,3], found f32[3,2]") != std::string::npos);
  CHECK(message({ir::Array(ir::DType::s32, {2, 3}), ir::Array(ir::DType::s32, {4})})
            .find("found s32[2,3]") != std::string::npos);
}

TEST_CASE("errors: f64 and arithmetic on f16 are refused by name") {
  CHECK_THROWS_WITH_AS(
      onednn::compile(ir::parse("graph(%x: f64[2]) { %y = neg(%x) return %y }"), {}),
      doctest::Contains("%x: f64[2] is of f64"), ir::GraphError);
  CHECK_THROWS_WITH_AS(
      onednn::compile(ir::parse("graph(%x: f16[2]) { %y = neg(%x) return %y }"), {}),
      doctest::Contains("cast it to f32 first"), ir::GraphError);
  check_same(
      "graph(%x: f32[7]) { %h = cast(%x) {dtype=f16} %b = cast(%x) {dtype=bf16} %y = cast(%h) "
      "{dtype=f32} %z = cast(%b) {dtype=f32} %r = reverse(%h) {axis=0} %s = cast(%r) {dtype=f32} "
      "return %y, %z, %s }");
}

TEST_CASE("check_nan: the first node that makes one is named, with its line") {
  const ir::Graph g = ir::parse(
      "graph(%x: f32[3]) {\n %a = add(%x, 1.0)\n %l = log(%x)\n %y = mul(%a, %l)\n return %y }",
      "user.ir");
  onednn::ExecutableOptions options;
  options.check_nan = true;
  const auto e = onednn::compile(g, {}, options);
  auto results = backends::allocate_results(g, {});
  e->run({{ir::Array::of<double>(ir::DType::f32, {3}, {1, 2, 3})}}, results);
  CHECK_THROWS_WITH_AS(e->run({{ir::Array::of<double>(ir::DType::f32, {3}, {1, -2, 3})}}, results),
                       doctest::Contains("user.ir:3: error: 'log' makes a NaN"), ir::GraphError);
}

TEST_CASE("profile: every kernel has a row") {
  const ir::Graph g =
      ir::parse("graph(%x: f32[2,64,64]) { %a = matmul(%x, %x) %s = softmax(%a) return %s }");
  onednn::ExecutableOptions options;
  options.profile = true;
  const auto e = onednn::compile(g, {}, options);
  auto results = backends::allocate_results(g, {});
  e->run(tests::sample_arguments(g, {}, 1, ir::DType::f32), results);
  const std::string text = e->profile_text();
  const auto has = [&](const char* name) { return text.find(name) != std::string::npos; };
  CHECK((has("matmul gemm:") || has("matmul brg")));  // what oneDNN chooses, by processor
  CHECK(has("softmax"));
}

TEST_CASE("profile: runs can be forgotten") {
  const ir::Graph g = ir::parse("graph(%x: f32[3]) { %y = exp(%x) return %y }");
  onednn::ExecutableOptions options;
  options.profile = true;
  const auto e = onednn::compile(g, {}, options);
  auto results = backends::allocate_results(g, {});
  const auto run = [&] { e->run(tests::sample_arguments(g, {}, 1, ir::DType::f32), results); };
  run();
  run();
  CHECK(e->report().runs == 2);
  e->reset_timings();
  CHECK(e->report().runs == 0);
  CHECK(e->report().kernels.at(0).calls == 0);
  run();
  CHECK(e->report().runs == 1);
  CHECK(e->report().kernels.at(0).calls == 1);
}

TEST_CASE("matmul: an operand of which no product reads rows or columns is brought in line first") {
  for (const char* text :
       {"graph(%x: f32[40,10], %w: f32[30,50]) { %s = slice(%w) {axis=1, stop=50, step=2} %t = "
        "slice(%s) {axis=0, stop=30, step=3} %y = matmul(%x, %t) return %y }",
        "graph(%x: f32[40,60], %w: f32[30,50]) { %s = slice(%x) {axis=1, stop=60, step=2} %y = "
        "matmul(%s, %w) return %y }"}) {
    check_same(text);
    CHECK(onednn::compile(ir::parse(text), {})->plan_text().find("copy") != std::string::npos);
  }
}

TEST_CASE("linear: a residual is added to where it lies if nobody else reads it") {
  const auto check = [](const char* results, int copies) {
    const std::string text = std::string(
                                 "graph(%x: f32[B,5], %w: f32[5,7], %r: f32[B,7], %b: f32[7]) {"
                                 " %t = tanh(%r) %y = linear(%x, %w; ; %t)"
                                 " %z = linear(%x, %w; %b; %y) ") +
                             results;
    for (const int64_t batch : {0, 1, 3, 70}) {
      check_same(text, {.bindings = {{"B", batch}}});
      if (batch == 0) continue;
      const std::string plan = onednn::compile(ir::parse(text), {{"B", batch}})->plan_text();
      int found = 0;
      for (size_t at = plan.find("copy"); at != plan.npos; at = plan.find("copy", at + 1)) ++found;
      INFO(plan);
      CHECK(found == copies);
    }
  };
  check("return %z }", 0);
  // Of %t, which is read again; our own products add it on the way to where they store.
  const bool own = onednn::kernels::info(onednn::kernels::isa()).gemm_beats_onednn;
  check("%u = tanh(%t) return %z, %u }", own ? 0 : 1);
}
