// ir/passes/clean/simplify_layout.cpp -- rules of ops that move elements: reshape, transpose, slice, ...
#include "ir/passes/clean/simplifier.h"

#include <algorithm>
#include <numeric>

namespace weft::ir {
namespace {

Value reshape(Simplifier& s, const Node& n) {
  const Value x = n.operands[0];
  const TensorType to = s.type(n.results[0]), from = s.type(x);
  if (to.shape == from.shape) return x;
  if (const auto inner = s.made_by(x, ops::reshape)) return s.reshape(inner->operands[0], to.shape);
  if (const auto c = s.scalar(x)) return s.filled(*c, to);
  // Rows folded for a product and unfolded after it.
  if (const auto m = s.made_by(x, ops::matmul);
      m && !s.view(*m).flag("transpose_a") && s.type(m->operands[1]).rank() == 2) {
    if (const auto folded = s.made_by(m->operands[0], ops::reshape)) {
      Shape rows = s.type(folded->operands[0]).shape, wanted = to.shape;
      if (rows.size() >= 2 && wanted.size() == rows.size() && wanted.back() == from.dim(-1) &&
          rows.back() == s.type(m->operands[0]).dim(-1)) {
        rows.pop_back(), wanted.pop_back();
        if (rows == wanted)
          return s.emit(ops::matmul, {{folded->operands[0]}, {m->operands[1]}}, m->attrs);
      }
    }
  }
  return {};
}

Value transpose(Simplifier& s, const Node& n) {
  const Integers perm = s.view(n).integers("perm");
  const Value x = n.operands[0];
  if (std::is_sorted(perm.begin(), perm.end())) return x;
  if (const auto inner = s.made_by(x, ops::transpose)) {
    const Integers first = s.view(*inner).integers("perm");
    Integers both;
    for (const int64_t p : perm) both.push_back(first[static_cast<size_t>(p)]);
    if (std::is_sorted(both.begin(), both.end())) return inner->operands[0];
    return s.emit(ops::transpose, {{inner->operands[0]}}, {{"perm", both}});
  }
  if (const auto c = s.scalar(x)) return s.filled(*c, s.type(n.results[0]));
  const Shape shape = s.type(x).shape;
  Integers moved;
  for (const int64_t p : perm)
    if (!shape[static_cast<size_t>(p)].is(1)) moved.push_back(p);
  if (std::is_sorted(moved.begin(), moved.end())) return s.reshape(x, s.type(n.results[0]).shape);
  return {};
}

Value broadcast(Simplifier& s, const Node& n) {
  const Value x = n.operands[0];
  const TensorType to = s.type(n.results[0]), from = s.type(x);
  if (to.shape == from.shape) return x;
  if (const auto c = s.scalar(x)) return s.filled(*c, to);
  if (const auto inner = s.made_by(x, ops::broadcast))
    return s.broadcast(inner->operands[0], to.shape);
  bool ones = true;
  for (size_t d = 0; d < to.shape.size(); ++d) {
    const size_t extra = to.shape.size() - from.shape.size();
    ones &= d < extra ? to.shape[d].is(1) : to.shape[d] == from.shape[d - extra];
  }
  return ones ? s.reshape(x, to.shape) : Value{};
}

// --- slice and concat

// Where along `axis` the parts of a concat begin, and at last where it ends.
std::vector<Dim> boundaries(Simplifier& s, const Node& concat, int64_t axis) {
  std::vector<Dim> at{Dim(0)};
  for (const Value v : concat.operands) at.push_back(at.back() + s.type(v).dim(axis));
  return at;
}

struct SliceOf {
  Value x;
  int64_t axis;
  Dim start, stop;
};

// Read as a slice of step 1, or nothing.
std::optional<SliceOf> as_slice(Simplifier& s, Value v) {
  const auto n = s.made_by(v, ops::slice);
  if (!n || s.view(*n).integer("step") != 1) return std::nullopt;
  return SliceOf{n->operands[0], s.view(*n).integer("axis"), s.view(*n).dim("start"),
                 s.view(*n).dim("stop")};
}

Value emit_slice(Simplifier& s, Value x, int64_t axis, const Dim& start, const Dim& stop) {
  if (start.is(0) && stop == s.type(x).dim(axis)) return x;
  return s.emit(ops::slice, {{x}}, {{"axis", axis}, {"start", start}, {"stop", stop}});
}

Value slice(Simplifier& s, const Node& n) {
  const Value x = n.operands[0];
  if (s.type(n.results[0]).shape == s.type(x).shape) return x;
  if (const auto c = s.scalar(x)) return s.filled(*c, s.type(n.results[0]));
  const auto outer = as_slice(s, n.results[0]);
  if (!outer) return {};
  const int64_t axis = outer->axis;
  if (const auto inner = as_slice(s, x); inner && inner->axis == axis)
    return emit_slice(s, inner->x, axis, inner->start + outer->start, inner->start + outer->stop);
  if (const auto c = s.made_by(x, ops::concat); c && s.view(*c).integer("axis") == axis) {
    const std::vector<Dim> at = boundaries(s, *c, axis);
    const auto first = std::find(at.begin(), at.end(), outer->start),
               last = std::find(at.begin(), at.end(), outer->stop);
    if (first != at.end() && last != at.end() && first < last) {
      const Values parts(c->operands.begin() + (first - at.begin()),
                         c->operands.begin() + (last - at.begin()));
      return parts.size() == 1 ? parts[0] : s.emit(ops::concat, {parts}, {{"axis", axis}});
    }
    for (size_t i = 0; i + 1 < at.size(); ++i) {  // within one part
      const auto low = (outer->start - at[i]).constant(),
                 high = (at[i + 1] - outer->stop).constant();
      if (low && high && *low >= 0 && *high >= 0)
        return emit_slice(s, c->operands[i], axis, outer->start - at[i], outer->stop - at[i]);
    }
  }
  if (const auto b = s.made_by(x, ops::broadcast)) {
    const Value y = b->operands[0];
    const TensorType t = s.type(y);
    if (-axis > t.rank() || t.dim(axis).is(1)) return s.broadcast(y, s.type(n.results[0]).shape);
  }
  return {};
}

// Parts whose last two axes were made one are put side by side before that:
//   concat(reshape(x: [...,G,D]), reshape(y: [...,H,D])) {axis=-1}
//     =>  reshape(concat(x, y) {axis=-2}: [...,G+H,D])
// so that parts which are transposed are moved once.
Value concat_of_joined(Simplifier& s, const Node& n) {
  Values inner;
  for (const Value v : n.operands) {
    const auto r = s.made_by(v, ops::reshape);
    if (!r) return {};
    const Shape to = s.type(v).shape, from = s.type(r->operands[0]).shape;
    if (from.size() != to.size() + 1 || from.size() < 3 ||
        !std::equal(to.begin(), to.end() - 1, from.begin()) ||
        (!inner.empty() && s.type(inner[0]).shape.back() != from.back()))
      return {};
    inner.push_back(r->operands[0]);
  }
  return s.reshape(s.emit(ops::concat, {inner}, {{"axis", -2}}), s.type(n.results[0]).shape);
}

Value concat(Simplifier& s, const Node& n) {
  const int64_t axis = s.view(n).integer("axis");
  if (n.operands.size() == 1) return n.operands[0];
  if (axis == -1)
    if (const Value joined = concat_of_joined(s, n); joined.valid()) return joined;
  Values parts;
  bool changed = false;
  for (const Value v : n.operands) {
    if (s.type(v).dim(axis).is(0)) {
      changed = true;
      continue;
    }
    if (const auto inner = s.made_by(v, ops::concat);
        inner && s.view(*inner).integer("axis") == axis) {
      parts.insert(parts.end(), inner->operands.begin(), inner->operands.end());
      changed = true;
      continue;
    }
    if (!parts.empty()) {
      const auto left = as_slice(s, parts.back()), right = as_slice(s, v);
      if (left && right && left->x == right->x && left->axis == axis && right->axis == axis &&
          left->stop == right->start) {
        parts.back() = emit_slice(s, left->x, axis, left->start, right->stop);
        changed = true;
        continue;
      }
      const auto c = s.scalar(parts.back()), d = s.scalar(v);
      if (c && d && *c == *d) {
        TensorType t = s.type(v);
        t.shape[static_cast<size_t>(t.rank() + axis)] =
            t.dim(axis) + s.type(parts.back()).dim(axis);
        parts.back() = s.filled(*c, t);
        changed = true;
        continue;
      }
    }
    parts.push_back(v);
  }
  if (!changed) return {};
  if (parts.empty()) return n.operands[0];
  return parts.size() == 1 ? parts[0] : s.emit(ops::concat, {parts}, {{"axis", axis}});
}

Value pad(Simplifier& s, const Node& n) {
  return s.type(n.results[0]).shape == s.type(n.operands[0]).shape && s.view(n).dim("low").is(0)
             ? n.operands[0]
             : Value{};
}

Value reverse(Simplifier& s, const Node& n) {
  const auto inner = s.made_by(n.operands[0], ops::reverse);
  if (inner && inner->attrs == n.attrs) return inner->operands[0];
  return s.scalar(n.operands[0]) || s.type(n.operands[0]).dim(s.view(n).integer("axis")).is(1)
             ? n.operands[0]
             : Value{};
}

Value same_dim(Simplifier& s, const Node& n) {
  return s.type(n.operands[0]).shape == s.type(n.results[0]).shape ? n.operands[0] : Value{};
}

Value dim_size(Simplifier& s, const Node& n) {
  const auto size = s.type(n.operands[0]).dim(s.view(n).integer("axis")).constant();
  const TensorType t = s.type(n.results[0]);
  return size && (is_float(t.dtype) || *size <= 127) ? s.filled(static_cast<double>(*size), t)
                                                     : Value{};
}

// --- reductions

// Axes of size 1 need no reducing; an axis that is kept is put back by a reshape; sums of sums are
// one.
Value reduction(Simplifier& s, const Node& n) {
  const TensorType from = s.type(n.operands[0]), to = s.type(n.results[0]);
  const Integers axes = s.view(n).integers("axes");
  Integers wanted;
  for (const int64_t a : axes)
    if (!from.dim(a).is(1)) wanted.push_back(a);
  if (wanted.size() != axes.size() || s.view(n).flag("keep")) {
    if (wanted.empty()) return s.reshape(n.operands[0], to.shape);
    return s.reshape(s.emit(*n.op, {{n.operands[0]}}, {{"axes", wanted}}), to.shape);
  }
  if (axes.empty()) return n.operands[0];
  if (const auto inner = s.made_by(n.operands[0], *n.op); inner && n.op != &ops::mean) {
    const int rank = s.type(inner->operands[0]).rank();
    std::vector<int64_t> left;  // axes of inner's operand that are left after it, from the front
    const auto gone = s.view(*inner).axes();
    for (int64_t d = 0; d < rank; ++d)
      if (std::find(gone.begin(), gone.end(), d) == gone.end()) left.push_back(d);
    Integers all(gone.begin(), gone.end());
    for (const int64_t a : s.view(n).axes()) all.push_back(left[static_cast<size_t>(a)]);
    return s.emit(*n.op, {{inner->operands[0]}}, {{"axes", all}});
  }
  return {};
}

// Signs and constant factors come out of sums.
Value sum_of_multiple(Simplifier& s, const Node& n) {
  if (!is_float(s.type(n.results[0]).dtype)) return {};
  const auto sum_of = [&](Value x) { return s.emit(*n.op, {{x}}, n.attrs); };
  if (const auto x = s.made_by(n.operands[0], ops::neg))
    return s.emit(ops::neg, {{sum_of(x->operands[0])}});
  if (const auto x = s.made_by(n.operands[0], ops::mul))
    if (const auto c = s.scalar(x->operands[1]); c && s.type(x->operands[1]).rank() == 0)
      return s.emit(ops::mul, {{sum_of(x->operands[0])}, {x->operands[1]}});
  return {};
}

// The sum of what is repeated is a multiple.
Value sum_of_broadcast(Simplifier& s, const Node& n) {
  const auto b = s.made_by(n.operands[0], ops::broadcast);
  const auto c = s.scalar(n.operands[0]);
  const TensorType to = s.type(n.results[0]), from = s.type(n.operands[0]);
  if ((!b && !c) || !is_float(to.dtype)) return {};
  int64_t times = 1;
  for (const int64_t a : s.view(n).integers("axes")) {
    const auto size = from.dim(a).constant();
    if (!size) return {};
    if (b) {
      const TensorType x = s.type(b->operands[0]);
      if (-a <= x.rank() && !x.dim(a).is(1)) return {};
    }
    times *= *size;
  }
  if (c) return s.filled(*c * static_cast<double>(times), to);
  const Shape shape = s.type(b->operands[0]).shape;
  const auto axes = s.view(n).axes();
  Shape left;
  for (size_t d = 0; d < from.shape.size(); ++d)
    if (std::find(axes.begin(), axes.end(), static_cast<int64_t>(d)) == axes.end()) {
      const size_t extra = from.shape.size() - shape.size();
      left.push_back(d < extra ? Dim(1) : shape[d - extra]);
    }
  return s.broadcast(s.emit(ops::mul, {{s.reshape(b->operands[0], left)},
                                       {s.filled(static_cast<double>(times), {to.dtype, {}})}}),
                     to.shape);
}

// --- softmax and matmul

// x without its trailing axes of size 1, taken through what computes elementwise.
Value without_trailing(Simplifier& s, Value x, size_t count, int depth) {
  TensorType t = s.type(x);
  if (t.rank() == 0) return x;
  Shape shape = t.shape;
  for (size_t i = 0; i < count && !shape.empty(); ++i) shape.pop_back();
  const Node* p = s.builder.graph().producer(x);
  if (p != nullptr && p->op->elementwise && depth > 0) {
    const Node n = *p;
    OperandGroups groups;
    for (const Value v : n.operands) groups.push_back({without_trailing(s, v, count, depth - 1)});
    return s.emit(*n.op, groups, n.attrs);
  }
  return s.reshape(x, shape);
}

Value softmax(Simplifier& s, const Node& n) {
  const int64_t axis = s.view(n).integer("axis");
  const TensorType t = s.type(n.results[0]);
  if (axis == -1) return {};
  for (int64_t d = axis + 1; d < 0; ++d)
    if (!t.dim(d).is(1)) return {};
  const auto count = static_cast<size_t>(-1 - axis);
  return s.reshape(s.emit(*n.op, {{without_trailing(s, n.operands[0], count, 4)}}), t.shape);
}

// x if v is x with its last two axes exchanged.
Value exchanged(Simplifier& s, Value v) {
  const auto t = s.made_by(v, ops::transpose);
  if (!t) return {};
  const Integers perm = s.view(*t).integers("perm");
  const auto rank = static_cast<int64_t>(perm.size());
  for (int64_t d = 0; d < rank; ++d) {
    const int64_t want = d == rank - 2 ? rank - 1 : d == rank - 1 ? rank - 2 : d;
    if (perm[static_cast<size_t>(d)] != want) return {};
  }
  return t->operands[0];
}

// A transpose that ends in exchanging the last two axes, given as the flag of the matmul and a
// transpose that does not: k transposed to [B,Heads,D,S] for its heads becomes [B,Heads,S,D].
Value heads_exchanged(Simplifier& s, Value v) {
  const auto t = s.made_by(v, ops::transpose);
  if (!t) return {};
  Integers perm = s.view(*t).integers("perm");
  if (perm.size() < 3) return {};
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  // Better only if it leaves the last axis in place.
  if (perm.back() != static_cast<int64_t>(perm.size()) - 1) return {};
  return s.emit(ops::transpose, {{t->operands[0]}}, {{"perm", perm}});
}

Value matmul(Simplifier& s, const Node& n) {
  const bool ta = s.view(n).flag("transpose_a"), tb = s.view(n).flag("transpose_b");
  const Value a = n.operands[0], b = n.operands[1];
  const auto emit = [&](Value x, Value y, bool tx, bool ty) {
    return s.emit(ops::matmul, {{x}, {y}}, {{"transpose_a", tx}, {"transpose_b", ty}});
  };
  if (const Value x = exchanged(s, a); x.valid()) return emit(x, b, !ta, tb);
  if (const Value y = exchanged(s, b); y.valid()) return emit(a, y, ta, !tb);
  if (const Value x = heads_exchanged(s, a); x.valid()) return emit(x, b, !ta, tb);
  if (const Value y = heads_exchanged(s, b); y.valid()) return emit(a, y, ta, !tb);
  if (ta || s.type(b).rank() != 2) return {};
  const Dim width = s.type(n.results[0]).dim(-1);
  // Rows that are repeated: multiply once, then repeat.
  if (const auto r = s.made_by(a, ops::broadcast)) {
    const Shape from = s.type(r->operands[0]).shape;
    if (from.size() >= 2 && from.back() == s.type(a).dim(-1))
      return s.broadcast(emit(r->operands[0], b, false, tb), s.type(n.results[0]).shape);
  }
  // [x; y] W with one of them repeated: x W1 + y W2.
  if (const auto c = s.made_by(a, ops::concat); c && s.view(*c).integer("axis") == -1) {
    const bool repeated = std::any_of(c->operands.begin(), c->operands.end(), [&](Value v) {
      return s.made_by(v, ops::broadcast).has_value();
    });
    if (!repeated) return {};
    Value total;
    Dim at = 0;
    for (const Value v : c->operands) {
      const Dim end = at + s.type(v).dim(-1);
      const Value product = emit(v, emit_slice(s, b, tb ? -1 : -2, at, end), false, tb);
      total = total.valid() ? s.emit(ops::add, {{total}, {product}}) : product;
      at = end;
    }
    return total;
  }
  return {};
}

}  // namespace

std::span<const SimplificationRule> layout_rules() {
  static constexpr SimplificationRule rules[] = {
      {&ops::reshape, reshape},     {&ops::transpose, transpose},  {&ops::broadcast, broadcast},
      {&ops::slice, slice},         {&ops::concat, concat},        {&ops::pad, pad},
      {&ops::reverse, reverse},     {&ops::same_dim, same_dim},    {&ops::dim_size, dim_size},
      {&ops::sum, reduction},       {&ops::max, reduction},        {&ops::min, reduction},
      {&ops::mean, reduction},      {&ops::prod, reduction},       {&ops::sum, sum_of_broadcast},
      {&ops::sum, sum_of_multiple}, {&ops::mean, sum_of_multiple}, {&ops::softmax, softmax},
      {&ops::log_softmax, softmax}, {&ops::matmul, matmul},
  };
  return rules;
}

}  // namespace weft::ir
