// frontend/nn/recurrent.cpp -- cells in plain ops, layers as scans.
#include "frontend/nn/recurrent.h"

#include "frontend/nn/linear.h"

namespace weft {
namespace {

// b as far as z goes, else a
Tensor mix(const Tensor& z, const Tensor& a, const Tensor& b) { return (1 - z) * a + z * b; }

// What all gates are given of x, side by side: x W + b, without x b for every row of s.
Tensor of_input(const Scope& p, const Tensor& x, const Tensor& s, int64_t gates,
                const CellOptions& o) {
  const Dim width = s.dim(-1) * gates;
  Tensor g;
  if (x.valid()) g = matmul(x, p.parameter("W", {x.dim(-1), width}, o.input));
  if (!o.bias) return g.valid() ? g : zeros(s, {s.dim(0), width});
  const Tensor b = p.parameter("b", {width}, init::zeros());
  return g.valid() ? g + b : broadcast(b, {s.dim(0), width});
}

}  // namespace

Tensor gru_cell(const Scope& p, const Tensor& x, const Tensor& s, const Tensor& context,
                const CellOptions& o, SourceLoc loc) {
  const auto in = p.enter(loc);
  const Dim width = s.dim(-1), two = width * 2, three = width * 3;
  Tensor g = of_input(p, x, s, 3, o);
  if (context.valid()) {
    const Tensor c = p.parameter("C", {context.dim(-1), three}, o.input);
    g = g + matmul(context, c);
  }
  const Tensor u = p.parameter("U", {width, three}, o.recurrent);
  const auto times = [&](const Tensor& a, const Dim& from, const Dim& to) {
    return slice(g, -1, from, to) + matmul(a, slice(u, -1, from, to));
  };
  const Tensors gates = split(sigmoid(times(s, 0, two)), 2);
  const Tensor &z = gates[0], &r = gates[1];
  const Tensor n = tanh(times(r * s, two, three));
  return mix(z, s, n);
}

Tensor gru_after_cell(const Scope& p, const Tensor& x, const Tensor& s, const CellOptions& o,
                      SourceLoc loc) {
  const auto in = p.enter(loc);
  const Dim width = s.dim(-1);
  const Tensor g = of_input(p, x, s, 3, o);
  Tensor u = matmul(s, p.parameter("U", {width, width * 3}, o.recurrent));
  if (o.bias) u = u + p.parameter("bu", {width * 3}, init::zeros());
  const Tensors gs = split(g, 3), us = split(u, 3);
  const Tensor r = sigmoid(gs[0] + us[0]), z = sigmoid(gs[1] + us[1]);
  const Tensor n = tanh(gs[2] + r * us[2]);
  return mix(z, n, s);
}

CellState lstm_cell(const Scope& p, const Tensor& x, const CellState& state, const CellOptions& o,
                    SourceLoc loc) {
  const auto in = p.enter(loc);
  const Dim width = state.h.dim(-1);
  Tensor g = of_input(p, x, state.h, 4, o);
  g = g + matmul(state.h, p.parameter("U", {width, width * 4}, o.recurrent));
  const Tensors gates = split(g, 4);
  const Tensor i = sigmoid(gates[0]), f = sigmoid(gates[1]), n = tanh(gates[2]),
               out = sigmoid(gates[3]);
  const Tensor c = f * state.c + i * n;
  return {out * tanh(c), c};
}

CellState cell(CellKind kind, const Scope& p, const Tensor& x, const CellState& state,
               const Tensor& context, const CellOptions& o, SourceLoc loc) {
  const CalledFrom from(loc);
  if (kind == CellKind::gru) return {gru_cell(p, x, state.h, context, o), {}};
  const Tensor both = !context.valid() ? x : x.valid() ? concat({x, context}, -1) : context;
  if (kind == CellKind::gru_after) return {gru_after_cell(p, both, state.h, o), {}};
  return lstm_cell(p, both, state, o);
}

CellState zero_state(CellKind kind, const Tensor& like, const Dim& rows, const Dim& width,
                     SourceLoc loc) {
  const CalledFrom from(loc);
  const Tensor zero = full(like, 0, {rows, width}, f32);
  return {zero, kind == CellKind::lstm ? zero : Tensor()};
}

namespace {

struct Direction {
  Tensor outputs;
  CellState final;
};

Direction run(const Scope& p, const Tensor& x, const Tensor& lengths, const CellState& initial,
              bool reverse, const RecurrentOptions& o) {
  const auto in = p.enter();
  Tensors carries{initial.h};
  if (o.kind == CellKind::lstm) carries.push_back(initial.c);
  const auto body = [&](const LoopStep& at) -> LoopYield {
    const CellState now{at.carries[0], at.carries.size() > 1 ? at.carries[1] : Tensor()};
    CellState next = cell(o.kind, p, at.scanned[0], now, {}, o.cell);
    for (int64_t i = 0; i < o.transitions; ++i)
      next = cell(o.kind, p / "transition" / i, {}, next, {}, o.cell);
    return {.carries = next.c.valid() ? Tensors{next.h, next.c} : Tensors{next.h},
            .outputs = {next.h}};
  };
  const LoopResults r =
      scan({.carries = carries, .scanned = {x}, .lengths = lengths, .reverse = reverse}, body);
  return {r.outputs[0], {r.carries[0], r.carries.size() > 1 ? r.carries[1] : Tensor()}};
}

}  // namespace

namespace {

// Two positions side by side, beyond the last one zeros: T[S,B,M] -> T[(S+1)/2,B,2M]
Tensor in_pairs(const Tensor& x) {
  const Dim s = x.dim(0);
  return concat({slice(x, 0, 0, s, 2), slice(pad(x, 0, 0, 1), 0, 1, s + 1, 2)}, -1);
}

struct Forgetting {
  Tensor keep, more;  // f, and (1 - f) * (W x)
};
Forgetting forgetting(const Scope& p, const Tensor& x) {
  const Dim width = x.dim(-1);
  const Tensor f = sigmoid(linear(p / "f", x, width));
  return {f, (1 - f) * matmul(x, p.parameter("W", {width, width}))};
}

}  // namespace

CellState ssru_cell(const Scope& p, const Tensor& x, const Tensor& c, SourceLoc loc) {
  const auto in = p.enter(loc);
  const Forgetting step = forgetting(p, x);
  const Tensor next = step.keep * c + step.more;
  return {relu(next), next};
}

Tensor ssru(const Scope& p, const Tensor& x, SourceLoc loc) {
  const auto in = p.enter(loc);
  if (x.rank() != 3) fail(loc, "'ssru' needs x of [B,T,M], found ", x.type());
  const Forgetting steps = forgetting(p, x);
  return relu(linear_recurrence(steps.keep, steps.more, 1));
}

Recurrent recurrent(const Scope& p, const Tensor& x, const Tensor& lengths, const Dim& width,
                    const RecurrentOptions& o, SourceLoc loc) {
  const CalledFrom from(loc);
  if (x.rank() != 3) fail(loc, "'recurrent' needs x of [S,B,M], found ", x.type());
  const int64_t directions = o.bidirectional ? 2 : 1;
  if (!o.initial.empty() && static_cast<int64_t>(o.initial.size()) != o.layers * directions)
    fail(loc, "'recurrent' needs ", o.layers * directions, " initial states, found ",
         o.initial.size());
  Recurrent r{x, {}, lengths};
  for (int64_t layer = 0; layer < o.layers; ++layer) {
    const Scope here = p / layer;
    if (layer > 0 && layer <= o.halved) {
      r.outputs = in_pairs(r.outputs);
      if (lengths.valid()) r.lengths = (r.lengths + 1) / 2;
    }
    const Tensor before = r.outputs;
    if (layer > 0)
      r.outputs = (o.variational ? variational_dropout : sequence_dropout)(
          here / "dropout", r.outputs, o.dropout, o.noise, SourceLoc::here());
    Tensors outputs;
    for (int64_t d = 0; d < directions; ++d) {
      const CellState initial = o.initial.empty()
                                    ? zero_state(o.kind, x, x.dim(1), width)
                                    : o.initial[static_cast<size_t>(layer * directions + d)];
      const Direction run_d =
          run(here / (d == 0 ? "forward" : "backward"), r.outputs, r.lengths, initial, d == 1, o);
      outputs.push_back(run_d.outputs);
      r.final.push_back(run_d.final);
    }
    r.outputs = concat(outputs);
    if (o.residual && layer > 0) r.outputs = r.outputs + before;
  }
  return r;
}

}  // namespace weft
