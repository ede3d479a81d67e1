// tests/onednn/scan_test.cpp -- loops: carries, scanned and stacked axes, lengths, reverse,
// nesting.
#include "backends/onednn/plan/row_reads.h"
#include "ir/rewrite/rewrite.h"
#include "ir/text/text.h"
#include "tests/onednn/compare.h"
#include "tests/support/op_samples.h"

#include <doctest/doctest.h>

using namespace weft;
using tests::check_same;

namespace {

const std::string kCell = R"({
    (%s, %x, %W, %live) {
      %a = matmul(%s, %W)
      %b = add(%a, %x)
      %n = tanh(%b)
      yield %n; %n
    })";

std::string recurrence(const std::string& attrs) {
  return "graph(%s: f32[B,5], %x: f32[T,B,5], %W: f32[5,5], %length_upto_4: s32[B]) {\n"
         "  %sN, %o = scan(%s; %x; %W; %length_upto_4) " +
         attrs + "\n" + kCell.substr(1) + "\n return %sN, %o }";
}

}  // namespace

TEST_CASE("scan: ended rows keep their carry and stack zeros, forward and in reverse") {
  for (int64_t steps : {0, 1, 2, 3, 4})
    for (uint64_t seed : {1, 2, 3}) {
      check_same(recurrence("{axes=[0], out_axes=[0]}"),
                 {.bindings = {{"T", steps}, {"B", 3}}, .seed = seed});
      check_same(recurrence("{axes=[0], out_axes=[0], reverse=true}"),
                 {.bindings = {{"T", steps}, {"B", 3}}, .seed = seed});
      check_same(recurrence("{axes=[0], out_axes=[1]}"),
                 {.bindings = {{"T", steps}, {"B", 2}}, .seed = seed});
      check_same(recurrence("{axes=[0], out_axes=[2]}"),
                 {.bindings = {{"T", steps}, {"B", 1}}, .seed = seed});
    }
}

TEST_CASE("scan: an empty batch") {
  check_same(recurrence("{axes=[0], out_axes=[0]}"), {.bindings = {{"T", 3}, {"B", 0}}});
}

TEST_CASE("scan: scanned along any axis, without lengths") {
  for (const auto& [shape, axis] : {std::pair{"[B,T,5]", "1"}, {"[B,5,T]", "2"}, {"[T,B,5]", "0"}})
    check_same(std::string("graph(%s: f32[B,5], %x: f32") + shape +
                   ", %W: f32[5,5]) { %sN, %o = scan(%s; %x; %W) {axes=[" + axis +
                   R"(], out_axes=[1]}
      (%s, %x, %W) {
        %a = matmul(%s, %W)
        %b = matmul(%x, %W)
        %c = add(%a, %b)
        %r = reshape(%c) {shape=[B*5]}
        %t = tanh(%r)
        %u = reshape(%t) {shape=[B,5]}
        yield %u; %b
      } return %sN, %o })",
               {.bindings = {{"T", 4}, {"B", 3}}});
}

TEST_CASE("scan: carries that pass through, swap, repeat or come from outside") {
  for (int64_t steps : {1, 2, 3, 4})
    check_same(
        R"(graph(%a: f32[B,3], %b: f32[B,3], %c: f32[B,3], %d: f32[B,3], %n: s32[], %W: f32[B,3]) {
      %w, %x, %y, %z, %m, %o, %p = scan(%a, %b, %c, %d, %n; ; %W) {steps=T, out_axes=[0,0]}
      (%a, %b, %c, %d, %n, %W) {
        %one = constant() {dtype=s32, values=[1]}
        %m = add(%n, %one)
        %e = add(%a, %c)
        %h = mul(%e, %W)
        yield %b, %a, %h, %W, %m; %h, %one
      } return %w, %x, %y, %z, %m, %o, %p })",
        {.bindings = {{"T", steps}, {"B", 2}}});
}

TEST_CASE("scan: one in another, with lengths in both") {
  check_same(R"(graph(%s: f32[B,4], %x: f32[T,S,B,4], %l_upto_4: s32[B], %k_upto_3: s32[B]) {
      %sN, %o = scan(%s; %x; %k_upto_3; %l_upto_4) {axes=[0], out_axes=[0]}
      (%s, %x, %k, %live) {
        %t, %p = scan(%s; %x; ; %k) {axes=[0], out_axes=[1], reverse=true}
        (%u, %y, %live) {
          %a = add(%u, %y)
          %b = sigmoid(%a)
          %c = cast(%live) {dtype=f32}
          %d = reshape(%c) {shape=[B,1]}
          %e = mul(%b, %d)
          yield %e; %b
        }
        %q = sum(%p) {axes=[1]}
        %r = add(%t, %q)
        yield %r; %p
      } return %sN, %o })",
             {.bindings = {{"T", 4}, {"S", 3}, {"B", 3}}});
}

