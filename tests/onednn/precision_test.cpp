// tests/onednn/precision_test.cpp -- products of bf16 against the reference.
//
// Arguments are f32 in both, and casts round them alike; a product of two bf16 is exact in f32. What
// differs are the sums: f32 there, double here, as for products of f32.
#include "backends/backend.h"
#include "backends/onednn/run/executable.h"
#include "ir/error.h"
#include "ir/text/text.h"
#include "tests/onednn/compare.h"

#include <doctest/doctest.h>

using namespace weft;
using tests::check_same;

namespace {

constexpr const char* kCast = "%p = cast(%a) {dtype=bf16} %q = cast(%b) {dtype=bf16} ";

}  // namespace

TEST_CASE("onednn: products of bf16 of any size, transposed or not, of either engine") {
  const auto dims = [](bool turned, int64_t x, int64_t y) {
    return turned ? ir::concat("[", y, ",", x, "]") : ir::concat("[", x, ",", y, "]");
  };
  for (const auto engine : {backends::EngineChoice::weft, backends::EngineChoice::onednn})
    for (const int64_t rows : {0, 1, 2, 7, 130})
      for (const auto& [depth, columns] : {std::pair{1, 1}, {2, 3}, {33, 64}, {257, 40}, {0, 5}})
        for (const bool ta : {false, true})
          for (const bool tb : {false, true})
            check_same(ir::concat("graph(%a: f32", dims(ta, rows, depth), ", %b: f32",
                                  dims(tb, depth, columns), ") { ", kCast,
                                  "%y = matmul(%p, %q) {transpose_a=", ta ? "true" : "false",
                                  ", transpose_b=", tb ? "true" : "false", "} return %y }"),
                       {.engine = engine});
}

TEST_CASE("onednn: a product of bf16 adds a bias, an activation and a residual in f32") {
  const std::string head =
      "graph(%a: f32[3,11,34], %b: f32[34,65], %bias: f32[65], %r: f32[3,11,65]) { ";
  for (const char* rest :
       {"%y = linear(%p, %q; %bias) return %y }", "%y = linear(%p, %q; %bias; %r) return %y }",
        "%y = linear(%p, %q; %bias) {activation=\"relu\"} return %y }",
        "%y = linear(%p, %q; %bias) {activation=\"tanh\"} return %y }",
        "%y = linear(%p, %q; ; %r) return %y }"})
    check_same(head + kCast + rest);
}

// Sums in f32 that err in their last bits may round to another bf16: 2^-8 of the largest result.
TEST_CASE("onednn: a product rounded to bf16, also where its sums come in pieces") {
  for (const int64_t depth : {0, 33, 1600})
    for (const char* attrs : {"", ", activation=\"relu\"", ", activation=\"tanh\""})
      check_same(
          ir::concat("graph(%a: f32[13,", depth, "], %b: f32[", depth, ",65], %bias: f32[65]) { ",
                     kCast, "%y = linear(%p, %q; %bias) {rounded=true", attrs,
                     "} %z = cast(%y) {dtype=f32} return %z }"),
          {.tolerance = 0x1p-8});
  check_same(std::string("graph(%a: f32[3,5,40], %b: f32[40,33], %r: f32[3,5,33]) { ") + kCast +
                 "%y = linear(%p, %q; ; %r) {rounded=true} %z = cast(%y) {dtype=f32} return %z }",
             {.tolerance = 0x1p-8});
}

