// tests/property/random_graph.cpp -- well-typed graphs nobody would write.
#include "tests/property/random_graph.h"

#include "ir/rewrite/builder.h"
#include "models/data/random.h"

#include <algorithm>
#include <cmath>

namespace weft::tests {
namespace {

using ir::Dim;
using ir::DType;
using ir::Shape;
using ir::TensorType;
using ir::Value;
using ir::Values;
namespace ops = ir::ops;

// One level: the graph itself or the body of a loop.
class Level {
 public:
  Level(ir::Graph& graph, data::Random& random, int depth, const RandomSizes& sizes)
      : b_(graph), random_(random), depth_(depth), sizes_(sizes) {}

  void add(Value v) {
    (b_.type(v).dtype == DType::f32    ? floats_
     : b_.type(v).dtype == DType::pred ? masks_
                                       : integers_)
        .push_back(v);
  }

  void grow(int nodes) {
    for (int i = 0; i < nodes; ++i) step();
  }

  Value pick() { return floats_[below(floats_.size())]; }
  const Values& floats() const { return floats_; }

  // A value of that type: one that is there, or one made of what is there.
  Value of_type(const TensorType& type) {
    Values fit;
    for (const Value v : floats_)
      if (b_.type(v) == type) fit.push_back(v);
    if (!fit.empty()) return fit[below(fit.size())];
    return b_.filled(0.25, type);
  }

  ir::Builder& builder() { return b_; }

 private:
  size_t below(size_t n) { return static_cast<size_t>(random_.below(n)); }
  bool chance(int percent) { return below(100) < static_cast<size_t>(percent); }
  int64_t axis_of(Value v) {
    return static_cast<int64_t>(below(static_cast<size_t>(b_.type(v).rank())));
  }

  void step() {
    const size_t kind = below(depth_ > 0 ? 17 : 15);
    const Value x = pick();
    switch (kind) {
      case 0:
        add(b_.tanh(x));
        break;
      case 1:
        add(b_.sigmoid(x));
        break;
      case 2:
        add(b_.neg(x));
        break;
      case 3:
        add(b_.emit(ops::sin, {{x}}));
        break;
      case 4:
      case 5:
        binary(x);
        break;
      case 6:
        product(x);
        break;
      case 7:
        reduce(x);
        break;
      case 8:
        layout(x);
        break;
      case 9:
        mask(x);
        break;
      case 10:
        softmax(x);
        break;
      case 11:
        cut(x);
        break;
      case 12:
        look_up();
        break;
      case 13:
        attend();
        break;
      case 14:
        add(b_.mul(x, b_.scalar(0.5, DType::f32)));
        break;
      default:
        loop();
        break;
    }
  }

  bool broadcasts(const Shape& a, const Shape& b) const {
    for (size_t i = 1; i <= std::min(a.size(), b.size()); ++i) {
      const Dim &x = a[a.size() - i], &y = b[b.size() - i];
      if (x != y && !x.is(1) && !y.is(1)) return false;
    }
    return true;
  }

  void binary(Value x) {
    for (int attempt = 0; attempt < 6; ++attempt) {
      const Value y = pick();
      if (!broadcasts(b_.type(x).shape, b_.type(y).shape)) continue;
      if (std::max(b_.type(x).rank(), b_.type(y).rank()) > 4) continue;
      switch (below(4)) {
        case 0:
          add(b_.add(x, y));
          break;
        case 1:
          add(b_.sub(x, y));
          break;
        case 2:
          add(b_.mul(x, y));
          break;
        default:
          add(b_.emit(ops::maximum, {{x}, {y}}));
          break;
      }
      return;
    }
    add(b_.add(x, x));
  }

  void product(Value x) {
    for (int attempt = 0; attempt < 8; ++attempt) {
      const Value y = pick();
      const TensorType &s = b_.type(x), &t = b_.type(y);
      if (s.rank() < 2 || t.rank() < 2) return;
      for (const bool ta : {false, true})
        for (const bool tb : {false, true}) {
          const Shape lead_s(s.shape.begin(), s.shape.end() - 2),
              lead_t(t.shape.begin(), t.shape.end() - 2);
          if (s.dim(ta ? -2 : -1) != t.dim(tb ? -1 : -2) || !broadcasts(lead_s, lead_t) ||
              chance(30))
            continue;
          add(b_.tanh(b_.matmul(x, y, ta, tb)));
          return;
        }
    }
  }

