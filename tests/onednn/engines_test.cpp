// tests/onednn/engines_test.cpp -- every engine computes the same, and each runs its own code.
#include "backends/onednn/kernels/isa.h"
#include "backends/onednn/lower/choice.h"
#include "backends/onednn/lower/matmul_primitive.h"
#include "ir/text/text.h"
#include "tests/onednn/compare.h"
#include "tests/support/op_samples.h"

#include <doctest/doctest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

using namespace weft;
using backends::EngineChoice;

namespace {

constexpr EngineChoice kEngines[] = {EngineChoice::best, EngineChoice::onednn, EngineChoice::weft};

void check_engines(const std::string& text, const ir::Bindings& bindings) {
  for (const EngineChoice engine : kEngines) {
    CAPTURE(backends::name(engine));
    tests::check_same(text, {.bindings = bindings, .engine = engine});
  }
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

std::string plan(const std::string& text, const ir::Bindings& bindings, EngineChoice engine) {
  onednn::ExecutableOptions options;
  options.engine = engine;
  return onednn::compile(ir::parse(text), bindings, options)->plan_text();
}

const std::string kLinear = R"(graph(%x: f32[M,96], %W: f32[96,70], %b: f32[70], %r: f32[M,70]) {
  %y = linear(%x, %W; %b) {activation="relu"}
  %z = linear(%x, %W; %b; %r)
  %u = matmul(%y, %W) {transpose_b=true}
  %t = linear(%x, %W; %b) {activation="tanh"}
  return %z, %u, %t })";

// A training step's products: of real rows only, and the gradient of weights, a sum over those.
const std::string kPacked = R"(graph(%x: f32[T,B,40], %W: f32[40,66], %b: f32[66], %d: f32[T,B,66],
    %length_upto_4: s32[B]) {
  %p = pack(%x, %length_upto_4)
  %q = pack(%d, %length_upto_4)
  %y = linear(%p, %W; %b) {activation="relu"}
  %g = matmul(%q, %W) {transpose_b=true}
  %w = matmul(%p, %q) {transpose_a=true}
  %u = unpack(%y, %length_upto_4) {steps=T}
  %v = unpack(%g, %length_upto_4) {steps=T}
  return %u, %v, %w })";

}  // namespace

TEST_CASE("engines: products of few rows, of many, and of those a team shares by tiles") {
  for (const int64_t rows : {1, 7, 64, 100, 517, 1030}) check_engines(kLinear, {{"M", rows}});
}

TEST_CASE("engines: products of rows whose number is known at run time") {
  const ir::Graph graph = ir::parse(kPacked);
  for (const int64_t batch : {1, 30, 270}) {
    const ir::Bindings bindings{{"T", 4}, {"B", batch}};
    std::vector<ir::Array> arguments = tests::sample_arguments(graph, bindings, 1, ir::DType::f32);
    const int lengths = graph.find_argument("length_upto_4");
    for (const int64_t longest : {4, 3, 0})
      for (const EngineChoice engine : kEngines) {
        CAPTURE(batch);
        CAPTURE(longest);
        CAPTURE(backends::name(engine));
        ir::Array& array = arguments[static_cast<size_t>(lengths)];
        for (int64_t b = 0; b < batch; ++b) array.set_integer(b, (b * 7 + longest) % (longest + 1));
        tests::check_same(graph, arguments, {.bindings = bindings, .engine = engine});
      }
  }
}

TEST_CASE("engines: what oneDNN refuses is said once for a kind of op and operands") {
  const ir::Graph graph = ir::parse(
      "graph(%x: f32[B,8], %W: f32[8,8]) { %y = matmul(%x, %W) %m = max(%y) {axes=[-1]} "
      "%s = sum(%y) {axes=[0]} %t = sum(%x) {axes=[0]} return %m, %s, %t }");
  std::vector<std::string> said;
  const auto backend = backends::make_onednn(EngineChoice::onednn);
  backend->on_refusal([&](const std::string& what) { said.push_back(what); });
  backend->compile(graph, {{"B", 3}});
  const size_t kinds = said.size();
  REQUIRE(kinds >= 1);
  CHECK(std::count_if(said.begin(), said.end(),
                      [](const std::string& s) { return has(s, "'sum' of f32[3,8] runs"); }) == 1);
  CHECK(std::none_of(said.begin(), said.end(),
                     [](const std::string& s) { return has(s, "matmul"); }));
  backend->compile(graph, {{"B", 5}});
  CHECK(said.size() == kinds);
  CHECK(has(plan(ir::print(graph), {{"B", 3}}, EngineChoice::onednn), "'sum' of f32[3,8] runs"));
  CHECK_FALSE(has(plan(ir::print(graph), {{"B", 3}}, EngineChoice::best), "runs Weft's code"));
}