TEST_CASE("scan: results that feed on, and padded rows of 512") {
  check_same(
      R"(graph(%s: f32[B,512], %x: f32[T,B,512], %W: f32[512,512], %V: f32[512,7], %l_upto_6: s32[B]) {
      %U = mul(%W, 0.05)
      %h = matmul(%x, %U)
      %sN, %o = scan(%s; %h; %U; %l_upto_6) {axes=[0], out_axes=[0]}
      (%s, %x, %W, %live) {
        %a = matmul(%s, %W)
        %b = add(%a, %x)
        %n = tanh(%b)
        yield %n; %n
      }
      %y = matmul(%o, %V)
      return %y, %sN })",
      {.bindings = {{"T", 6}, {"B", 4}}});
}

TEST_CASE("scan: a carry that has B rows only by coincidence is the body's business") {
  check_same(R"(graph(%s: f32[B,2], %w: f32[M,2], %x: f32[T,B,2], %l_upto_4: s32[B]) {
      %sN, %wN = scan(%s, %w; %x; ; %l_upto_4) {axes=[0]}
      (%s, %w, %x, %live) {
        %a = add(%s, %x)
        %b = add(%w, 1.0)
        yield %a, %b
      } return %sN, %wN })",
             {.bindings = {{"T", 4}, {"B", 3}, {"M", 3}}});
}

TEST_CASE("scan: a cache that is written a step at a time is not copied") {
  const std::string text =
      "graph(%cache: f32[B,6,40], %x: f32[T,B,1,40], %at: s32[T]) {\n"
      "  %c, %seen = scan(%cache; %x, %at;) {axes=[0,0], out_axes=[0]} (%c, %k, %t) {\n"
      "    %c1 = update_slice(%c, %k, %t) {axis=1}\n"
      "    %s = sum(%c1) {axes=[1]}\n"
      "    yield %c1; %s }\n"
      "  return %c, %seen }";
  for (const int64_t steps : {1, 2, 5}) check_same(text, {.bindings = {{"T", steps}, {"B", 3}}});
  const auto executable = onednn::compile(ir::parse(text), {{"T", 5}, {"B", 300}});
  CHECK(executable->arena_bytes() < 300 * 6 * 40 * 4);
}

TEST_CASE("scan: a cache of rows that end is kept as it was") {
  check_same(
      "graph(%cache: f32[B,6,4], %x: f32[T,B,1,4], %at_below_6: s32[T], %length_upto_4: s32[B]) {\n"
      "  %c = scan(%cache; %x, %at_below_6; ; %length_upto_4) {axes=[0,0]} (%c, %k, %t, %live) {\n"
      "    %c1 = update_slice(%c, %k, %t) {axis=1}\n"
      "    yield %c1 }\n"
      "  return %c }",
      {.bindings = {{"T", 4}, {"B", 3}}});
}

namespace {

// A loop of %s by `attrs`, in which `stacked` is stacked, and what reads that.
std::string states(const std::string& attrs, const std::string& stacked, const std::string& results,
                   const std::string& readers) {
  return "graph(%s: f32[B,M], %x: f32[T,B,M], %W: f32[M,M], %length_upto_6: s32[B]) {\n"
         "  %U = mul(%W, 0.1)\n"
         "  %sN" +
         results + " = scan(%s; %x; %U; %length_upto_6) {axes=[0], out_axes=" + attrs +
         "} (%s, %x, %W, %live) {\n"
         "    %a = matmul(%s, %W)\n"
         "    %b = add(%a, %x)\n"
         "    %n = tanh(%b)\n"
         "    yield %n; " +
         stacked + " }\n" + readers + " }";
}

int copies_in_loops(const std::string& text, const ir::Bindings& bindings) {
  const auto plan = onednn::compile(ir::parse(text), bindings)->plan_text();
  int count = 0;
  for (size_t at = 0; (at = plan.find("output r", at)) != std::string::npos; ++at) ++count;
  return count;
}

}  // namespace

