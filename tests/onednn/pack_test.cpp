// tests/onednn/pack_test.cpp -- kernels that work on real rows only: from none to all of them, in a
// poisoned arena.
#include "ir/text/text.h"
#include "tests/onednn/compare.h"
#include "tests/support/op_samples.h"

#include <doctest/doctest.h>

using namespace weft;

namespace {

const std::vector<std::vector<int64_t>> kLengths{{0, 0, 0}, {4, 4, 4}, {4, 2, 0},
                                                 {0, 0, 1}, {1, 4, 3}, {9, -1, 2}};

// On the same arguments but for the lengths.
void check_lengths(const ir::Graph& graph, const ir::Bindings& bindings, uint64_t seed = 1) {
  std::vector<ir::Array> arguments = tests::sample_arguments(graph, bindings, seed, ir::DType::f32);
  const int lengths = graph.find_argument("length_upto_4");
  REQUIRE(lengths >= 0);
  for (const auto& rows : kLengths) {
    CAPTURE(rows);
    ir::Array& array = arguments[static_cast<size_t>(lengths)];
    for (int64_t b = 0; b < array.size(); ++b)
      array.set_integer(b, rows[static_cast<size_t>(b % 3)]);
    for (const bool group : {true, false})
      tests::check_same(graph, arguments, {.bindings = bindings, .group = group});
  }
}

void check_text(const std::string& text) {
  const ir::Graph graph = ir::parse(text);
  for (const int64_t steps : {4, 1, 0})
    for (const int64_t batch : {3, 1, 0}) check_lengths(graph, {{"T", steps}, {"B", batch}});
}

}  // namespace

TEST_CASE("pack: row-wise work between pack and unpack") {
  check_text(R"(graph(%x: f32[T,B,6], %W: f32[6,5], %b: f32[5], %length_upto_4: s32[B]) {
      %p = pack(%x, %length_upto_4)
      %y = linear(%p, %W; %b) {activation="tanh"}
      %z = mul(%y, %y)
      %c = concat(%z, %p) {axis=-1}
      %s = sum(%c) {axes=[1]}
      %u = unpack(%c, %length_upto_4) {steps=T}
      %v = unpack(%s, %length_upto_4) {steps=T}
      return %u, %v })");
}

TEST_CASE("pack: sums over rows stop at the count where rows behind are zero, else they do not") {
  check_text(R"(graph(%x: f32[T,B,6], %z: f32[T,B,5], %b: f32[5], %length_upto_4: s32[B]) {
      %p = pack(%x, %length_upto_4)
      %q = pack(%z, %length_upto_4)
      %w = matmul(%p, %q) {transpose_a=true}
      %s = sum(%q) {axes=[0]}
      %e = exp(%q)
      %f = sum(%e) {axes=[0]}
      %g = add(%q, %b)
      %h = matmul(%g, %g) {transpose_a=true}
      return %w, %s, %f, %h })");
}

TEST_CASE("pack: a value that leaves the graph has all of its rows") {
  check_text(R"(graph(%x: f32[T,B,6], %W: f32[6,5], %b: f32[5], %length_upto_4: s32[B]) {
      %p = pack(%x, %length_upto_4)
      %y = linear(%p, %W; %b)
      %m = softmax(%y)
      return %p, %y, %m })");
}

TEST_CASE("pack: look-ups, the loss and their gradients") {
  check_text(
      R"(graph(%E: f32[7,6], %i_below_7: s32[T,B], %W: f32[6,5], %y_below_5: s32[T,B], %d: f32[T,B], %length_upto_4: s32[B]) {
      %i = pack(%i_below_7, %length_upto_4)
      %x = gather(%E, %i) {axis=0}
      %z = matmul(%x, %W)
      %y = pack(%y_below_5, %length_upto_4)
      %pd = pack(%d, %length_upto_4)
      %l, %e = softmax_cross_entropy(%z, %y)
      %dz = softmax_cross_entropy_grad(%pd, %z, %y, %e)
      %dx = matmul(%dz, %W) {transpose_b=true}
      %dW = matmul(%x, %dz) {transpose_a=true}
      %o = constant() {shape=[7,6], values=[0]}
      %dE = scatter_add(%o, %i, %dx) {axis=0}
      %u = unpack(%l, %length_upto_4) {steps=T}
      return %u, %dW, %dE })");
}