  void reduce(Value x) {
    if (b_.type(x).rank() == 0) return;
    const int64_t axis = axis_of(x);
    switch (below(5)) {
      case 0:
        add(b_.tanh(b_.sum(x, {axis}, chance(40))));
        break;
      case 3:
        running_product(x, axis);
        break;
      case 4:
        windows(x);
        break;
      case 1:
        add(b_.emit(ops::cumsum, {{x}}, {{"axis", axis}, {"reverse", chance(50)}}));
        break;
      default:
        add(b_.emit(ops::mean, {{x}}, {{"axes", ir::Integers{axis}}, {"keep", chance(40)}}));
        break;
    }
  }

  void running_product(Value x, int64_t axis) {
    const Value y = b_.tanh(x);
    add(chance(50) ? b_.emit(ops::cumprod, {{y}}, {{"axis", axis}, {"exclusive", chance(50)}})
                   : b_.emit(ops::linear_recurrence, {{y}, {x}},
                             {{"axis", axis}, {"reverse", chance(50)}}));
  }

  // Over the middle axis, which keeps its size: windows of three with one of padding at each end.
  void windows(Value x) {
    const TensorType type = b_.type(x);
    if (type.rank() != 3) return;
    const ir::Integers one{1};
    if (chance(40)) {
      add(b_.emit(ops::avg_pool, {{x}},
                  {{"window", ir::Integers{3}}, {"low", one}, {"high", one}}));
      return;
    }
    const Value w = b_.filled(0.2, {DType::f32, {3, type.dim(2), type.dim(2)}});
    add(b_.tanh(b_.emit(ops::conv, {{x}, {w}, {}}, {{"low", one}, {"high", one}})));
  }

  void layout(Value x) {
    const TensorType type = b_.type(x);
    if (type.rank() >= 2 && chance(50)) {
      ir::Integers perm;
      for (int i = 0; i < type.rank(); ++i) perm.push_back(i);
      std::swap(perm[below(perm.size())], perm[below(perm.size())]);
      add(b_.transpose(x, perm));
      return;
    }
    if (type.rank() > 3) return;
    Shape shape = type.shape;
    shape.insert(shape.begin() + static_cast<int64_t>(below(shape.size() + 1)), Dim(1));
    add(b_.reshape(x, shape));
  }

  void mask(Value x) {
    if (masks_.empty() || chance(30)) {
      masks_.push_back(b_.emit(ops::less, {{x}, {b_.scalar(0.3, DType::f32)}}));
      return;
    }
    const Value m = masks_[below(masks_.size())];
    if (!broadcasts(b_.type(m).shape, b_.type(x).shape)) return;
    add(b_.select(m, x, b_.scalar(0, DType::f32)));
  }

  void softmax(Value x) {
    if (b_.type(x).rank() == 0) return;
    Value scores = x;
    if (!masks_.empty()) {
      const Value m = masks_[below(masks_.size())];
      if (broadcasts(b_.type(m).shape, b_.type(x).shape))
        scores = b_.select(m, x, b_.scalar(-HUGE_VAL, DType::f32));
    }
    add(b_.softmax(scores, axis_of(scores)));
  }

  void cut(Value x) {
    const TensorType type = b_.type(x);
    for (int64_t axis = 0; axis < type.rank(); ++axis) {
      const auto n = type.dim(axis).constant();
      if (!n || *n < 2) continue;
      const Value low = b_.slice(x, axis, 0, *n - 1), high = b_.slice(x, axis, *n - 1, *n);
      add(chance(50) ? low : b_.concat({high, low}, axis));
      return;
    }
    if (type.rank() > 0) add(b_.emit(ops::reverse, {{x}}, {{"axis", axis_of(x)}}));
  }

  void look_up() {
    if (integers_.empty()) return;
    const Value ids = integers_[below(integers_.size())];
    for (const Value table : floats_)
      if (b_.type(table).rank() == 2 && b_.type(table).dim(0) == sizes_.rows &&
          b_.type(ids).rank() <= 2) {
        add(b_.emit(ops::gather, {{table}, {ids}}, {{"axis", 0}}));
        return;
      }
  }

