// tests/passes/pack_tokens_test.cpp -- work batched over time runs on the real tokens only.
#include "ir/text/text.h"
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

using namespace weft;
using test::check_keeps_values;
using test::check_rewrite;
using test::check_unchanged;

namespace {

// Arguments, and a loop whose rows end; %o is zero where they have.
const std::string kLoop = R"(
    graph(%s: f32[B,H], %x: f32[T,B,H], %U: f32[H,H], %W: f32[H,V], %b: f32[V], %y: s32[T,B], %n: s32[B]) {
      %sN, %o = scan(%s; %x; %U; %n) {axes=[0], out_axes=[0]}
      (%s, %x, %U, %live) {
        %m = matmul(%s, %U)
        %a = add(%m, %x)
        %h = tanh(%a)
        yield %h; %h
      })";

}  // namespace

TEST_CASE("pack_tokens: the vocabulary projection and its loss") {
  check_rewrite("pack_tokens", kLoop + R"(
      %z = linear(%o, %W; %b)
      %m = length_mask(%n) {size=T}
      %t = transpose(%m) {perm=[1,0]}
      %w = cast(%t) {dtype=f32}
      %l, %e = softmax_cross_entropy(%z, %y; %w)
      %r = sum(%l) {axes=[0,1]}
      return %r
    })",
                kLoop + R"(
      %po = pack(%o, %n)
      %z = linear(%po, %W; %b)
      %m = length_mask(%n) {size=T}
      %t = transpose(%m) {perm=[1,0]}
      %pt = pack(%t, %n)
      %w = cast(%pt) {dtype=f32}
      %py = pack(%y, %n)
      %l, %e = softmax_cross_entropy(%z, %py; %w)
      %r = sum(%l) {axes=[0]}
      return %r
    })");
}

TEST_CASE("pack_tokens: a sum over rows stops where ended rows add nothing to it") {
  check_rewrite("pack_tokens", kLoop + R"(
      %a = reshape(%x) {shape=[T*B,H]}
      %c = reshape(%o) {shape=[T*B,H]}
      %w = matmul(%a, %c) {transpose_a=true}
      return %w
    })",
                kLoop + R"(
      %px = pack(%x, %n)
      %po = pack(%o, %n)
      %w = matmul(%px, %po) {transpose_a=true}
      return %w
    })");
}

TEST_CASE("pack_tokens: rows that are zero where they have ended come back") {
  check_rewrite("pack_tokens", kLoop + R"(
      %z = matmul(%o, %W)
      %q = mul(%z, %z)
      return %q
    })",
                kLoop + R"(
      %po = pack(%o, %n)
      %z = matmul(%po, %W)
      %q = mul(%z, %z)
      %u = unpack(%q, %n) {steps=T}
      return %u
    })");
}

TEST_CASE("pack_tokens: operands without rows of their own get them, or are read as they are") {
  check_rewrite("pack_tokens", kLoop + R"(
      %z = matmul(%o, %U)
      %v = reshape(%b) {shape=[1,1,V]}
      %c = matmul(%o, %W)
      %d = mul(%c, %v)
      %e = mul(%z, %s)
      %k = concat(%d, %e) {axis=-1}
      return %k
    })",
                kLoop + R"(
      %po = pack(%o, %n)
      %z = matmul(%po, %U)
      %v = reshape(%b) {shape=[1,1,V]}
      %c = matmul(%po, %W)
      %v1 = reshape(%v) {shape=[1,V]}
      %d = mul(%c, %v1)
      %s1 = reshape(%s) {shape=[1,B,H]}
      %s2 = broadcast(%s1) {shape=[T,B,H]}
      %s3 = pack(%s2, %n)
      %e = mul(%z, %s3)
      %k = concat(%d, %e) {axis=-1}
      %u = unpack(%k, %n) {steps=T}
      return %u
    })");
}