TEST_CASE("pack: scores, loss and gradients in one") {
  check_text(
      R"(graph(%a: f32[T,B,6], %W: f32[6,7], %b: f32[7], %y_below_7: s32[T,B], %d: f32[T,B], %length_upto_4: s32[B]) {
      %x = pack(%a, %length_upto_4)
      %y = pack(%y_below_7, %length_upto_4)
      %pd = pack(%d, %length_upto_4)
      %l, %dx, %dW, %db = linear_cross_entropy(%pd, %x, %W, %y; %b) {smoothing=0.1, wanted=["x", "w", "bias"]}
      %u = unpack(%l, %length_upto_4) {steps=T}
      %v = unpack(%dx, %length_upto_4) {steps=T}
      return %u, %v, %dW, %db })");
}

namespace {
// 600 rows of so many classes are two blocks of scores.
const ir::Graph& many_classes() {
  static const ir::Graph graph = ir::parse(
      R"(graph(%a: f32[T,B,2], %W: f32[33000,2], %b: f32[33000], %labels_below_9: s32[T,B], %d: f32[T,B], %lengths_below_4: s32[B]) {
      %x = pack(%a, %lengths_below_4)
      %y = pack(%labels_below_9, %lengths_below_4)
      %pd = pack(%d, %lengths_below_4)
      %l, %dx, %dW, %db = linear_cross_entropy(%pd, %x, %W, %y; %b) {transpose_b=true, wanted=["x", "w", "bias"]}
      %u = unpack(%l, %lengths_below_4) {steps=T}
      %v = unpack(%dx, %lengths_below_4) {steps=T}
      return %u, %v, %dW, %db })");
  return graph;
}
const ir::Bindings kTwoBlocks{{"T", 3}, {"B", 200}};
}  // namespace

TEST_CASE("pack: scores of many classes are made a block of rows at a time") {
  auto arguments = tests::sample_arguments(many_classes(), kTwoBlocks, 1, ir::DType::f32);
  tests::check_same(many_classes(), arguments, {.bindings = kTwoBlocks});
  for (int64_t b = 0; b < 200; ++b) arguments[5].set_integer(b, b < 90);  // the second stays empty
  tests::check_same(many_classes(), arguments, {.bindings = kTwoBlocks});
  const auto executable = onednn::compile(many_classes(), kTwoBlocks);
  CHECK(executable->report().memory.arena_bytes < 600 * 33000 * 4);
}

TEST_CASE("pack: a label out of range is named with its row, in whichever block it is") {
  auto arguments = tests::sample_arguments(many_classes(), kTwoBlocks, 1, ir::DType::f32);
  for (int64_t b = 0; b < 200; ++b) arguments[5].set_integer(b, 3);
  arguments[3].set_integer(2 * 200 + 4, 33000);
  CHECK_THROWS_WITH(tests::run_onednn(many_classes(), arguments, {}, kTwoBlocks),
                    doctest::Contains("label 33000 at row 404 of %y, needs 0 to 32999"));
}

TEST_CASE("pack: transposed, strided and other operands") {
  check_text(R"(graph(%x: f32[B,T,6], %k: s32[B,T], %h: f32[T,B,3,2], %length_upto_4: s32[B]) {
      %t = transpose(%x) {perm=[1,0,2]}
      %p = pack(%t, %length_upto_4)
      %s = transpose(%k) {perm=[1,0]}
      %q = pack(%s, %length_upto_4)
      %r = reverse(%h) {axis=0}
      %g = pack(%r, %length_upto_4)
      %u = unpack(%p, %length_upto_4) {steps=T}
      %v = unpack(%q, %length_upto_4) {steps=T}
      %w = unpack(%g, %length_upto_4) {steps=T}
      return %p, %q, %g, %u, %v, %w })");
}

TEST_CASE("pack: rows as many as a weight has") {
  check_lengths(ir::parse(R"(graph(%x: f32[4,3,12], %W: f32[12,12], %length_upto_4: s32[3]) {
      %p = pack(%x, %length_upto_4)
      %y = matmul(%p, %W)
      %z = matmul(%W, %y)
      %u = unpack(%y, %length_upto_4) {steps=4}
      return %u, %z })"),
                {});
}

