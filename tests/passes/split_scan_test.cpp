// tests/passes/split_scan_test.cpp -- what does not recur leaves the loop, and what must stay does.
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

using namespace weft;
using test::check_rewrite;
using test::check_unchanged;

TEST_CASE("split_scan: what depends on invariants only is computed once") {
  check_rewrite("split_scan", R"(
    graph(%s0: f32[B,H], %h: f32[B,E], %U: f32[E,H], %W: f32[H,H]) {
      %s = scan(%s0; ; %h, %U, %W) {steps=T}
      (%s, %h, %U, %W) {
        %k = matmul(%h, %U)
        %r = matmul(%s, %W)
        %n = add(%r, %k)
        yield %n
      }
      return %s
    })",
                R"(
    graph(%s0: f32[B,H], %h: f32[B,E], %U: f32[E,H], %W: f32[H,H]) {
      %k = matmul(%h, %U)
      %s = scan(%s0; ; %W, %k) {steps=T}
      (%s, %W, %k) {
        %r = matmul(%s, %W)
        %n = add(%r, %k)
        yield %n
      }
      return %s
    })");
}

TEST_CASE("split_scan: what depends on scanned inputs only is one large product before the loop") {
  check_rewrite("split_scan", R"(
    graph(%s0: f32[B,H], %x: f32[B,T,M], %W: f32[M,H]) {
      %s = scan(%s0; %x; %W) {axes=[1]}
      (%s, %x, %W) {
        %g = matmul(%x, %W)
        %a = add(%s, %g)
        %n = tanh(%a)
        yield %n
      }
      return %s
    })",
                R"(
    graph(%s0: f32[B,H], %x: f32[B,T,M], %W: f32[M,H]) {
      %xt = transpose(%x) {perm=[1,0,2]}
      %g = matmul(%xt, %W)
      %s = scan(%s0; %g) {axes=[0]}
      (%s, %g) {
        %a = add(%s, %g)
        %n = tanh(%a)
        yield %n
      }
      return %s
    })");
}

TEST_CASE(
    "split_scan: what feeds no carry comes after the loop, and keeps zeros without a select") {
  check_rewrite("split_scan", R"(
    graph(%s0: f32[B,H], %x: f32[T,B,H], %W: f32[H,V], %len: s32[B]) {
      %s, %o = scan(%s0; %x; %W; %len) {axes=[0], out_axes=[0]}
      (%s, %x, %W, %live) {
        %a = add(%s, %x)
        %n = tanh(%a)
        %o = matmul(%n, %W)
        yield %n; %o
      }
      return %o
    })",
                R"(
    graph(%s0: f32[B,H], %x: f32[T,B,H], %W: f32[H,V], %len: s32[B]) {
      %s, %ns = scan(%s0; %x; ; %len) {axes=[0], out_axes=[0]}
      (%s, %x, %live) {
        %a = add(%s, %x)
        %n = tanh(%a)
        yield %n; %n
      }
      %o = matmul(%ns, %W)
      return %o
    })");
}

TEST_CASE("split_scan: what does not keep zeros is masked where rows have ended") {
  check_rewrite("split_scan", R"(
    graph(%s0: f32[B,H], %x: f32[T,B,H], %len: s32[B]) {
      %s, %o = scan(%s0; %x; ; %len) {axes=[0], out_axes=[0]}
      (%s, %x, %live) {
        %a = add(%s, %x)
        %n = tanh(%a)
        %o = exp(%n)
        yield %n; %o
      }
      return %o
    })",
                R"(
    graph(%s0: f32[B,H], %x: f32[T,B,H], %len: s32[B]) {
      %s, %ns = scan(%s0; %x; ; %len) {axes=[0], out_axes=[0]}
      (%s, %x, %live) {
        %a = add(%s, %x)
        %n = tanh(%a)
        yield %n; %n
      }
      %m = length_mask(%len) {size=T}
      %mt = transpose(%m) {perm=[1,0]}
      %ml = reshape(%mt) {shape=[T,B,1]}
      %e = exp(%ns)
      %o = select(%ml, %e, 0)
      return %o
    })");
}

