// ir/ops/attention.cpp -- inference of attention and its adjoint, and what they mean.
#include "ir/ops/attention.h"

#include "ir/ops/attention_parts.h"
#include "ir/ops/distance.h"
#include "ir/rewrite/builder.h"

#include <algorithm>
#include <cmath>

namespace weft::ir::ops {
namespace {

// [...,Tq,S], or [...,S] of a single query.
Shape score_shape(const OpView& op) {
  Shape s = op.operand("q").shape;
  s.back() = op.operand("k").dim(-2);
  return s;
}

// What is computed in: f32 of operands that are bf16.
DType computed(const OpView& op) { return product_dtype(op.operand("q").dtype); }

// Axes of the scores that dropout's elements are counted along: all but the first, and but the
// queries' where each of them has a position of its own.
void check_dropout(const OpView& op, const std::string& label) {
  if (!(op.real("keep") > 0 && op.real("keep") <= 1))
    op.fail(label + ".18", "keep must lie in (0, 1], found ", op.real("keep"));
  for (const std::string_view name : {"step", "rows"})
    if (op.has(name) != has_dropout(op))
      op.fail(label + ".19", "needs step and rows exactly where keep is below 1");
  if (!has_dropout(op)) {
    if (op.has("position")) op.fail(label + ".19", "has a position but keeps everything");
    return;
  }
  const Shape scores = score_shape(op);
  const int rank = static_cast<int>(scores.size());
  const bool single = is_single_query(op);
  if (rank < (single ? 2 : 3))
    op.fail(label + ".20", "needs a leading axis for the rows of dropout, found scores ",
            str(scores));
  if (!is_integer(op.operand("step").dtype) || op.operand("step").rank() != 0)
    op.fail(label + ".20", "needs an integer scalar step, found ", op.operand("step"));
  if (op.operand("rows") != TensorType{DType::s64, {scores[0]}})
    op.fail(label + ".20", "needs rows of ", TensorType{DType::s64, {scores[0]}}, ", found ",
            op.operand("rows"));
  bool positions = false;
  if (op.has("position")) {
    const TensorType& p = op.operand("position");
    positions = p.rank() == 1;
    const bool fits = p.dtype == DType::s32 &&
                      (p.rank() == 0 || (!single && p.shape == Shape{op.operand("q").dim(-2)}));
    if (!fits) op.fail(label + ".20", "needs positions of s32, one or one a query, found ", p);
  }
  Integers axes = op.integers("inner_axes"), needed;
  for (int64_t axis = -1; axis > -rank; --axis)
    if (!(positions && axis == -2)) needed.push_back(axis);
  std::sort(axes.rbegin(), axes.rend());
  if (axes != needed)
    op.fail(label + ".21", "inner_axes must be all axes of the scores ", str(scores),
            positions ? " but the first and the queries'" : " but the first",
            ", counted from the end");
}

void check_band(const OpView& op, const std::string& label) {
  const Integers& band = op.integers("band");
  if (band.empty()) return;
  if (is_single_query(op)) op.fail(label + ".17", "band needs an axis of queries");
  const auto is_limit = [](int64_t n) { return n >= -1 && n <= INT32_MAX; };
  if (band.size() != 2 || !is_limit(band[0]) || !is_limit(band[1]) || band == Integers{-1, -1})
    op.fail(label + ".22", "needs a band of [behind, ahead], each 0 to ", INT32_MAX,
            " or -1 for no limit, not both of them -1");
}

// Does `m` broadcast to `shape`?
bool fits(const TensorType& m, const Shape& shape) {
  bool all = m.rank() <= static_cast<int>(shape.size());
  for (int d = 1; all && d <= m.rank(); ++d)
    all = m.dim(-d).is(1) || m.dim(-d) == shape[shape.size() - static_cast<size_t>(d)];
  return all;
}

// [...,Tq+S-1]: what a bias by distance broadcasts to.
Shape distance_shape(const OpView& op) {
  Shape s = score_shape(op);
  const Dim keys = s.back();
  s.pop_back();
  s.back() = s.back() + keys - 1;
  return s;
}

void check_bias_by_distance(const OpView& op, const std::string& label) {
  if (!op.flag("by_distance")) return;
  if (!op.has("bias") || is_additive(op) || is_single_query(op))
    op.fail(label + ".23", "by_distance needs a bias, dot scores and an axis of queries");
  const TensorType& bias = op.operand("bias");
  const Shape distances = distance_shape(op);
  if (bias.rank() == 0 || bias.dim(-1) != distances.back())
    op.fail(label + ".24", "needs a bias of ", distances.back(), " distances, found ", bias);
  if (!fits(bias, distances))
    op.fail(label + ".24", "cannot broadcast its bias ", bias, " by distance to ", str(distances));
}

void check_common(const OpView& op, const std::string& label) {
  const TensorType &q = op.operand("q"), &k = op.operand("k"), &v = op.operand("v");
  if (!is_float(q.dtype) || k.dtype != q.dtype || v.dtype != q.dtype)
    op.fail(label + ".1", "needs q, k and v of one float dtype");
  if (k.rank() < 2 || v.rank() != k.rank() || (q.rank() != k.rank() && q.rank() + 1 != k.rank()))
    op.fail(label + ".2", "needs k and v of one rank and q of that or one less, found ", q.rank(),
            ", ", k.rank(), " and ", v.rank());
  if (q.dim(-1) != k.dim(-1))
    op.fail(label + ".3", "scores queries of width ", q.dim(-1), " against keys of ", k.dim(-1));
  if (k.dim(-2) != v.dim(-2))
    op.fail(label + ".4", "has ", k.dim(-2), " keys but ", v.dim(-2), " values");
  for (int d = 0; d < k.rank() - 2; ++d)
    if (q.dim(d) != k.dim(d) || v.dim(d) != k.dim(d))
      op.fail(label + ".5", "needs equal leading axes, found ", q.dim(d), ", ", k.dim(d), " and ",
              v.dim(d), " at axis ", d);
  const std::string& score = op.text("score");
  if (score != "dot" && score != "additive")
    op.fail(label + ".6", "score must be dot or additive, found '", score, "'");
  if (op.has("v_a") != is_additive(op))
    op.fail(label + ".7", "needs v_a exactly where the score is additive");
  if (const TensorType v_a{computed(op), {q.dim(-1)}}; op.has("v_a") && op.operand("v_a") != v_a)
    op.fail(label + ".8", "needs v_a of ", v_a, ", found ", op.operand("v_a"));
  const Shape scores = score_shape(op);
  for (const std::string_view name : {"mask", "bias"}) {
    if (!op.has(name)) continue;
    const TensorType& m = op.operand(name);
    if (m.dtype != (name == "mask" ? DType::pred : computed(op)))
      op.fail(label + ".9", "has a ", name, " of dtype ", ir::name(m.dtype));
    if (name == "bias" && op.flag("by_distance")) continue;
    if (!fits(m, scores))
      op.fail(label + ".10", "cannot broadcast its ", name, " ", m, " to the scores ", str(scores));
  }
  check_bias_by_distance(op, label);
  check_band(op, label);
  check_dropout(op, label);
}

TensorType output_type(const OpView& op) {
  TensorType o{computed(op), op.operand("q").shape};
  o.shape.back() = op.operand("v").dim(-1);
  return o;
}

TensorType lse_type(const OpView& op) {
  TensorType t{computed(op), op.operand("q").shape};
  t.shape.pop_back();
  return t;
}

// Inserts the query axis into what broadcasts to the scores of a single query.
Value with_query_axis(Builder& b, Value x, bool single) {
  if (!single) return x;
  Shape s = b.type(x).shape;
  if (s.empty()) return x;
  s.insert(s.end() - 1, Dim(1));
  return b.reshape(x, s);
}

struct Scores {
  Value q, k, v;  // q with its query axis; k and v 0 where they are hidden from all queries
  Value e;        // masked scores [...,Tq,S]
  Value seen;     // pred, broadcasts to e: what is not hidden; none where nothing is
  Value tanh;     // additive: tanh(q + k) [...,Tq,S,D]
};

// Keys or values that some query may look at, else 0: NaN behind a mask that hides them from all
// does not leak, though the products multiply it by 0.
Value seen(Builder& b, Value mask, Value x) {
  if (!mask.valid()) return x;
  Shape column = b.type(mask).shape;
  if (column.size() >= 2) {
    if (!b.type(mask).dim(-2).is(1)) return x;  // of each query its own
    column.erase(column.end() - 2);
  }
  column.emplace_back(1);  // [...,S,1]
  return b.select(b.reshape(mask, column), x, b.scalar(0, b.type(x).dtype));
}

// Which keys the queries may see by a band: pred[queries,keys].
Value band_mask(Builder& b, const Integers& band, const Dim& queries, const Dim& keys) {
  const Value t = b.emit(iota, {}, {{"shape", Shape{queries, Dim(1)}}, {"dtype", DType::s32}});
  const Value j = b.emit(iota, {}, {{"shape", Shape{keys}}, {"dtype", DType::s32}});
  const Value ahead = b.sub(j, t);
  const auto compared = [&](const OpDef& by, int64_t limit) {
    return b.emit(by, {{ahead}, {b.scalar(static_cast<double>(limit), DType::s32)}});
  };
  const Visible keys_of_0 = visible(band, 0);
  Value seen;
  if (keys_of_0.first > -kNoLimit) seen = compared(greater_equal, keys_of_0.first);
  if (keys_of_0.last == kNoLimit) return seen;
  const Value before = compared(less_equal, keys_of_0.last - 1);
  return seen.valid() ? b.emit(logical_and, {{seen}, {before}}) : before;
}

// What is added to the scores.
Value bias_of_scores(Expansion& e, const OpView& op) {
  if (!op.flag("by_distance")) return with_query_axis(e.builder, e["bias"], is_single_query(op));
  return e.builder.emit(by_distance, {{e["bias"]}}, {{"queries", op.operand("q").dim(-2)}});
}

Scores scores(Expansion& e, const OpView& op) {
  Builder& b = e.builder;
  const bool single = is_single_query(op);
  const auto exact = [&](std::string_view name) { return b.cast(e[name], computed(op)); };
  Scores s{with_query_axis(b, exact("q"), single), exact("k"), exact("v"), {}, {}, {}};
  const Value mask = op.has("mask") ? with_query_axis(b, e["mask"], single) : Value{};
  s.k = seen(b, mask, s.k), s.v = seen(b, mask, s.v);
  if (!is_additive(op)) {
    s.e = b.matmul(s.q, s.k, false, true);
  } else {
    Shape qs = b.type(s.q).shape, ks = b.type(s.k).shape;
    qs.insert(qs.end() - 1, Dim(1));  // [...,Tq,1,D]
    ks.insert(ks.end() - 2, Dim(1));  // [...,1,S,D]
    s.tanh = b.tanh(b.add(b.reshape(s.q, qs), b.reshape(s.k, ks)));
    s.e = b.sum(b.mul(s.tanh, e["v_a"]), {-1});
  }
  if (op.real("scale") != 1.0) s.e = b.mul(s.e, b.scalar(op.real("scale"), b.type(s.e).dtype));
  if (op.has("bias")) s.e = b.add(s.e, bias_of_scores(e, op));
  const Value hidden = b.scalar(-HUGE_VAL, b.type(s.e).dtype);
  s.seen = mask;
  if (const Integers& band = op.integers("band"); !band.empty()) {
    const Value within = band_mask(b, band, b.type(s.e).dim(-2), b.type(s.e).dim(-1));
    if (within.valid())
      s.seen = s.seen.valid() ? b.emit(logical_and, {{s.seen}, {within}}) : within;
  }
  if (s.seen.valid()) s.e = b.select(s.seen, s.e, hidden);
  return s;
}

// x where dropout keeps a weight, divided by keep, else 0; x is of the scores' shape, queries' axis
// included.
Value dropped(Expansion& e, const OpView& op, Value x) {
  if (!has_dropout(op)) return x;
  Builder& b = e.builder;
  const Shape scores = b.type(x).shape;
  const int64_t rank = static_cast<int64_t>(scores.size());
  const bool single = is_single_query(op);
  const bool positions = op.has("position") && op.operand("position").rank() == 1;
  // Axes of x (from the front) in the order in which `random` has them. Of a single query they are
  // counted without its axis, which comes first here, as a position would.
  Integers order;
  if (positions || single) order.push_back(rank - 2);
  order.push_back(0);
  Shape inner;
  for (const int64_t axis : op.integers("inner_axes")) {
    order.push_back(single && axis < -1 ? rank + axis - 1 : rank + axis);
    inner.push_back(scores[static_cast<size_t>(order.back())]);
  }
  const Value kept = b.emit(
      random, {{e["step"]}, {e["rows"]}, op.has("position") ? Values{e["position"]} : Values{}},
      {{"stream", op.integer("stream")},
       {"inner", inner},
       {"form", std::string("keep")},
       {"keep", op.real("keep")}});
  Shape shape;
  for (const int64_t axis : order) shape.push_back(scores[static_cast<size_t>(axis)]);
  Integers perm(order.size());
  for (size_t i = 0; i < order.size(); ++i)
    perm[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  const DType t = b.type(x).dtype;
  return b.select(b.transpose(b.reshape(kept, shape), perm),
                  b.mul(x, b.scalar(1 / op.real("keep"), t)), b.scalar(0, t));
}

}  // namespace

Types infer_attention(const OpView& op) {
  check_common(op, "attention");
  Types types{output_type(op)};
  if (op.flag("weights")) types.push_back({types[0].dtype, score_shape(op)});
  if (op.flag("lse")) types.push_back(lse_type(op));
  return types;
}

Types infer_attention_grad(const OpView& op) {
  check_common(op, "attention_grad");
  const TensorType o = output_type(op), read{op.operand("q").dtype, o.shape};
  if (op.operand("do") != o || (op.operand("o") != o && op.operand("o") != read))
    op.fail("attention_grad.11", "needs do and o of ", o, ", found ", op.operand("do"), " and ",
            op.operand("o"));
  if (op.operand("lse") != lse_type(op))
    op.fail("attention_grad.12", "needs lse of ", lse_type(op), ", found ", op.operand("lse"));
  if (const TensorType weights{computed(op), score_shape(op)};
      op.has("dweights") && op.operand("dweights") != weights)
    op.fail("attention_grad.13", "needs dweights of ", weights, ", found ", op.operand("dweights"));
  if (op.has("dlse") && (op.operand("dlse") != lse_type(op) || is_additive(op)))
    op.fail("attention_grad.16", "needs dlse of ", lse_type(op), " and dot scores, found ",
            op.operand("dlse"));
  Types types;
  for (const std::string& w : op.texts("wanted")) {
    if (w != "q" && w != "k" && w != "v" && w != "v_a" && w != "bias")
      op.fail("attention_grad.14", "has no adjoint of '", w, "'");
    if (!op.has(w)) op.fail("attention_grad.15", "cannot give the adjoint of an absent ", w);
    types.push_back({computed(op), op.operand(w).shape});
  }
  return types;
}

Graph expand_attention(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const Scores s = scores(e, op);
  const Value a = b.softmax(s.e);
  Values results{b.reshape(b.matmul(dropped(e, op, a), s.v), op.result(0).shape)};
  if (op.flag("weights")) results.push_back(b.reshape(a, op.result(1).shape));
  if (op.flag("lse")) {
    // max + log(sum(exp(e - max))), with -inf rows kept at -inf.
    const DType t = b.type(s.e).dtype;
    const Value top = b.max(s.e, {-1}, true);
    const Value finite = b.select(b.emit(is_finite, {{top}}), top, b.scalar(0, t));
    const Value sum = b.sum(b.exp(b.sub(s.e, finite)), {-1}, true);
    results.push_back(
        b.reshape(b.add(finite, b.log(sum)), op.result(op.flag("weights") ? 2 : 1).shape));
  }
  return e.finish(results);
}

// With a = exp(e - lse):  da = z * do v' (+ dweights),  ds = a * (da - sum_j a da (+ dlse)),  de = scale *
// ds, dot: dq = de k, dk = de' q;  additive: du = de * v_a * (1 - tanh^2), dq = sum_j du, dk =
// sum_t du, dv_a = sum de * tanh;  dv = (z * a)' do;  dbias = ds summed to its shape. (o and lse
// are what a kernel uses to avoid the sums; here they are recomputed, so that o and lse carry no
// meaning of their own.)
Graph expand_attention_grad(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const bool single = is_single_query(op);
  const Scores s = scores(e, op);
  // What is hidden has no gradient, also in a row that is NaN throughout.
  const auto seen = [&](Value x) {
    return s.seen.valid() ? b.select(s.seen, x, b.scalar(0, b.type(x).dtype)) : x;
  };
  const Value a = seen(b.softmax(s.e));
  const Value d_o = with_query_axis(b, e["do"], single);
  Value da = dropped(e, op, b.matmul(d_o, s.v, false, true));
  if (op.has("dweights")) da = b.add(da, with_query_axis(b, e["dweights"], single));
  const Value ada = b.mul(a, da);
  Value term = b.sum(ada, {-1}, true);
  if (op.has("dlse")) term = b.sub(term, b.reshape(e["dlse"], b.type(term).shape));
  const Value ds = seen(b.sub(ada, b.mul(a, term)));
  const double scale = op.real("scale");
  const Value de = scale == 1.0 ? ds : b.mul(ds, b.scalar(scale, b.type(ds).dtype));
  Value de1, du;
  if (is_additive(op)) {
    Shape shape = b.type(de).shape;
    shape.emplace_back(1);
    de1 = b.reshape(de, shape);  // [...,Tq,S,1]
    const Value slope = b.sub(b.scalar(1, b.type(de).dtype), b.mul(s.tanh, s.tanh));
    du = b.mul(b.mul(de1, e["v_a"]), slope);
  }
  Values results;
  for (const std::string& w : op.texts("wanted")) {
    Value d;
    if (w == "q") d = du.valid() ? b.sum(du, {-2}) : b.matmul(de, s.k);
    if (w == "k") d = du.valid() ? b.sum(du, {-3}) : b.matmul(de, s.q, true, false);
    if (w == "v") d = b.matmul(dropped(e, op, a), d_o, true, false);
    if (w == "v_a") d = b.sum_to(b.mul(de1, s.tanh), op.operand("v_a").shape);
    if (w == "bias" && op.flag("by_distance")) {
      d = b.sum_to(b.emit(sum_by_distance, {{ds}}), op.operand("bias").shape);
    } else if (w == "bias") {
      Shape shape = op.operand("bias").shape;
      if (single && !shape.empty()) shape.insert(shape.end() - 1, Dim(1));
      d = b.sum_to(ds, shape);
    }
    results.push_back(b.reshape(d, op.operand(w).shape));
  }
  return e.finish(results);
}

}  // namespace weft::ir::ops
