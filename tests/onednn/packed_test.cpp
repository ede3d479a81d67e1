// tests/onednn/packed_test.cpp -- weights that are laid out once for many products.
#include "ir/text/text.h"
#include "tests/onednn/compare.h"
#include "tests/support/op_samples.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <algorithm>

using namespace weft;
using tests::check_same;

namespace {

// Weights as they are, transposed and in part; a bias; a product added to another.
const std::string kLoop = R"(graph(%s: f32[B,6], %x: f32[T,B,6], %W: f32[6,12], %b: f32[12]) {
  %sN = scan(%s; %x; %W, %b) {axes=[0], out_axes=[]}
    (%s, %x, %W, %b) {
      %y = linear(%s, %W; %b) {activation="relu"}
      %u = slice(%W) {axis=1, start=3, stop=9}
      %n = matmul(%y, %W) {transpose_b=true}
      %m = matmul(%x, %u)
      %a = add(%n, %m)
      %t = tanh(%a)
      yield %t
    }
  return %sN })";

const std::string kStep = R"(graph(%x: f32[B,S,40], %W: f32[40,30], %b: f32[30], %V: f32[7,30]) {
  %y = linear(%x, %W; %b) {activation="relu"}
  %z = matmul(%y, %V) {transpose_b=true}
  return %z })";

int64_t count(const std::string& text, std::string_view what) {
  int64_t n = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("packed weights: a loop packs what its products read, in front, where it pays") {
  for (const int64_t steps : {1, 3, 4, 9})
    for (const int64_t batch : {1, 5, 40}) {
      const ir::Bindings bindings{{"T", steps}, {"B", batch}};
      check_same(kLoop, {.bindings = bindings});
      const std::string plan = onednn::compile(ir::parse(kLoop), bindings)->plan_text();
      CHECK(count(plan, "pack weights") == (steps < 4 ? 0 : 3));
      CHECK(count(plan, "matmul, packed") == (steps < 4 ? 0 : 3));
    }
}

TEST_CASE(
    "packed weights: fixed arguments are packed once for all sizes, and again when they change") {
  const ir::Graph graph = ir::parse(kStep);
  onednn::ExecutableOptions options;
  options.fixed = {false, true, true, true};
  options.shared = std::make_shared<backends::Shared>();
  std::vector<ir::Array> fixed;
  for (const double weight : {0.25, -0.5})
    for (const int64_t batch : {1, 3}) {
      const ir::Bindings bindings{{"B", batch}, {"S", 2}};
      std::vector<ir::Array> arguments =
          tests::sample_arguments(graph, bindings, 3, ir::DType::f32);
      if (fixed.empty()) fixed.assign(arguments.begin() + 1, arguments.end());
      std::copy(fixed.begin(), fixed.end(), arguments.begin() + 1);
      // Written in place: only the version tells.
      if (batch == 1) ++options.shared->version;
      for (int64_t i = 0; i < fixed[0].size() && batch == 1; ++i)
        fixed[0].set(i, weight * static_cast<double>(i % 5));
      const auto executable = onednn::compile(graph, bindings, options);
      const auto found = tests::run_onednn(graph, arguments, options, bindings);
      const auto expected = tests::run_onednn(graph, arguments, {}, bindings);
      CHECK(tests::difference(found[0], expected[0], 1e-5) == "");
      CHECK(count(executable->plan_text(), "packed, once for all runs") == 2);
    }
  CHECK(options.shared->made.size() == 2);
}

TEST_CASE("packed weights: of a file's matrix, read in part, only its own pages are given back") {
  constexpr int64_t kColumns = 64, kLength = 8192, kBehind = 8192;  // floats
  constexpr size_t kBytes = (kColumns * kLength + kBehind) * sizeof(float);
  const std::shared_ptr<void> pages(
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      [](void* p) { munmap(p, kBytes); });
  REQUIRE(pages.get() != MAP_FAILED);
  auto* const first = static_cast<float*>(pages.get());
  for (int64_t i = 0; i < kColumns * kLength + kBehind; ++i)
    first[i] = static_cast<float>(i % 7) - 3;

  const ir::Graph graph = ir::parse(R"(graph(%x: f32[2,4096], %t: f32[64,8192]) {
    %w = transpose(%t) {perm=[1,0]}
    %u = slice(%w) {axis=0, start=4096, stop=8192}
    %y = matmul(%x, %u)
    return %y })");
  std::vector<ir::Array> arguments = tests::sample_arguments(graph, {}, 3, ir::DType::f32);
  arguments[1] = ir::Array::view(ir::DType::f32, {kColumns, kLength}, first, pages);
  const auto expected = tests::run_onednn(graph, arguments, {}, {});
  onednn::ExecutableOptions options;
  options.fixed = {false, true};
  const auto executable = onednn::compile(graph, {}, options);
  REQUIRE(count(executable->plan_text(), "packed, once for all runs") == 1);
  arguments[1] = ir::Array::view(ir::DType::f32, {kColumns, kLength}, first, pages, true);
  std::vector<ir::Array> found{ir::Array(ir::DType::f32, {2, kColumns})};
  executable->run(arguments, found);
  CHECK(tests::difference(found[0], expected[0], 1e-5) == "");
  int64_t lost = 0;
  for (int64_t i = kColumns * kLength; i < kColumns * kLength + kBehind; ++i)
    lost += first[i] != static_cast<float>(i % 7) - 3;
  CHECK(lost == 0);
}

TEST_CASE("few rows a matrix, read or written in another order, become one product") {
  const char* const text = R"(graph(%x: f32[T,B,40], %W: f32[40,30], %b: f32[30]) {
    %s = transpose(%x) {perm=[1,0,2]}
    %y = linear(%x, %W; %b) {activation="relu"}
    %t = transpose(%y) {perm=[1,0,2]}
    %z = matmul(%s, %W)
    return %t, %z })";
  for (const int64_t steps : {1, 7, 130})
    for (const int64_t batch : {1, 5, 40}) {
      const ir::Bindings bindings{{"T", steps}, {"B", batch}};
      check_same(text, {.bindings = bindings});
      if (steps == 1 || batch == 1) continue;  // then there is one order only
      const std::string plan = onednn::compile(ir::parse(text), bindings)->plan_text();
      CHECK(count(plan, "one by one") == 0);
    }
}