TEST_CASE("onednn: bf16 is moved as other elements are: views, transposes, rows that are packed") {
  check_same(std::string("graph(%a: f32[4,6,40], %b: f32[40,33]) { ") + kCast +
             "%t = transpose(%p) {perm=[1, 0, 2]} %s = slice(%t) {axis=1, start=1, stop=3} "
             "%y = matmul(%s, %q) return %y }");
  check_same(
      "graph(%a: f32[T,B,40], %lengths_upto_5: s32[B], %b: f32[40,33], %d: f32[T,B,33]) { "
      "%u = tanh(%a) %c = cast(%u) {dtype=bf16} %p = pack(%c, %lengths_upto_5) "
      "%q = cast(%b) {dtype=bf16} %y = matmul(%p, %q) %e = pack(%d, %lengths_upto_5) "
      "%g = cast(%e) {dtype=bf16} %w = matmul(%p, %g) {transpose_a=true} "
      "%z = unpack(%y, %lengths_upto_5) {steps=T} return %z, %w }",
      // tanh in f32 may round to another bf16 than tanh in double: 2^-8 of a term.
      {.bindings = {{"T", 5}, {"B", 3}}, .tolerance = 0x1p-8});
  check_same(
      "graph(%a: f32[5,3,40], %b: f32[5,3,40]) { %p = cast(%a) {dtype=bf16} "
      "%q = cast(%b) {dtype=bf16} %c = concat(%p, %q) {axis=-1} %r = reverse(%c) {axis=0} "
      "%y = cast(%r) {dtype=f32} return %y }");
}

TEST_CASE("onednn: batches of matrices of bf16, and bf16 from and to integers") {
  check_same(std::string("graph(%a: f32[2,3,4,33], %b: f32[2,1,33,5]) { ") + kCast +
             "%y = matmul(%p, %q) return %y }");
  check_same(
      "graph(%n: s32[7], %a: f32[7]) { %p = cast(%n) {dtype=bf16} %x = cast(%p) {dtype=f32} "
      "%q = cast(%a) {dtype=bf16} %m = cast(%q) {dtype=s32} return %x, %m }");
}

// What a cell multiplies in between is computed: an f32 in its last bits may round to another bf16,
// by 2^-8 of itself, of one of 40 terms.
TEST_CASE("onednn: cells with weights of bf16, and their adjoints") {
  const std::string weights = "%p = cast(%U) {dtype=bf16} %q = cast(%Un) {dtype=bf16} ";
  for (const char* reset : {"before", "after"}) {
    check_same("graph(%g: f32[5,120], %s: f32[5,40], %U: f32[40,80], %Un: f32[40,40]) { " +
                   weights + "%y, %gates = gru_cell(%g, %s, %p, %q) {gates=true, reset=\"" + reset +
                   "\"} return %y, %gates }",
               {.tolerance = 0x1p-8});
    const std::string third = reset == std::string("after") ? ", %dm" : "";
    check_same(
        "graph(%d: f32[5,40], %s: f32[5,40], %gates: f32[5,120], %U: f32[40,80], %Un: "
        "f32[40,40]) { " +
            weights + "%dg, %ds" + third + " = gru_cell_grad(%d, %s, %gates, %p, %q) {reset=\"" +
            reset + "\"} return %dg, %ds" + third + " }",
        {.tolerance = 0x1p-8});
  }
  check_same(
      "graph(%g: f32[5,160], %h: f32[5,40], %c: f32[5,40], %U: f32[40,160]) { "
      "%p = cast(%U) {dtype=bf16} %h1, %c1 = lstm_cell(%g, %h, %c, %p) return %h1, %c1 }");
}

TEST_CASE("onednn: the vocabulary's loss of bf16, with its gradients") {
  for (const bool tied : {false, true})
    check_same(
        ir::concat(
            "graph(%dloss: f32[9], %a: f32[9,40], %b: f32", tied ? "[65,40]" : "[40,65]",
            ", %labels_below_65: s32[9], %bias: f32[65]) { ", kCast,
            "%l, %dx, %dw, %db = linear_cross_entropy(%dloss, %p, %q, %labels_below_65; %bias) "
            "{smoothing=0.1, transpose_b=",
            tied ? "true" : "false", R"(, wanted=["x", "w", "bias"]} return %l, %dx, %dw, %db })"),
        {.tolerance = 0x1p-8});
}

