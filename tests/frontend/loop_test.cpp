// tests/frontend/loop_test.cpp -- loops: what is captured, what is lifted, what is refused.
#include "tests/frontend/graph_text.h"

using namespace weft;
using weft::tests::check_graph;
using weft::tests::error_of;
using weft::tests::has;

TEST_CASE(
    "scan: captured values become invariants, parameters are lifted out, scalars stay inside") {
  Model m;
  const Tensor s0 = m.input("s0", f32, {dim("B"), 4}),
               x = m.input("x", f32, {dim("T"), dim("B"), 4}), bias = m.input("bias", f32, {4}),
               len = m.input("len", s32, {dim("B")});
  const Tensor half = full(s0, 0.5, {}, f32);
  const LoopResults r =
      scan({.carries = {s0}, .scanned = {x}, .lengths = len}, [&](const LoopStep& at) -> LoopYield {
        const Tensor s =
            tanh(at.scanned[0] + linear(m / "U", at.carries[0], 4, no_bias) + bias * half);
        return {.carries = {s}, .outputs = {where(expand(at.live, -1), s, 0)}};
      });
  m.output("final", r.carries[0]);
  m.output("all", r.outputs[0]);
  check_graph(m, R"(
    graph(%s0: f32[B,4], %x: f32[T,B,4], %bias: f32[4], %len: s32[B], parameter %U: f32[4,4] {path="U", init="glorot_uniform"}) -> (final: f32[B,4], all: f32[T,B,4]) {
      %f, %a = scan(%s0; %x; %U, %bias; %len) {axes=[0], out_axes=[0]}
      (%s, %xt, %U, %bias, %live) {
        %u = matmul(%s, %U)
        %p = add(%xt, %u)
        %h = mul(%bias, 0.5)
        %q = add(%p, %h)
        %n = tanh(%q)
        %l = reshape(%live) {shape=[B,1]}
        %o = select(%l, %n, 0)
        yield %n; %o
      }
      return %f, %a
    })");
}

TEST_CASE("scan: nested loops capture through both") {
  Model m;
  const Tensor x = m.input("x", f32, {3, 5, 2}), w = m.input("w", f32, {2});
  const Tensor zero = m.input("zero", f32, {2});
  const LoopResults outer =
      scan({.carries = {zero}, .scanned = {x}}, [&](const LoopStep& row) -> LoopYield {
        const LoopResults inner =
            scan({.carries = {row.carries[0]}, .scanned = {row.scanned[0]}, .reverse = true},
                 [&](const LoopStep& at) -> LoopYield {
                   return {.carries = {at.carries[0] * w + at.scanned[0] + row.carries[0]},
                           .outputs = {}};
                 });
        return {.carries = inner.carries, .outputs = {}};
      });
  m.output("y", outer.carries[0]);
  check_graph(m, R"(
    graph(%x: f32[3,5,2], %w: f32[2], %zero: f32[2]) -> (y: f32[2]) {
      %y = scan(%zero; %x; %w) {axes=[0]}
      (%c, %r, %w) {
        %n = scan(%c; %r; %w, %c) {axes=[0], reverse=true}
        (%d, %e, %w, %c) {
          %f = mul(%d, %w)
          %g = add(%f, %e)
          %h = add(%g, %c)
          yield %h
        }
        yield %n
      }
      return %y
    })");
}

TEST_CASE("scan: steps without scanned operands, other axes") {
  Model m;
  const Tensor s = m.input("s", f32, {2}), x = m.input("x", f32, {2, dim("T")});
  const auto twice = scan({.carries = {s}, .steps = 4}, [](const LoopStep& at) -> LoopYield {
    return {.carries = {at.carries[0] + at.carries[0]}, .outputs = {at.carries[0]}};
  });
  CHECK(twice.outputs[0].type().str() == "f32[4,2]");
  const auto along = scan({.carries = {s}, .scanned = {x}, .axis = 1, .out_axis = -1},
                          [](const LoopStep& at) -> LoopYield {
                            return {.carries = {at.carries[0]}, .outputs = {at.scanned[0]}};
                          });
  CHECK(along.outputs[0].type().str() == "f32[2,T]");
}

TEST_CASE("scan: faults of the body name lines, and leave the graph usable") {
  Model m;
  const Tensor s = m.input("s", f32, {2, 3}), x = m.input("x", f32, {5, 2, 4});
  Tensor stolen;
  const auto wrong = [&](const LoopStep& at) -> LoopYield {
    return {.carries = {at.carries[0] + at.scanned[0]}, .outputs = {}};
  };
  const int line = __LINE__ - 2;
  CHECK(has(error_of([&] { scan({.carries = {s}, .scanned = {x}}, wrong); }),
            "loop_test.cpp:" + std::to_string(line) + ": error: 'add'"));
  CHECK(has(error_of([&] {
              scan({.carries = {s}, .scanned = {x}}, [&](const LoopStep& at) -> LoopYield {
                return {.carries = {at.scanned[0]}, .outputs = {}};
              });
            }),
            "scan.12"));
  scan({.carries = {s}, .scanned = {x}}, [&](const LoopStep& at) -> LoopYield {
    stolen = tanh(at.scanned[0]);
    return {.carries = {at.carries[0]}, .outputs = {}};
  });
  CHECK(has(error_of([&] { stolen + 1; }), "used after the loop"));
  m.output("y", tanh(s));
  check_graph(m,
              "graph(%s: f32[2,3], %x: f32[5,2,4]) -> (y: f32[2,3]) { %y = tanh(%s) return %y }");
}

TEST_CASE("recurrent: a bidirectional layer is a forward and a reverse loop with lengths") {
  Model m;
  const Tensor x = m.input("x", f32, {dim("S"), dim("B"), 3}),
               len = m.input("len", s32, {dim("B")});
  for (const CellKind kind : {CellKind::gru, CellKind::gru_after, CellKind::lstm}) {
    const Recurrent r = recurrent(m / std::to_string(static_cast<int>(kind)), x, len, 4,
                                  {.kind = kind, .layers = 2, .bidirectional = true});
    CHECK(r.outputs.type().str() == "f32[S,B,8]");
    CHECK(r.final.size() == 4);
    CHECK(r.final[3].h.type().str() == "f32[B,4]");
  }
  ir::verify(m.graph());
}