TEST_CASE("pack_tokens: what a loop with these lengths reads of ended rows does not matter") {
  check_rewrite("pack_tokens", R"(
    graph(%s: f32[B,V], %x: f32[T,B,H], %W: f32[H,V], %b: f32[V], %n: s32[B]) {
      %g = linear(%x, %W; %b)
      %sN = scan(%s; %g; ; %n) {axes=[0]}
      (%s, %g, %live) {
        %a = add(%s, %g)
        %h = tanh(%a)
        yield %h
      }
      return %sN
    })",
                R"(
    graph(%s: f32[B,V], %x: f32[T,B,H], %W: f32[H,V], %b: f32[V], %n: s32[B]) {
      %px = pack(%x, %n)
      %pg = linear(%px, %W; %b)
      %g = unpack(%pg, %n) {steps=T}
      %sN = scan(%s; %g; ; %n) {axes=[0]}
      (%s, %g, %live) {
        %a = add(%s, %g)
        %h = tanh(%a)
        yield %h
      }
      return %sN
    })");
}

TEST_CASE("pack_tokens: a loop that adds up ended rows as well holds it back") {
  check_unchanged("pack_tokens", R"(
    graph(%s: f32[V], %x: f32[T,B,H], %W: f32[H,V], %b: f32[V], %n: s32[B]) {
      %g = linear(%x, %W; %b)
      %sN = scan(%s; %g; ; %n) {axes=[0]}
      (%s, %g, %live) {
        %q = sum(%g) {axes=[0]}
        %a = add(%s, %q)
        yield %a
      }
      return %sN
    })");
}

TEST_CASE("pack_tokens: ended rows that are read as they are hold it back") {
  check_unchanged("pack_tokens", kLoop + R"(
      %z = linear(%o, %W; %b)
      return %z
    })");
  check_unchanged("pack_tokens", kLoop + R"(
      %a = reshape(%x) {shape=[T*B,H]}
      %w = matmul(%a, %a) {transpose_a=true}
      return %w, %o
    })");
}

TEST_CASE("pack_tokens: elementwise work alone is not worth moving rows") {
  check_unchanged("pack_tokens", kLoop + R"(
      %z = mul(%o, %x)
      %q = sum(%z) {axes=[0,1]}
      return %q
    })");
}

TEST_CASE("pack_tokens: columns are cut before their rows are moved, unless all are moved anyway") {
  check_rewrite("pack_tokens", kLoop + R"(
      %c = slice(%o) {axis=-1, stop=2}
      %V = slice(%W) {axis=0, stop=2}
      %z = matmul(%c, %V)
      %q = sum(%z) {axes=[0,1]}
      return %q
    })",
                kLoop + R"(
      %V = slice(%W) {axis=0, stop=2}
      %c = slice(%o) {axis=-1, stop=2}
      %pc = pack(%c, %n)
      %z = matmul(%pc, %V)
      %q = sum(%z) {axes=[0]}
      return %q
    })");
  check_rewrite("pack_tokens", kLoop + R"(
      %c = slice(%o) {axis=-1, stop=2}
      %V = slice(%W) {axis=0, stop=2}
      %z = matmul(%c, %V)
      %y1 = matmul(%o, %W)
      %q = sum(%z) {axes=[0,1]}
      %r = sum(%y1) {axes=[0,1]}
      return %q, %r
    })",
                kLoop + R"(
      %po = pack(%o, %n)
      %c = slice(%po) {axis=-1, stop=2}
      %V = slice(%W) {axis=0, stop=2}
      %z = matmul(%c, %V)
      %y1 = matmul(%po, %W)
      %q = sum(%z) {axes=[0]}
      %r = sum(%y1) {axes=[0]}
      return %q, %r
    })");
}