TEST_CASE("split_scan: a weight's gradient added up by step becomes one contraction") {
  check_rewrite("split_scan", R"(
    graph(%d0: f32[B,H], %zero: f32[M,H], %x: f32[T,B,M], %U: f32[H,H]) {
      %d, %dW = scan(%d0, %zero; %x; %U) {axes=[0], reverse=true}
      (%d, %dW, %x, %U) {
        %w = matmul(%x, %d) {transpose_a=true}
        %s = add(%dW, %w)
        %n = matmul(%d, %U)
        yield %n, %s
      }
      return %d, %dW
    })",
                R"(
    graph(%d0: f32[B,H], %zero: f32[M,H], %x: f32[T,B,M], %U: f32[H,H]) {
      %d, %ds = scan(%d0; ; %U) {steps=T, out_axes=[0], reverse=true}
      (%d, %U) {
        %n = matmul(%d, %U)
        yield %n; %d
      }
      %xr = reshape(%x) {shape=[B*T,M]}
      %dr = reshape(%ds) {shape=[B*T,H]}
      %w = matmul(%xr, %dr) {transpose_a=true}
      %dW = add(%zero, %w)
      return %d, %dW
    })");
}

TEST_CASE("split_scan: attention of single queries becomes attention of all steps") {
  check_rewrite("split_scan", R"(
    graph(%s0: f32[B,H], %x: f32[T,B,H], %k: f32[B,S,H], %m: pred[B,S]) {
      %s, %c = scan(%s0; %x; %k, %m) {axes=[0], out_axes=[1]}
      (%s, %x, %k, %m) {
        %a = add(%s, %x)
        %n = tanh(%a)
        %c = attention(%n, %k, %k; ; %m)
        yield %n; %c
      }
      return %c
    })",
                R"(
    graph(%s0: f32[B,H], %x: f32[T,B,H], %k: f32[B,S,H], %m: pred[B,S]) {
      %s, %ns = scan(%s0; %x) {axes=[0], out_axes=[0]}
      (%s, %x) {
        %a = add(%s, %x)
        %n = tanh(%a)
        yield %n; %n
      }
      %q = transpose(%ns) {perm=[1,0,2]}
      %mq = reshape(%m) {shape=[B,1,S]}
      %o = attention(%q, %k, %k; ; %mq)
      %ot = transpose(%o) {perm=[1,0,2]}
      %c = transpose(%ot) {perm=[1,0,2]}
      return %c
    })");
}

TEST_CASE("split_scan: everything that recurs stays") {
  check_unchanged("split_scan", R"(
    graph(%s0: f32[B,H], %x: f32[T,B,H], %U: f32[H,H]) {
      %s, %ss = scan(%s0; %x; %U) {axes=[0], out_axes=[0]}
      (%s, %x, %U) {
        %u = matmul(%s, %U)
        %a = add(%u, %x)
        %n = tanh(%a)
        yield %n; %n
      }
      return %ss
    })");
}

TEST_CASE("split_scan: sums over keys are not stacked over steps") {
  // tanh(q_t + k) is [B,S,A]; for all steps at once it would take T times the memory.
  check_unchanged("split_scan", R"(
    graph(%s0: f32[B,A], %x: f32[T,B,A], %k: f32[B,S,A]) {
      %s, %c = scan(%s0; %x; %k) {axes=[0], out_axes=[0]}
      (%s, %x, %k) {
        %a = add(%s, %x)
        %n = tanh(%a)
        %q = reshape(%n) {shape=[B,1,A]}
        %u = add(%q, %k)
        %p = tanh(%u)
        %c = sum(%p) {axes=[-2]}
        yield %n; %c
      }
      return %c
    })");
}

TEST_CASE("split_scan: an accumulation that ended rows can reach stays in the loop") {
  // x is not masked where rows have ended: outside the loop, stacked values would be zero there.
  check_unchanged("split_scan", R"(
    graph(%s0: f32[B,H], %n0: f32[H], %x: f32[T,B,H], %U: f32[H,H], %len: s32[B]) {
      %s, %n = scan(%s0, %n0; %x; %U; %len) {axes=[0]}
      (%s, %n, %x, %U, %live) {
        %u = matmul(%s, %U)
        %a = add(%u, %x)
        %y = tanh(%a)
        %c = sum(%y) {axes=[0]}
        %m = add(%n, %c)
        yield %y, %m
      }
      return %s, %n
    })");
}