TEST_CASE("engines: softmax of lanes of -inf, norms and their adjoints") {
  check_engines(R"(graph(%x: f32[5,9], %s: f32[9], %t: f32[9], %d: f32[5,9]) {
      %y, %mean, %rstd = layer_norm(%x; %s; %t) {statistics=true}
      %dx, %ds, %dt = layer_norm_grad(%d, %x, %mean, %rstd; %s; %t) {wanted=["x","scale","shift"]}
      %p = softmax(%x)
      %q = log_softmax(%x) {axis=0}
      return %y, %dx, %ds, %dt, %p, %q })",
                {});
  const ir::Graph graph = ir::parse(
      "graph(%x: f32[4,6]) { %p = softmax(%x) %q = log_softmax(%x) {axis=0} return %p, %q }");
  std::vector<ir::Array> arguments = tests::sample_arguments(graph, {}, 2, ir::DType::f32);
  for (int64_t i = 0; i < 6; ++i) arguments[0].set(6 + i, -HUGE_VAL);
  for (int64_t i = 0; i < 4; ++i) arguments[0].set(i * 6 + 3, -HUGE_VAL);
  for (const EngineChoice engine : kEngines)
    tests::check_same(graph, arguments, {.engine = engine});
}

TEST_CASE("engines: a chain of elementwise ops may have the same function twice") {
  check_engines(R"(graph(%y: f32[8,4], %d: f32[8,4]) {
      %one = constant() {shape=[8,4], values=[1]} : f32[8,4]
      %half = constant() {shape=[8,4], values=[-0.5]} : f32[8,4]
      %a = mul(%y, %d)
      %b = sub(%one, %a)
      %c = mul(%b, %half)
      return %c })",
                {});
}

TEST_CASE("engines: each runs its own code where it has some") {
  const ir::Bindings rows{{"M", 256}};
  CHECK(has(plan(kLinear, rows, EngineChoice::weft), "matmul, blocked"));
  const std::string primitives = plan(kLinear, rows, EngineChoice::onednn);
  CHECK_FALSE(has(primitives, "matmul, blocked"));
  CHECK(has(primitives, "gemm:jit"));
  const std::string softmax = "graph(%x: f32[9,32]) { %y = softmax(%x) return %y }";
  CHECK(has(plan(softmax, {}, EngineChoice::onednn), "softmax jit"));
  CHECK_FALSE(has(plan(softmax, {}, EngineChoice::weft), "jit"));
}

TEST_CASE("engines: rows of products with oneDNN's weights do not depend on the team") {
  if (!onednn::has_weight_layouts()) return;
  const ir::Graph graph = ir::parse(
      "graph(%x: f32[M,70], %W: f32[96,70]) { %y = matmul(%x, %W) {transpose_b=true} return %y }");
  const ir::Bindings bindings{{"M", 1030}};
  const auto arguments = tests::sample_arguments(graph, bindings, 3, ir::DType::f32);
  onednn::ExecutableOptions options;
  options.engine = EngineChoice::onednn;
  const int before = omp_get_max_threads();
  std::vector<std::vector<ir::Array>> found;
  for (const int threads : {1, 2, 3}) {
    omp_set_num_threads(threads);
    found.push_back(tests::run_onednn(graph, arguments, options, bindings));
  }
  omp_set_num_threads(before);
  tests::check_same(graph, arguments, {.bindings = bindings, .engine = EngineChoice::onednn});
  for (size_t t = 1; t < found.size(); ++t)
    for (size_t r = 0; r < found[0].size(); ++r)
      for (int64_t i = 0; i < found[0][r].size(); ++i)
        REQUIRE(found[t][r].at(i) == found[0][r].at(i));
}

TEST_CASE("engines: a name that is none is refused, of the environment too") {
  CHECK(backends::engine_named("weft") == EngineChoice::weft);
  CHECK_THROWS_WITH_AS(backends::engine_named("fast"),
                       "the engine is best, onednn or weft, found 'fast'", ir::GraphError);
  const char* const before = std::getenv("WEFT_ENGINE");
  const std::string kept = before == nullptr ? "" : before;
  setenv("WEFT_ENGINE", "MKL", 1);
  CHECK_THROWS_WITH_AS(backends::engine_of_environment(),
                       "error: WEFT_ENGINE: the engine is best, onednn or weft, found 'MKL'",
                       ir::GraphError);
  setenv("WEFT_ENGINE", kept.c_str(), 1);
}