TEST_CASE("scan: a carry that is stacked for pack lies in the stack, whenever its rows end") {
  const std::string before = "  %p = pack(%o, %length_upto_6)\n  return %sN, %p",
                    both =
                        "  %p = pack(%o, %length_upto_6)\n  %q = pack(%r, %length_upto_6)\n"
                        "  return %sN, %p, %q";
  for (const char* reverse : {"", ", reverse=true"})
    for (const auto& [attrs, stacked, results, readers] :
         {std::tuple{"[0]", "%s", ", %o", before},
          {"[0]", "%n", ", %o", before},
          {"[0, 0]", "%s, %n", ", %o, %r", both},
          {"[0, 0]", "%n, %s", ", %o, %r", both}}) {
      const std::string text = states(attrs + std::string(reverse), stacked, results, readers);
      CAPTURE(text);
      for (int64_t steps : {0, 1, 2, 3, 6})
        for (uint64_t seed : {1, 2, 3})
          for (int64_t batch : {1, 3, 9})
            check_same(text, {.bindings = {{"T", steps}, {"B", batch}, {"M", 5}}, .seed = seed});
      check_same(text, {.bindings = {{"T", 6}, {"B", 20}, {"M", 512}}, .seed = 4});
      CHECK(copies_in_loops(text, {{"T", 6}, {"B", 3}, {"M", 5}}) == 0);
    }
}

TEST_CASE("scan: states are zero in ended rows where somebody looks") {
  for (const char* reverse : {"", ", reverse=true"})
    for (const char* readers :
         {"  return %sN, %o, %r",
          "  %p = exp(%o)\n  %q = pack(%r, %length_upto_6)\n  return %p, %q",
          "  %p = sum(%o) {axes=[0, 1]}\n  %q = neg(%r)\n  %t = pack(%q, %length_upto_6)\n"
          "  return %p, %t"}) {
      const std::string text =
          states("[0, 0]" + std::string(reverse), "%s, %n", ", %o, %r", readers);
      CAPTURE(text);
      for (uint64_t seed : {1, 2, 3})
        check_same(text, {.bindings = {{"T", 6}, {"B", 4}, {"M", 5}}, .seed = seed});
      CHECK(copies_in_loops(text, {{"T", 6}, {"B", 4}, {"M", 5}}) > 0);
    }
}

TEST_CASE("scan: rows that others look at are kept from step to step") {
  // The mean over the batch, an index made of a row, and another loop's rows that count.
  check_same(R"(graph(%s: f32[B,3], %x: f32[T,B,3], %length_upto_5: s32[B]) {
      %sN = scan(%s; %x; ; %length_upto_5) {axes=[0]} (%s, %x, %live) {
        %m = mean(%s) {axes=[0]}
        %a = add(%s, %m)
        %b = add(%a, %x)
        yield %b } return %sN })",
             {.bindings = {{"T", 5}, {"B", 6}}, .seed = 2});
  check_same(R"(graph(%s: f32[B,3], %E: f32[3,3], %x: f32[T,B,3], %length_upto_5: s32[B]) {
      %sN = scan(%s; %x; %E; %length_upto_5) {axes=[0]} (%s, %x, %E, %live) {
        %i = arg_max(%s)
        %e = gather(%E, %i) {axis=0}
        %b = add(%e, %x)
        yield %b } return %sN })",
             {.bindings = {{"T", 5}, {"B", 6}}, .seed = 2});
  for (const char* reverse : {"", ", reverse=true"})
    check_same(
        std::string(R"(graph(%s: f32[B,3], %x: f32[T,B,3], %n: f32[3], %length_upto_5: s32[B]) {
      %sN, %o = scan(%s; %x; ; %length_upto_5) {axes=[0], out_axes=[0])") +
            reverse + R"(} (%s, %x, %live) {
        %b = add(%s, %x)
        yield %b; %s }
      %nN = scan(%n; %o; ; %length_upto_5) {axes=[0]} (%n, %o, %live) {
        %t = sum(%o) {axes=[0]}
        %m = add(%n, %t)
        yield %m }
      return %sN, %nN })",
        {.bindings = {{"T", 5}, {"B", 6}}, .seed = 3});
}