TEST_CASE("pack: sequences that lie in another order") {
  check_text(R"(graph(%x: f32[T,B,6], %W: f32[6,5], %length_upto_4: s32[B]) {
      %order, %places = length_order(%length_upto_4)
      %p = pack(%x, %length_upto_4; %places)
      %y = matmul(%p, %W)
      %u = unpack(%y, %length_upto_4; %places) {steps=T}
      %v = unpack(%y, %length_upto_4; %order) {steps=T}
      return %order, %places, %p, %u, %v })");
}

TEST_CASE("pack: one sequence after the other") {
  check_text(R"(graph(%x: f32[B,T,6], %W: f32[6,5], %length_upto_4: s32[B]) {
      %order, %places = length_order(%length_upto_4)
      %p = pack(%x, %length_upto_4) {by_sequence=true}
      %y = matmul(%p, %W)
      %u = unpack(%y, %length_upto_4) {steps=T, by_sequence=true}
      %v = unpack(%y, %length_upto_4; %places) {steps=T, by_sequence=true}
      %t = transpose(%x) {perm=[1,0,2]}
      %q = pack(%t, %length_upto_4; %order) {by_sequence=false}
      return %p, %u, %v, %q })");
}

TEST_CASE("pack: attention between packed sequences, its real rows read or all of them") {
  const std::string arguments =
      R"(graph(%x: f32[B,T,6], %z: f32[B,5,6], %W: f32[6,6], %g: f32[B,T,6],
      %keys_upto_5: s32[B], %length_upto_4: s32[B]) {
      %px = pack(%x, %length_upto_4) {by_sequence=true}
      %pz = pack(%z, %keys_upto_5) {by_sequence=true}
      %pg = pack(%g, %length_upto_4) {by_sequence=true}
      %fq = matmul(%px, %W)
      %fk = matmul(%pz, %W)
      %q = reshape(%fq) {shape=[B*T,2,3]}
      %k = reshape(%fk) {shape=[B*5,2,3]}
      %v = reshape(%pz) {shape=[B*5,2,3]}
      %do = reshape(%pg) {shape=[B*T,2,3]})";
  for (const std::string last : {"u", "dw", "oq, %dkv"}) {
    check_text(arguments + R"(
      %o, %l = packed_attention(%q, %k, %v, %length_upto_4, %keys_upto_5) {queries=T, keys=5, scale=0.1, lse=true}
      %dq, %dk, %dv = packed_attention_grad(%do, %q, %k, %v, %o, %l, %length_upto_4, %keys_upto_5)
        {queries=T, keys=5, scale=0.1, wanted=["q","k","v"]}
      %oq = concat(%o, %dq) {axis=-1}
      %fo = reshape(%o) {shape=[B*T,6]}
      %y = matmul(%fo, %W)
      %u = unpack(%y, %length_upto_4) {steps=T, by_sequence=true}
      %dkv = concat(%dk, %dv) {axis=-1}
      %dfk = reshape(%dkv) {shape=[B*5,12]}
      %dw = matmul(%pz, %dfk) {transpose_a=true}
      return %)" +
               last + " }");
    check_text(arguments + R"(
      %o, %l = packed_attention(%q, %q, %q, %length_upto_4, %length_upto_4) {queries=T, keys=T, band=[-1, 0], scale=0.1, lse=true}
      %dq, %dk, %dv = packed_attention_grad(%do, %q, %q, %q, %o, %l, %length_upto_4, %length_upto_4)
        {queries=T, keys=T, band=[-1, 0], scale=0.1, wanted=["q","k","v"]}
      %oq = concat(%o, %dq) {axis=-1}
      %fo = reshape(%o) {shape=[B*T,6]}
      %y = matmul(%fo, %W)
      %u = unpack(%y, %length_upto_4) {steps=T, by_sequence=true}
      %dkv = concat(%dk, %dv) {axis=-1}
      %dfk = reshape(%dkv) {shape=[B*T,12]}
      %dw = matmul(%px, %dfk) {transpose_a=true}
      return %)" +
               last + " }");
  }
}