TEST_CASE("onednn: attention reads bf16 and computes in f32, its adjoint too") {
  const std::string cast =
      "%p = cast(%q) {dtype=bf16} %r = cast(%k) {dtype=bf16} %s = cast(%v) {dtype=bf16} ";
  check_same("graph(%q: f32[2,3,5,16], %k: f32[2,3,7,16], %v: f32[2,3,7,8]) { " + cast +
             "%o, %lse = attention(%p, %r, %s) {lse=true, scale=0.25} return %o, %lse }");
  check_same(
      "graph(%do: f32[2,3,5,8], %q: f32[2,3,5,16], %k: f32[2,3,7,16], %v: f32[2,3,7,8]) { " + cast +
          "%o, %lse = attention(%p, %r, %s) {lse=true, scale=0.25} %t = cast(%o) {dtype=bf16} "
          "%dq, %dk, %dv = attention_grad(%do, %p, %r, %s, %t, %lse) "
          "{scale=0.25, wanted=[\"q\", \"k\", \"v\"]} return %dq, %dk, %dv }",
      // The kernel takes sums from o, which is rounded; the expansion has them exactly.
      {.tolerance = 0x1p-7});
}

// As many queries as tiles are made for, keys that a mask hides. With o as f32 what is computed is
// what the expansion says; rounded it errs by 2^-9 of each of its terms, and with it the sum of all
// weights' gradients that the kernel takes off each of them.
TEST_CASE("onednn: attention of many queries reads bf16 where it lies") {
  const std::string cast =
      "%p = cast(%q) {dtype=bf16} %r = cast(%k) {dtype=bf16} %s = cast(%v) {dtype=bf16} ";
  for (const char* attrs : {"", ", band=[-1, 0]"})
    for (const bool masked : {false, true})
      for (const bool rounds : {false, true}) {
        const std::string mask = masked ? ", %m: pred[2,1,1,21]" : "", use = masked ? "; ; %m" : "";
        check_same(
            "graph(%do: f32[2,3,13,9], %q: f32[2,3,13,20], %k: f32[2,3,21,20], "
            "%v: f32[2,3,21,9]" +
                mask + ") { " + cast + "%o, %lse = attention(%p, %r, %s" + use +
                ") {lse=true, scale=0.25" + attrs + "} " +
                (rounds ? "%t = cast(%o) {dtype=bf16} " : "%t = cast(%o) {dtype=f32} ") +
                "%dq, %dk, %dv = attention_grad(%do, %p, %r, %s, %t, %lse" + use + ") {scale=0.25" +
                attrs + ", wanted=[\"q\", \"k\", \"v\"]} return %o, %dq, %dk, %dv }",
            {.tolerance = rounds ? 0x1p-6 : 1e-5});
      }
  for (const bool rounds : {false, true})
    check_same(
        "graph(%do: f32[B*T,3,16], %q: f32[B*T,3,16], %k: f32[B*S,3,16], %v: f32[B*S,3,16], "
        "%m_upto_11: s32[B], %n_upto_12: s32[B]) { " +
            cast +
            "%o, %lse = packed_attention(%p, %r, %s, %m_upto_11, %n_upto_12) {queries=T, keys=S, "
            "lse=true} " +
            (rounds ? "%t = cast(%o) {dtype=bf16} " : "%t = cast(%o) {dtype=f32} ") +
            "%dq, %dk, %dv = packed_attention_grad(%do, %p, %r, %s, %t, %lse, %m_upto_11, "
            "%n_upto_12) {queries=T, keys=S, wanted=[\"q\", \"k\", \"v\"]} return %dq, %dk, %dv }",
        {.bindings = {{"B", 3}, {"T", 11}, {"S", 12}}, .tolerance = rounds ? 0x1p-6 : 1e-5});
}