TEST_CASE("split_scan: a lower layer runs through all steps before an upper one") {
  check_rewrite("split_scan", R"(
    graph(%a0: f32[B,H], %b0: f32[B,H], %x: f32[T,B,H], %U: f32[H,H], %W: f32[H,H], %V: f32[H,H],
          %len: s32[B]) {
      %a, %b, %o = scan(%a0, %b0; %x; %U, %W, %V; %len) {axes=[0], out_axes=[1]}
      (%a, %b, %x, %U, %W, %V, %live) {
        %au = matmul(%a, %U)
        %ax = add(%au, %x)
        %a1 = tanh(%ax)
        %bw = matmul(%a1, %W)
        %bv = matmul(%b, %V)
        %bx = add(%bw, %bv)
        %b1 = tanh(%bx)
        yield %a1, %b1; %b1
      }
      return %a, %b, %o
    })",
                R"(
    graph(%a0: f32[B,H], %b0: f32[B,H], %x: f32[T,B,H], %U: f32[H,H], %W: f32[H,H], %V: f32[H,H],
          %len: s32[B]) {
      %a, %as = scan(%a0; %x; %U; %len) {axes=[0], out_axes=[0]}
      (%a, %x, %U, %live) {
        %au = matmul(%a, %U)
        %ax = add(%au, %x)
        %a1 = tanh(%ax)
        yield %a1; %a1
      }
      %bw = matmul(%as, %W)
      %b, %bs = scan(%b0; %bw; %V; %len) {axes=[0], out_axes=[0]}
      (%b, %bw, %V, %live) {
        %bv = matmul(%b, %V)
        %bx = add(%bw, %bv)
        %b1 = tanh(%bx)
        yield %b1; %b1
      }
      %o = transpose(%bs) {perm=[1,0,2]}
      return %a, %b, %o
    })");
}

TEST_CASE("split_scan: layers that feed each other stay in one loop") {
  check_unchanged("split_scan", R"(
    graph(%a0: f32[B,H], %b0: f32[B,H], %x: f32[T,B,H], %U: f32[H,H], %W: f32[H,H]) {
      %a, %b = scan(%a0, %b0; %x; %U, %W) {axes=[0]}
      (%a, %b, %x, %U, %W) {
        %ab = add(%a, %b)
        %au = matmul(%ab, %U)
        %ax = add(%au, %x)
        %a1 = tanh(%ax)
        %bw = matmul(%a1, %W)
        %b1 = tanh(%bw)
        yield %a1, %b1
      }
      return %a, %b
    })");
}

TEST_CASE("split_scan: independent carries stay together where nothing heavy would leave") {
  check_unchanged("split_scan", R"(
    graph(%a0: f32[B,H], %b0: f32[B,H], %x: f32[T,B,H], %U: f32[H,H]) {
      %a, %b = scan(%a0, %b0; %x; %U) {axes=[0]}
      (%a, %b, %x, %U) {
        %au = matmul(%a, %U)
        %ax = add(%au, %x)
        %a1 = tanh(%ax)
        %bx = add(%b, %a1)
        %b1 = tanh(%bx)
        yield %a1, %b1
      }
      return %a, %b
    })");
}

TEST_CASE("split_scan: a convolution of scanned inputs is one over the steps of all batches") {
  check_rewrite("split_scan", R"(
    graph(%s0: f32[B,4,H], %x: f32[T,B,6,C], %W: f32[3,C,H]) {
      %s = scan(%s0; %x; %W) {axes=[0]}
      (%s, %x, %W) {
        %g = conv(%x, %W)
        %a = add(%s, %g)
        %n = tanh(%a)
        yield %n
      }
      return %s
    })",
                R"(
    graph(%s0: f32[B,4,H], %x: f32[T,B,6,C], %W: f32[3,C,H]) {
      %r = reshape(%x) {shape=[B*T,6,C]}
      %c = conv(%r, %W)
      %g = reshape(%c) {shape=[T,B,4,H]}
      %s = scan(%s0; %g) {axes=[0]}
      (%s, %g) {
        %a = add(%s, %g)
        %n = tanh(%a)
        yield %n
      }
      return %s
    })");
}

TEST_CASE("split_scan: pooling, sort and running products keep their values outside of the loop") {
  test::check_keeps_values("split_scan", R"(
    graph(%s0: f32[B,4,3], %x: f32[T,B,8,3], %d: f32[T,B,4,3]) {
      %s, %o = scan(%s0; %x, %d) {axes=[0,0], out_axes=[0]}
      (%s, %x, %d) {
        %p = max_pool(%x) {window=[2], strides=[2]}
        %q = avg_pool(%x) {window=[2], strides=[2]}
        %r = avg_pool_grad(%d) {size=[8], window=[2], strides=[2]}
        %v, %i = sort(%x) {axis=1}
        %c = cumprod(%v) {axis=1}
        %l = linear_recurrence(%p, %q) {axis=1, reverse=true}
        %a = add(%s, %l)
        %n = tanh(%a)
        %e = mul(%r, %c)
        yield %n; %e
      }
      return %s, %o
    })",
                           {{"B", 2}, {"T", 3}});
}
