// tests/passes/pack_attention_test.cpp -- attention of many heads works on packed sequences.
#include "ir/text/text.h"
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

using namespace weft;
using test::check_keeps_values;
using test::check_rewrite;
using test::check_unchanged;

namespace {

// Packed queries %p of sequences %m, keys and values %k of sequences %n.
const std::string kHeads = R"(
    graph(%p: f32[B*T,2,4], %k: f32[B*S,2,4], %m: s32[B], %n: s32[B], %bias: f32[2,T,S]) {)";

std::string unpacked(const std::string& name, const std::string& rows, const std::string& lengths,
                     const std::string& steps) {
  return "%u" + name + " = unpack(%" + rows + ", %" + lengths + ") {steps=" + steps +
         ", by_sequence=true} %" + name + " = transpose(%u" + name + ") {perm=[0,2,1,3]}\n";
}

const std::string kRead = unpacked("q", "p", "m", "T") + unpacked("kk", "k", "n", "S");
const std::string kMask = R"(
      %live = length_mask(%n) {size=S}
      %mask = reshape(%live) {shape=[B,1,1,S]})";
const std::string kWrite = R"(
      %t = transpose(%o) {perm=[0,2,1,3]}
      %y = pack(%t, %m) {by_sequence=true}
      return %y
    })";

}  // namespace

TEST_CASE("pack_attention: between sequences of other lengths, ended keys hidden by their mask") {
  const std::string before =
      kHeads + kRead + kMask + "%o = attention(%q, %kk, %kk; ; %mask; %bias) {scale=0.5}" + kWrite;
  check_rewrite("pack_attention", before, kHeads + R"(
      %y = packed_attention(%p, %k, %k, %m, %n; ; %bias) {queries=T, keys=S, scale=0.5}
      return %y
    })");
  check_keeps_values("pack_attention", before);
}

TEST_CASE("pack_attention: within sequences, ended keys seen by ended queries only") {
  const std::string before = kHeads + kRead + unpacked("own", "p", "m", "T") +
                             "%o = attention(%q, %own, %own) {band=[-1, 0]}" + kWrite;
  check_rewrite("pack_attention", before, kHeads + R"(
      %y = packed_attention(%p, %p, %p, %m, %m) {queries=T, keys=T, band=[-1, 0]}
      return %y
    })");
  check_keeps_values("pack_attention", before);
}

TEST_CASE("pack_attention: a window goes along") {
  const std::string own = kHeads + kRead + unpacked("own", "p", "m", "T") +
                          "%o = attention(%q, %own, %own) {band=[3, 0]}" + kWrite;
  check_rewrite("pack_attention", own, kHeads + R"(
      %y = packed_attention(%p, %p, %p, %m, %m) {queries=T, keys=T, band=[3, 0]}
      return %y
    })");
  check_keeps_values("pack_attention", own);
  // Keys ahead may have ended: the mask of their lengths has to hide them.
  check_unchanged("pack_attention", kHeads + kRead + unpacked("own", "p", "m", "T") +
                                        "%o = attention(%q, %own, %own) {band=[1, 1]}" + kWrite);
  const std::string masked =
      kHeads + kRead + kMask + "%o = attention(%q, %kk, %kk; ; %mask) {band=[1, 1]}" + kWrite;
  check_rewrite("pack_attention", masked, kHeads + R"(
      %y = packed_attention(%p, %k, %k, %m, %n) {queries=T, keys=S, band=[1, 1]}
      return %y
    })");
  check_keeps_values("pack_attention", masked);
}

TEST_CASE("pack_attention: a mask that says more than lengths stays") {
  const std::string before = kHeads + kRead + kMask + R"(
      %zero = constant() {dtype=f32, shape=[], values=[0]}
      %some = greater(%bias, %zero)
      %both = logical_and(%mask, %some)
      %o = attention(%q, %kk, %kk; ; %both))" +
                             kWrite;
  const ir::Graph after = test::run("pack_attention", ir::parse(before));
  const std::string text = ir::print(after);
  CHECK(text.find("packed_attention(%p, %k, %k, %m, %n; %both)") != std::string::npos);
  check_keeps_values("pack_attention", before);
}

TEST_CASE("pack_attention: its adjoint goes along, and who does not pack gradients finds them") {
  const std::string before = kHeads + kRead + kMask + unpacked("g", "p", "m", "T") + R"(
      %o, %l = attention(%q, %kk, %kk; ; %mask; %bias) {lse=true}
      %t = transpose(%o) {perm=[0,2,1,3]}
      %y = pack(%t, %m) {by_sequence=true}
      %dq, %dk, %db = attention_grad(%g, %q, %kk, %kk, %o, %l; ; %mask; %bias) {wanted=["q","k","bias"]}
      %tq = transpose(%dq) {perm=[0,2,1,3]}
      %yq = pack(%tq, %m) {by_sequence=true}
      return %y, %yq, %dk, %db
    })";
  const std::string text = ir::print(test::run("pack_attention", ir::parse(before)));
  CHECK(text.find("= attention") == std::string::npos);
  CHECK(text.find("return") != std::string::npos);
  check_keeps_values("pack_attention", before);
}

TEST_CASE("pack_attention: held back where ended keys are seen, or ended queries' results are") {
  const auto held_back = [](const std::string& graph, const char* why) {
    check_unchanged("pack_attention", graph);
    ir::PassContext context;
    test::run("pack_attention", ir::parse(graph), &context);
    CHECK_MESSAGE(test::noted(context, ir::Note::Kind::near_miss, why), why);
  };
  // Keys behind the end are zeros, which count.
  held_back(kHeads + kRead + "%o = attention(%q, %kk, %kk)" + kWrite, "ended are not hidden");
  // Causal, but the keys are another's.
  held_back(kHeads + kRead + "%o = attention(%q, %kk, %kk) {band=[-1, 0]}" + kWrite,
            "ended are not hidden");
  // All rows are wanted.
  held_back(kHeads + kRead + kMask + R"(
      %o = attention(%q, %kk, %kk; ; %mask)
      return %o
    })",
            "read where it is not packed again");
  held_back(kHeads + kRead + kMask + R"(
      %o, %a = attention(%q, %kk, %kk; ; %mask) {weights=true}
      %t = transpose(%o) {perm=[0,2,1,3]}
      %y = pack(%t, %m) {by_sequence=true}
      return %y, %a
    })",
            "its weights are wanted");
}