TEST_CASE("pack: places outside the batch are named") {
  const ir::Graph graph = ir::parse(
      "graph(%x: f32[T,B,6], %n: s32[B], %places: s32[B]) "
      "{ %p = pack(%x, %n; %places) return %p }");
  for (const int64_t wrong : {-1, 2}) {
    ir::Array x(ir::DType::f32, {3, 2, 6}), n(ir::DType::s32, {2}), places(ir::DType::s32, {2});
    places.set_integer(1, wrong);
    const std::string found =
        "needs places in [0, 2), found " + std::to_string(wrong) + " at places[1]";
    CHECK_THROWS_WITH(tests::run_onednn(graph, {x, n, places}, {}, {{"T", 3}, {"B", 2}}),
                      doctest::Contains(found.c_str()));
  }
}

TEST_CASE("loops: rows behind the last that lives are not looked at") {
  check_text(R"(graph(%s: f32[B,6], %x: f32[T,B,18], %k: f32[B,4,5], %v: f32[B,4,3], %U: f32[6,12],
            %Un: f32[6,6], %Wq: f32[6,5], %va: f32[5], %length_upto_4: s32[B]) {
      %o, %p = length_order(%length_upto_4)
      %n = gather(%length_upto_4, %o) {axis=0}
      %r, %y, %c = scan(%s; %x; %k, %v, %U, %Un, %Wq, %va; %n) {axes=[0], out_axes=[0,1]}
      (%s, %x, %k, %v, %U, %Un, %Wq, %va, %live) {
        %q = matmul(%s, %Wq)
        %a = attention(%q, %k, %v; %va) {score="additive"}
        %h, %g = gru_cell(%x, %s, %U, %Un) {gates=true}
        %m = reshape(%live) {shape=[B,1]}
        %z = select(%m, %h, 0)
        yield %h; %z, %a
      }
      return %r, %y, %c })");
}

TEST_CASE("pack, unpack: rows that are runs of memory at any distance are read where they lie") {
  // Heads of a slice unpacked, a transposed x packed, three packed side by side.
  const std::string text = R"(graph(%p: f32[B*T,24], %x: f32[B,T,2,4], %length_upto_4: s32[B]) {
  %q = slice(%p) {axis=1, start=8, stop=16}
  %h = reshape(%q) {shape=[B*T,2,4]}
  %u = unpack(%h, %length_upto_4) {steps=T}
  %t = transpose(%x) {perm=[1,0,2,3]}
  %a = pack(%t, %length_upto_4)
  %b = pack(%u, %length_upto_4)
  %c = tanh(%a)
  %d = concat(%a, %b) {axis=1}
  %e = concat(%c, %b, %d) {axis=1}
  return %u, %e })";
  const ir::Bindings bindings{{"B", 3}, {"T", 4}};
  tests::check_same(text, {.bindings = bindings});
  const std::string plan = onednn::compile(ir::parse(text), bindings)->plan_text();
  CHECK(plan.find("reshape: copy") == plan.npos);
  CHECK(plan.find("transpose: copy") == plan.npos);
}

TEST_CASE("concat: what only it reads is made in its place, in loops too") {
  const std::string text = R"(graph(%s: f32[B,3], %x: f32[T,B,5], %W: f32[9,3], %V: f32[5,6]) {
  %sN = scan(%s; %x; %W, %V) {axes=[0], out_axes=[]}
    (%s, %x, %W, %V) {
      %y = matmul(%x, %V)
      %c = concat(%s, %y) {axis=1}
      %z = matmul(%c, %W)
      yield %z
    }
  %p = exp(%sN)
  %q = tanh(%sN)
  %r = concat(%p, %q, %q) {axis=0}
  %t = concat(%q, %r) {axis=0}
  return %t })";
  for (const int64_t steps : {1, 5}) {
    const ir::Bindings bindings{{"B", 2}, {"T", steps}};
    tests::check_same(text, {.bindings = bindings});
    const std::string plan = onednn::compile(ir::parse(text), bindings)->plan_text();
    size_t copies = 0;
    for (size_t at = plan.find("concat: copy"); at != plan.npos;
         at = plan.find("concat: copy", at + 1))
      ++copies;
    CHECK(copies == 5);  // %s; %q twice into %r; %q and %r into %t, which is a result
  }
}