  // Additive or dot attention in plain ops, of a query [B,D] over keys [B,S,D].
  void attend() {
    for (const Value q : floats_)
      for (const Value k : floats_) {
        const TensorType s = b_.type(q), t = b_.type(k);
        if (s.rank() != 2 || t.rank() != 3 || s.dim(0) != t.dim(0) || s.dim(1) != t.dim(2) ||
            s.dim(0) != sizes_.b)
          continue;
        const Shape one{s.dim(0), 1, s.dim(1)}, row{s.dim(0), t.dim(1)};
        const Value q1 = b_.reshape(q, one);
        Value e = chance(50) ? b_.sum(b_.tanh(b_.add(q1, k)), {-1})
                             : b_.reshape(b_.matmul(q1, k, false, true), row);
        for (const Value m : masks_)
          if (b_.type(m).shape == row) e = b_.select(m, e, b_.scalar(-HUGE_VAL, DType::f32));
        const Value a = b_.softmax(e);
        add(b_.sum(b_.mul(b_.reshape(a, {row[0], row[1], 1}), k), {-2}));
        return;
      }
  }

  void loop();

  ir::Builder b_;
  data::Random& random_;
  int depth_;
  const RandomSizes& sizes_;
  Values floats_, masks_, integers_;
};

// A loop over an axis T or S of something, with lengths where its carries are led by B.
void Level::loop() {
  const Value lead = pick();
  const TensorType lead_type = b_.type(lead);
  int64_t axis = -1;
  for (int64_t d = 0; d < lead_type.rank(); ++d)
    if (lead_type.dim(d) == sizes_.t || lead_type.dim(d) == sizes_.s) axis = d;
  if (axis < 0) return;
  const Dim steps = lead_type.dim(axis);

  Values scanned{lead}, invariants;
  ir::Integers axes{axis};
  for (const Value v : floats_) {
    if (scanned.size() < 3 && v != lead && chance(30))
      for (int64_t d = 0; d < b_.type(v).rank(); ++d)
        if (b_.type(v).dim(d) == steps) {
          scanned.push_back(v);
          axes.push_back(d);
          break;
        }
    if (chance(40)) invariants.push_back(v);
  }
  Values ids;
  for (const Value v : integers_)
    if (chance(50)) ids.push_back(v);
  for (const Value v : masks_)
    if (chance(50)) ids.push_back(v);
  invariants.insert(invariants.end(), ids.begin(), ids.end());

  Values carries;
  for (int i = 0; i < 2; ++i) {
    const Value v = pick();
    if (b_.type(v).rank() <= 3) carries.push_back(v);
  }
  if (carries.empty()) carries.push_back(b_.filled(0.5, {DType::f32, {sizes_.b, sizes_.width}}));
  Value lengths;
  if (chance(70))
    for (const Value v : integers_)
      if (b_.type(v) == TensorType{DType::s32, {sizes_.b}}) lengths = v;

  ir::Graph body;
  body.name = "region";
  Level inner(body, random_, depth_ - 1, sizes_);
  Values carry_arguments;
  for (const Value v : carries) {
    carry_arguments.push_back(body.add_argument(b_.type(v), {}));
    inner.add(carry_arguments.back());
  }
  for (size_t i = 0; i < scanned.size(); ++i) {
    TensorType t = b_.type(scanned[i]);
    t.shape.erase(t.shape.begin() + axes[i]);
    inner.add(body.add_argument(t, {}));
  }
  for (const Value v : invariants) inner.add(body.add_argument(b_.type(v), {}));
  if (lengths.valid()) inner.masks_.push_back(body.add_argument({DType::pred, {sizes_.b}}, {}));
  inner.grow(7);

  // Carries: something of their type, squashed with the old value, or an accumulation.
  for (size_t i = 0; i < carries.size(); ++i) {
    const Value next = inner.of_type(b_.type(carries[i]));
    ir::Builder& ib = inner.builder();
    body.add_output("r" + std::to_string(i), chance(40)
                                                 ? ib.add(carry_arguments[i], ib.tanh(next))
                                                 : ib.tanh(ib.add(next, carry_arguments[i])));
  }
  ir::Integers out_axes;
  for (const Value v : inner.floats()) {
    const TensorType& t = body.type(v);
    if (t.rank() > 3 || (lengths.valid() && !(t.rank() > 0 && t.dim(0) == sizes_.b)) || !chance(25))
      continue;
    body.add_output("s" + std::to_string(out_axes.size()), v);
    out_axes.push_back(static_cast<int64_t>(below(static_cast<size_t>(t.rank()) + 1)));
  }
  ir::Attrs attrs{{"axes", axes}, {"out_axes", out_axes}, {"reverse", chance(50)}};
  const Values results = b_.emit_all(
      ops::scan, {carries, scanned, invariants, lengths.valid() ? Values{lengths} : Values{}},
      attrs, {std::move(body)});
  for (const Value v : results)
    if (b_.type(v).rank() <= 4) add(v);
}

}  // namespace

ir::Graph random_graph(uint64_t seed, const RandomGraphOptions& options) {
  data::Random random(seed, 1);
  ir::Graph graph;
  graph.name = "random" + std::to_string(seed);
  Level level(graph, random, options.loops ? options.depth : 0, options.sizes);
  const auto& [b, t, s, width, rows] = options.sizes;
  const auto argument = [&](const char* name, DType dtype, Shape shape) {
    level.add(graph.add_argument({dtype, std::move(shape)}, name));
  };
  argument("x", DType::f32, {t, b, width});
  argument("y", DType::f32, {b, t, width});
  argument("h", DType::f32, {b, s, width});
  argument("s0", DType::f32, {b, width});
  argument("W", DType::f32, {width, width});
  argument("E", DType::f32, {rows, width});
  argument("c", DType::f32, {width});
  argument("ids", DType::s32, {b, t});
  argument("lengths", DType::s32, {b});
  argument("more", DType::s32, {b});
  ir::Builder& builder = level.builder();
  level.add(builder.emit(ops::length_mask, {{graph.arguments()[9].value}}, {{"size", s}}));
  level.grow(options.nodes);
  const Values& floats = level.floats();
  Value loss = builder.scalar(0, DType::f32);
  const size_t last = floats.size();
  for (size_t i = last > 6 ? last - 6 : 0; i < last; ++i) {
    graph.add_output("o" + std::to_string(graph.outputs().size()), floats[i]);
    const Value v = builder.tanh(floats[i]);
    loss = builder.add(loss, builder.sum_all(builder.mul(v, v)));
  }
  graph.add_output("loss", loss);
  return graph;
}

RandomSizes coinciding_sizes(uint64_t seed) {
  const RandomSizes plain;
  const Dim b = plain.b;
  switch (seed % 6) {
    case 0:  // everything but the table (lengths look it up), as a number
      return {3, 3, 3, 3, 4};
    case 1:  // everything, as a symbol
      return {b, b, b, b, b + 1};
    case 2:  // batch and widths
      return {3, plain.t, plain.s, 3, 7};
    case 3:  // batch and source
      return {4, 5, 4, 3, 7};
    case 4:  // batch and target as one symbol, which is bound to the width
      return {b, b, plain.s, 3, 7};
    default:  // target and source; packed rows are as many as the table's
      return {2, 3, 3, 2, 6};
  }
}

ir::Bindings random_bindings(uint64_t seed) {
  data::Random random(seed, 2);
  return {{"B", 1 + static_cast<int64_t>(random.below(4))},
          {"T", 1 + static_cast<int64_t>(random.below(5))},
          {"S", 1 + static_cast<int64_t>(random.below(4))}};
}

std::vector<ir::Array> random_arguments(const ir::Graph& graph, const ir::Bindings& bindings,
                                        uint64_t seed, const RandomSizes& sizes) {
  data::Random random(seed, 3);
  std::vector<ir::Array> arrays;
  for (const ir::Argument& a : graph.arguments()) {
    const TensorType& t = graph.type(a.value);
    const std::string& name = graph.info(a.value).name;
    ir::Array x(t.dtype == DType::f32 ? DType::f64 : t.dtype, ir::values(t.shape, bindings));
    const int64_t limit = name == "ids"    ? sizes.rows.value(bindings)
                          : name == "more" ? sizes.s.value(bindings) + 1
                                           : sizes.t.value(bindings) + 1;
    for (int64_t i = 0; i < x.size(); ++i) {
      if (ir::is_float(t.dtype))
        x.set(i, 2 * random.uniform() - 1);
      else
        x.set_integer(i, static_cast<int64_t>(random.below(static_cast<uint64_t>(limit))));
    }
    arrays.push_back(std::move(x));
  }
  return arrays;
}

}  // namespace weft::tests