TEST_CASE("scan: carries whose next states are one value, or each other's, are stacked") {
  check_same(R"(graph(%a: f32[B,3], %b: f32[B,3], %x: f32[T,B,3], %length_upto_5: s32[B]) {
      %aN, %bN, %o, %r, %q = scan(%a, %b; %x; ; %length_upto_5) {axes=[0], out_axes=[0, 0, 0]}
      (%a, %b, %x, %live) {
        %c = add(%a, %x)
        %d = mul(%c, %b)
        yield %d, %d; %a, %d, %b }
      %bM, %aM, %y = scan(%bN, %aN; %o; ; %length_upto_5) {axes=[0], out_axes=[0], reverse=true}
      (%a, %b, %x, %live) {
        %c = add(%a, %x)
        yield %b, %c; %b }
      %p = pack(%o, %length_upto_5)  %s = pack(%r, %length_upto_5)  %t = pack(%q, %length_upto_5)
      %u = pack(%y, %length_upto_5)
      return %aN, %bN, %aM, %bM, %p, %s, %t, %u })",
             {.bindings = {{"T", 5}, {"B", 6}}, .seed = 5});
}

TEST_CASE("scan: packed steps are read where they lie") {
  for (const char* reverse : {"", ", reverse=true"}) {
    const std::string text =
        R"(graph(%s: f32[B,M], %x: f32[T,B,M], %W: f32[M,M], %n_upto_6: s32[B]) {
      %order, %places = length_order(%n_upto_6)
      %n = gather(%n_upto_6, %order) {axis=0}
      %p = pack(%x, %n; %order)
      %U = mul(%W, 0.1)
      %h = matmul(%p, %U)
      %y = unpack(%h, %n) {steps=T}
      %sN, %o = scan(%s; %y; %U; %n) {axes=[0], out_axes=[0])" +
        std::string(reverse) + R"(}
      (%s, %y, %U, %live) {
        %a = matmul(%s, %U)
        %b = add(%a, %y)
        %t = tanh(%b)
        yield %t; %t
      }
      %q = pack(%o, %n)
      %g = matmul(%h, %q) {transpose_a=true}
      %rN = gather(%sN, %places) {axis=0}
      return %rN, %g })";
    CAPTURE(text);
    for (int64_t steps : {0, 1, 2, 6})
      for (uint64_t seed : {1, 2, 3})
        for (int64_t batch : {1, 3, 20})
          check_same(text, {.bindings = {{"T", steps}, {"B", batch}, {"M", 5}}, .seed = seed});
    check_same(text, {.bindings = {{"T", 6}, {"B", 20}, {"M", 512}}, .seed = 4});
    const auto plan = onednn::compile(ir::parse(text), {{"T", 6}, {"B", 20}, {"M", 5}});
    CHECK(plan->plan_text().find("unpack") == std::string::npos);
  }
}

TEST_CASE("scan: packed steps are unpacked where their order is unknown or ended rows count") {
  check_same(R"(graph(%s: f32[B,3], %x: f32[T,B,3], %n_upto_6: s32[B]) {
      %p = pack(%x, %n_upto_6)
      %y = unpack(%p, %n_upto_6) {steps=T}
      %sN = scan(%s; %y; ; %n_upto_6) {axes=[0]} (%s, %y, %live) {
        %b = add(%s, %y)
        yield %b }
      return %sN })",
             {.bindings = {{"T", 6}, {"B", 7}}, .seed = 2});
  check_same(R"(graph(%s: f32[3], %x: f32[T,B,3], %n_upto_6: s32[B]) {
      %order, %places = length_order(%n_upto_6)
      %n = gather(%n_upto_6, %order) {axis=0}
      %p = pack(%x, %n; %order)
      %y = unpack(%p, %n) {steps=T}
      %sN = scan(%s; %y; ; %n) {axes=[0]} (%s, %y, %live) {
        %a = sum(%y) {axes=[0]}
        %b = add(%s, %a)
        yield %b }
      return %sN })",
             {.bindings = {{"T", 6}, {"B", 7}}, .seed = 2});
}

TEST_CASE("scan: a weight as large as the batch does not make ended rows count") {
  const std::string text = recurrence("{axes=[0], out_axes=[0]}");
  for (const int64_t batch : {4, 5}) {
    const ir::Graph g = ir::specialize(ir::parse(text), {{"T", 3}, {"B", batch}});
    CHECK_FALSE(onednn::RowReads(g, false).carried_are_read(g.nodes()[0], 0));
  }
  for (const uint64_t seed : {1, 2, 3})
    check_same(text, {.bindings = {{"T", 4}, {"B", 5}}, .seed = seed});
}