TEST_CASE("onednn: additive attention reads keys and values of bf16, of one query and of many") {
  const std::string cast =
      "%p = cast(%q) {dtype=bf16} %r = cast(%k) {dtype=bf16} %s = cast(%v) {dtype=bf16} ";
  for (const char* queries : {"", "3,", "9,"})
    for (const bool rounds : {false, true}) {
      const std::string q = std::string("[2,") + queries + "40]",
                        o = std::string("[2,") + queries + "33]";
      check_same("graph(%do: f32" + o + ", %q: f32" + q +
                     ", %k: f32[2,7,40], %v: f32[2,7,33], %va: f32[40]) { " + cast +
                     "%o, %lse = attention(%p, %r, %s; %va) {score=\"additive\", lse=true} " +
                     (rounds ? "%t = cast(%o) {dtype=bf16} " : "%t = cast(%o) {dtype=f32} ") +
                     "%dq, %dk, %dv, %da = attention_grad(%do, %p, %r, %s, %t, %lse; %va) "
                     "{score=\"additive\", wanted=[\"q\", \"k\", \"v\", \"v_a\"]} "
                     "return %o, %dq, %dk, %dv, %da }",
                 {.tolerance = rounds ? 0x1p-6 : 1e-5});
    }
}

// y in double may round to the other bf16 beside it: 2^-8 of the largest.
TEST_CASE("onednn: norms write bf16, their adjoints read it") {
  for (const char* name : {"layer_norm", "rms_norm"}) {
    const bool centred = name == std::string("layer_norm");
    const std::string vectors = centred ? "; %scale; %shift" : "; %scale",
                      statistics = centred ? ", %mean, %rstd" : ", %rstd";
    check_same("graph(%x: f32[5,3,70], %scale: f32[70], %shift: f32[70]) { %y" + statistics +
                   " = " + name + "(%x" + vectors +
                   ") {statistics=true, rounded=true} %z = cast(%y) {dtype=f32} return %z" +
                   statistics + " }",
               {.tolerance = 0x1p-8});
    check_same(
        "graph(%dy: f32[5,3,70], %x: f32[5,3,70], %scale: f32[70], %shift: f32[70]) { "
        "%0 = cast(%x) {dtype=bf16} %1 = cast(%0) {dtype=f32} %y" +
        statistics + " = " + name + "(%1" + vectors + ") {statistics=true} %dx, %ds = " + name +
        "_grad(%dy, %1" + statistics + vectors + ") {wanted=[\"x\", \"scale\"]} return %dx, %ds }");
  }
}

TEST_CASE("onednn: what is kept as bf16 lies there once, whoever reads it as f32") {
  const std::string head = "graph(%dy: f32[6,70], %a: f32[6,33], %b: f32[33,70]) { " +
                           std::string(kCast) +
                           "%0 = linear(%p, %q) {rounded=true} %read = cast(%0) {dtype=f32} ";
  const std::string read = head +
                           "%2 = linear(%p, %q) {rounded=true} %made = cast(%2) {dtype=f32} "
                           "%n, %r = rms_norm(%made) {statistics=true} "
                           "%dx = rms_norm_grad(%dy, %read, %r) {wanted=[\"x\"]} %s = slice(%read) "
                           "{axis=1, start=3, stop=67} %y = sum(%s) {axes=[0]} %z = sum(%read) "
                           "{axes=[0]} return %dx, %y, %z }";
  const std::string plan = onednn::compile(ir::parse(read), {})->plan_text();
  CHECK(plan.find("cast: elementwise   %made ") != plan.npos);
  CHECK(plan.find("cast: elementwise   %read ") == plan.npos);
  check_same(read, {.tolerance = 0x1p-7});
  // A view of it that a kernel cannot read so is copied.
  check_same(head +
                 "%s = slice(%read) {axis=0, start=1, stop=4} %y = sum(%s) {axes=[0]} "
                 "%u = rms_norm(%s) return %y, %u }",
             {.tolerance = 0x1p-7});
}

TEST_CASE("onednn: other arithmetic on bf16 is refused at its line") {
  const ir::Graph graph = ir::parse(
      "graph(%a: f32[3]) { %p = cast(%a) {dtype=bf16} %y = tanh(%p) %z = cast(%y) {dtype=f32} "
      "return %z }");
  CHECK_THROWS_AS(backends::make_onednn()->compile(graph, {}), ir::GraphError);
}