TEST_CASE("pack_tokens: a sum reads rows that are moved for a product, and moves none itself") {
  check_rewrite("pack_tokens", kLoop + R"(
      %z = matmul(%o, %W)
      %q = sum(%z) {axes=[0,1]}
      %r = sum(%o) {axes=[0,1]}
      %t = sum(%o) {axes=[2]}
      %u = mul(%o, %o)
      %v = sum(%u) {axes=[0,1]}
      return %q, %r, %t, %v
    })",
                kLoop + R"(
      %po = pack(%o, %n)
      %z = matmul(%po, %W)
      %q = sum(%z) {axes=[0]}
      %r = sum(%po) {axes=[0]}
      %t = sum(%o) {axes=[2]}
      %u = mul(%o, %o)
      %v = sum(%u) {axes=[0,1]}
      return %q, %r, %t, %v
    })");
}

TEST_CASE("pack_tokens: sequences before steps are the same rows") {
  check_rewrite("pack_tokens", kLoop + R"(
      %p = transpose(%o) {perm=[1,0,2]}
      %z = matmul(%p, %W)
      return %z
    })",
                kLoop + R"(
      %po = pack(%o, %n)
      %z = matmul(%po, %W)
      %u = unpack(%z, %n) {steps=T}
      %t = transpose(%u) {perm=[1,0,2]}
      return %t
    })");
  check_keeps_values("pack_tokens", kLoop + R"(
      %p = transpose(%o) {perm=[1,0,2]}
      %m = length_mask(%n) {size=T}
      %c = cast(%m) {dtype=f32}
      %d = reshape(%c) {shape=[B,T,1]}
      %e = mul(%p, %d)
      %f = reshape(%e) {shape=[B*T,H]}
      %z = matmul(%p, %W)
      %zf = reshape(%z) {shape=[B*T,V]}
      %w = matmul(%f, %zf) {transpose_a=true}
      %r = sum(%e) {axes=[0,1]}
      return %z, %w, %r
    })");
}

namespace {

// Two heads look at their own sequences, and a loss at what they found.
std::string heads(const std::string& attention) {
  return R"(
    graph(%x: f32[B,T,8], %W: f32[8,8], %y: s32[B,T], %n: s32[B]) {
      %m = length_mask(%n) {size=T}
      %keys = reshape(%m) {shape=[B,1,1,T]}
      %z = matmul(%x, %W)
      %h = reshape(%z) {shape=[B,T,2,4]}
      %q = transpose(%h) {perm=[0,2,1,3]}
      )" +
         attention + R"(
      %t = transpose(%o) {perm=[0,2,1,3]}
      %j = reshape(%t) {shape=[B,T,8]}
      %s = matmul(%j, %W)
      %w = cast(%m) {dtype=f32}
      %l, %e = softmax_cross_entropy(%s, %y; %w)
      %r = sum(%l) {axes=[0,1]}
      return %r
    })";
}

int products_of(const std::string& shape, const std::string& text) {
  const ir::Graph g = test::run("pack_tokens", ir::parse(text));
  int n = 0;
  for (const ir::Node& node : g.nodes())
    n += node.op->name == "matmul" && ir::str(g.type(node.results[0]).shape) == shape ? 1 : 0;
  return n;
}

}  // namespace

TEST_CASE(
    "pack_tokens: tokens that look at each other, ended keys hidden by their lengths or by the "
    "order") {
  for (const char* attention :
       {"%o = attention(%q, %q, %q; ; %keys)", "%o = attention(%q, %q, %q) {band=[-1, 0]}"}) {
    CHECK(products_of("[B*T,8]", heads(attention)) == 2);
    check_keeps_values("pack_tokens", heads(attention));
  }
}

TEST_CASE(
    "pack_tokens: tokens that look at ended ones, or whose weights are wanted, stay where they "
    "are") {
  for (const char* attention : {"%o = attention(%q, %q, %q)",
                                "%free = constant() {shape=[B,1,1,T], values=[1], dtype=pred}"
                                " %o = attention(%q, %q, %q; ; %free)"}) {
    CHECK(products_of("[B,T,8]", heads(attention)) == 1);
    check_keeps_values("pack_tokens", heads(attention));
  }
}
