// frontend/language/tensor.cpp -- each operation appends its node.
#include "frontend/language/tensor.h"

namespace weft {
namespace {

namespace ops = ir::ops;

std::shared_ptr<Tracer> tracer_of(const Tensor& x, const SourceLoc& loc) {
  if (!x.valid()) fail(loc, "a tensor is used that was never made");
  return x.tracer();
}

Tensor unary(const ir::OpDef& op, const Tensor& x, const SourceLoc& loc) {
  return apply(op, {{x}}, {}, loc)[0];
}

Tensor constant(const std::shared_ptr<Tracer>& tracer, double value, const ir::TensorType& type,
                const SourceLoc& loc) {
  return {tracer,
          tracer->emit(ops::constant, {},
                       {{"dtype", type.dtype}, {"shape", type.shape}, {"values", ir::Reals{value}}},
                       loc)[0]};
}

// Numbers become scalars of the first tensor's dtype.
Tensor elementwise(const ir::OpDef& op, const std::vector<const Operand*>& operands,
                   size_t first = 0) {
  const SourceLoc& loc = operands[0]->loc;
  const Operand* typed = nullptr;
  for (size_t i = operands.size(); i-- > first;)
    if (!operands[i]->is_number()) typed = operands[i];
  if (typed == nullptr) fail(loc, "'", op.name, "' needs a tensor among its operands");
  std::vector<Tensors> groups;
  for (const Operand* o : operands)
    groups.push_back({o->is_number() ? constant(typed->tensor().tracer(), o->number(),
                                                {typed->tensor().dtype(), {}}, o->loc)
                                     : o->tensor()});
  return apply(op, groups, {}, loc)[0];
}

ir::Integers all_axes(const Tensor& x) {
  ir::Integers axes;
  for (int d = 0; d < x.rank(); ++d) axes.push_back(d);
  return axes;
}

Tensor reduce(const ir::OpDef& op, const Tensor& x, const Axes& axes, bool keep,
              const SourceLoc& loc) {
  tracer_of(x, loc);
  return apply(op, {{x}}, {{"axes", axes.is_all ? all_axes(x) : axes.list}, {"keep", keep}},
               loc)[0];
}

// An axis counted from the front, in [0, rank).
size_t front(int64_t axis, int rank, std::string_view what, const SourceLoc& loc) {
  const int64_t a = axis < 0 ? axis + rank : axis;
  if (a < 0 || a >= rank)
    fail(loc, "'", what, "' axis must lie in [", -rank, ", ", rank, "), found ", axis);
  return static_cast<size_t>(a);
}

}  // namespace

ir::TensorType Tensor::type() const {
  if (!valid()) fail(SourceLoc(), "a tensor is used that was never made");
  return tracer_->type(place_);
}

Dim Tensor::dim(int64_t axis, SourceLoc loc) const {
  return type().shape[front(axis, rank(), "dim", loc)];
}

Tensor Tensor::named(std::string name) const {
  if (valid() && tracer_->innermost().id == place_.frame)
    tracer_->innermost().graph.set_name(place_.value, std::move(name));
  return *this;
}

Tensors apply(const ir::OpDef& op, const std::vector<Tensors>& operands, ir::Attrs attrs,
              SourceLoc loc) {
  std::shared_ptr<Tracer> tracer;
  std::vector<std::vector<Tracer::Place>> places;
  for (const Tensors& group : operands) {
    places.emplace_back();
    for (const Tensor& x : group) {
      const auto of_x = tracer_of(x, loc);
      if (tracer == nullptr) tracer = of_x;
      if (tracer != of_x) fail(loc, "'", op.name, "' mixes tensors of two graphs");
      places.back().push_back(x.place());
    }
  }
  if (tracer == nullptr) fail(loc, "'", op.name, "' needs a tensor among its operands");
  Tensors results;
  for (const Tracer::Place& place : tracer->emit(op, places, std::move(attrs), loc))
    results.emplace_back(tracer, place);
  return results;
}

Tensor operator+(const Operand& a, const Operand& b) { return elementwise(ops::add, {&a, &b}); }
Tensor operator-(const Operand& a, const Operand& b) { return elementwise(ops::sub, {&a, &b}); }
Tensor operator*(const Operand& a, const Operand& b) { return elementwise(ops::mul, {&a, &b}); }
Tensor operator/(const Operand& a, const Operand& b) { return elementwise(ops::div, {&a, &b}); }
Tensor operator-(const Operand& x) { return elementwise(ops::neg, {&x}); }
Tensor maximum(const Operand& a, const Operand& b) { return elementwise(ops::maximum, {&a, &b}); }
Tensor minimum(const Operand& a, const Operand& b) { return elementwise(ops::minimum, {&a, &b}); }
Tensor pow(const Operand& a, const Operand& b) { return elementwise(ops::pow, {&a, &b}); }
Tensor remainder(const Operand& a, const Operand& b) {
  return elementwise(ops::remainder, {&a, &b});
}
Tensor operator==(const Operand& a, const Operand& b) { return elementwise(ops::equal, {&a, &b}); }
Tensor operator!=(const Operand& a, const Operand& b) {
  return elementwise(ops::not_equal, {&a, &b});
}
Tensor operator<(const Operand& a, const Operand& b) { return elementwise(ops::less, {&a, &b}); }
Tensor operator<=(const Operand& a, const Operand& b) {
  return elementwise(ops::less_equal, {&a, &b});
}
Tensor operator>(const Operand& a, const Operand& b) { return elementwise(ops::greater, {&a, &b}); }
Tensor operator>=(const Operand& a, const Operand& b) {
  return elementwise(ops::greater_equal, {&a, &b});
}
Tensor operator&&(const Operand& a, const Operand& b) {
  return elementwise(ops::logical_and, {&a, &b});
}
Tensor operator||(const Operand& a, const Operand& b) {
  return elementwise(ops::logical_or, {&a, &b});
}
Tensor operator!(const Operand& x) { return elementwise(ops::logical_not, {&x}); }
Tensor where(const Operand& cond, const Operand& a, const Operand& b) {
  if (cond.is_number()) fail(cond.loc, "'where' needs a tensor as its condition");
  if (!a.is_number() || !b.is_number()) return elementwise(ops::select, {&cond, &a, &b}, 1);
  const auto number = [&](const Operand& o) {
    return Operand(constant(cond.tensor().tracer(), o.number(), {f32, {}}, o.loc), o.loc);
  };
  const Operand first = number(a), second = number(b);
  return elementwise(ops::select, {&cond, &first, &second}, 1);
}

Tensor abs(const Tensor& x, SourceLoc loc) { return unary(ops::abs, x, loc); }
Tensor ceil(const Tensor& x, SourceLoc loc) { return unary(ops::ceil, x, loc); }
Tensor cos(const Tensor& x, SourceLoc loc) { return unary(ops::cos, x, loc); }
Tensor erf(const Tensor& x, SourceLoc loc) { return unary(ops::erf, x, loc); }
Tensor exp(const Tensor& x, SourceLoc loc) { return unary(ops::exp, x, loc); }
Tensor expm1(const Tensor& x, SourceLoc loc) { return unary(ops::expm1, x, loc); }
Tensor floor(const Tensor& x, SourceLoc loc) { return unary(ops::floor, x, loc); }
Tensor gelu(const Tensor& x, SourceLoc loc) { return unary(ops::gelu, x, loc); }
Tensor gelu_tanh(const Tensor& x, SourceLoc loc) { return unary(ops::gelu_tanh, x, loc); }
Tensor log(const Tensor& x, SourceLoc loc) { return unary(ops::log, x, loc); }
Tensor log1p(const Tensor& x, SourceLoc loc) { return unary(ops::log1p, x, loc); }
Tensor relu(const Tensor& x, SourceLoc loc) { return unary(ops::relu, x, loc); }
Tensor round(const Tensor& x, SourceLoc loc) { return unary(ops::round, x, loc); }
Tensor rsqrt(const Tensor& x, SourceLoc loc) { return unary(ops::rsqrt, x, loc); }
Tensor sigmoid(const Tensor& x, SourceLoc loc) { return unary(ops::sigmoid, x, loc); }
Tensor sign(const Tensor& x, SourceLoc loc) { return unary(ops::sign, x, loc); }
Tensor silu(const Tensor& x, SourceLoc loc) { return unary(ops::silu, x, loc); }
Tensor sin(const Tensor& x, SourceLoc loc) { return unary(ops::sin, x, loc); }
Tensor softplus(const Tensor& x, SourceLoc loc) { return unary(ops::softplus, x, loc); }
Tensor sqrt(const Tensor& x, SourceLoc loc) { return unary(ops::sqrt, x, loc); }
Tensor tanh(const Tensor& x, SourceLoc loc) { return unary(ops::tanh, x, loc); }
Tensor stop_gradient(const Tensor& x, SourceLoc loc) { return unary(ops::stop_gradient, x, loc); }
Tensor is_finite(const Tensor& x, SourceLoc loc) { return unary(ops::is_finite, x, loc); }

Tensor cast(const Tensor& x, DType dtype, SourceLoc loc) {
  tracer_of(x, loc);
  return x.dtype() == dtype ? x : apply(ops::cast, {{x}}, {{"dtype", dtype}}, loc)[0];
}

Tensor matmul(const Tensor& a, const Tensor& b, MatmulOptions o, SourceLoc loc) {
  return apply(ops::matmul, {{a}, {b}},
               {{"transpose_a", o.transpose_a}, {"transpose_b", o.transpose_b}}, loc)[0];
}

Tensor sum(const Tensor& x, const Axes& axes, bool keep, SourceLoc loc) {
  return reduce(ops::sum, x, axes, keep, loc);
}
Tensor mean(const Tensor& x, const Axes& axes, bool keep, SourceLoc loc) {
  return reduce(ops::mean, x, axes, keep, loc);
}
Tensor max(const Tensor& x, const Axes& axes, bool keep, SourceLoc loc) {
  return reduce(ops::max, x, axes, keep, loc);
}
Tensor min(const Tensor& x, const Axes& axes, bool keep, SourceLoc loc) {
  return reduce(ops::min, x, axes, keep, loc);
}
Tensor prod(const Tensor& x, const Axes& axes, bool keep, SourceLoc loc) {
  return reduce(ops::prod, x, axes, keep, loc);
}

Tensor arg_max(const Tensor& x, int64_t axis, SourceLoc loc) {
  return apply(ops::arg_max, {{x}}, {{"axis", axis}}, loc)[0];
}
Sorted sort(const Tensor& x, int64_t axis, SortOptions o, SourceLoc loc) {
  const Tensors found =
      apply(ops::sort, {{x}}, {{"axis", axis}, {"descending", o.descending}}, loc);
  return {found[0], found[1]};
}
Tensor arg_sort(const Tensor& x, int64_t axis, SortOptions o, SourceLoc loc) {
  return sort(x, axis, o, loc).indices;
}
TopK top_k(const Tensor& x, const Dim& k, SourceLoc loc) {
  const Tensors found = apply(ops::top_k, {{x}}, {{"k", k}}, loc);
  return {found[0], found[1]};
}
Tensor cumsum(const Tensor& x, int64_t axis, CumsumOptions o, SourceLoc loc) {
  return apply(ops::cumsum, {{x}},
               {{"axis", axis}, {"reverse", o.reverse}, {"exclusive", o.exclusive}}, loc)[0];
}
Tensor cumprod(const Tensor& x, int64_t axis, CumsumOptions o, SourceLoc loc) {
  return apply(ops::cumprod, {{x}},
               {{"axis", axis}, {"reverse", o.reverse}, {"exclusive", o.exclusive}}, loc)[0];
}
Tensor linear_recurrence(const Tensor& a, const Tensor& b, int64_t axis, bool reverse,
                         SourceLoc loc) {
  return apply(ops::linear_recurrence, {{a}, {b}}, {{"axis", axis}, {"reverse", reverse}}, loc)[0];
}
Tensor softmax(const Tensor& x, int64_t axis, SourceLoc loc) {
  return apply(ops::softmax, {{x}}, {{"axis", axis}}, loc)[0];
}
Tensor log_softmax(const Tensor& x, int64_t axis, SourceLoc loc) {
  return apply(ops::log_softmax, {{x}}, {{"axis", axis}}, loc)[0];
}

Tensor maxout(const Tensor& x, int64_t pieces, SourceLoc loc) {
  const Dim width = x.dim(-1, loc);
  const auto units = width.divided_by(Dim(pieces));
  if (!units)
    fail(loc, "'maxout' needs a last axis that divides by ", pieces, ", found ", x.type());
  Shape shape = x.shape();
  shape.back() = *units;
  shape.emplace_back(pieces);
  return max(reshape(x, shape, loc), -1, false, loc);
}

namespace {

// x's halves; `what` asks for them.
std::pair<Operand, Operand> halves(const Tensor& x, int64_t axis, std::string_view what,
                                   const SourceLoc& loc) {
  tracer_of(x, loc);
  const size_t at = front(axis, x.rank(), what, loc);
  const auto half = x.shape()[at].divided_by(Dim(2));
  if (!half)
    fail(loc, "'", what, "' needs an even number of elements along axis ", axis, ", found ",
         x.type());
  return {Operand(slice(x, axis, 0, *half, 1, loc), loc),
          Operand(slice(x, axis, *half, *half * 2, 1, loc), loc)};
}

}  // namespace

Tensor glu(const Tensor& x, int64_t axis, SourceLoc loc) {
  const auto [a, b] = halves(x, axis, "glu", loc);
  return a * Operand(sigmoid(b.tensor(), loc), loc);
}
Tensor reglu(const Tensor& x, int64_t axis, SourceLoc loc) {
  const auto [a, b] = halves(x, axis, "reglu", loc);
  return Operand(relu(a.tensor(), loc), loc) * b;
}
Tensor geglu(const Tensor& x, int64_t axis, SourceLoc loc) {
  const auto [a, b] = halves(x, axis, "geglu", loc);
  return Operand(gelu(a.tensor(), loc), loc) * b;
}
Tensor swiglu(const Tensor& x, int64_t axis, SourceLoc loc) {
  const auto [a, b] = halves(x, axis, "swiglu", loc);
  return Operand(silu(a.tensor(), loc), loc) * b;
}

Tensor reshape(const Tensor& x, const Shape& shape, SourceLoc loc) {
  tracer_of(x, loc);
  return x.shape() == shape ? x : apply(ops::reshape, {{x}}, {{"shape", shape}}, loc)[0];
}

Tensor expand(const Tensor& x, int64_t axis, SourceLoc loc) {
  tracer_of(x, loc);
  Shape shape = x.shape();
  shape.insert(shape.begin() + static_cast<int64_t>(front(axis, x.rank() + 1, "expand", loc)),
               Dim(1));
  return reshape(x, shape, loc);
}

Tensor squeeze(const Tensor& x, int64_t axis, SourceLoc loc) {
  tracer_of(x, loc);
  const size_t at = front(axis, x.rank(), "squeeze", loc);
  if (!x.shape()[at].is(1))
    fail(loc, "'squeeze' needs 1 element along axis ", axis, ", found ", x.type());
  Shape shape = x.shape();
  shape.erase(shape.begin() + static_cast<int64_t>(at));
  return reshape(x, shape, loc);
}

Tensor transpose(const Tensor& x, const ir::Integers& perm, SourceLoc loc) {
  return apply(ops::transpose, {{x}}, {{"perm", perm}}, loc)[0];
}

Tensor swap_axes(const Tensor& x, int64_t a, int64_t b, SourceLoc loc) {
  tracer_of(x, loc);
  ir::Integers perm = all_axes(x);
  std::swap(perm[front(a, x.rank(), "swap_axes", loc)], perm[front(b, x.rank(), "swap_axes", loc)]);
  return transpose(x, perm, loc);
}

Tensor broadcast(const Tensor& x, const Shape& shape, SourceLoc loc) {
  tracer_of(x, loc);
  return x.shape() == shape ? x : apply(ops::broadcast, {{x}}, {{"shape", shape}}, loc)[0];
}

Tensor concat(const Tensors& xs, int64_t axis, SourceLoc loc) {
  return xs.size() == 1 ? xs[0] : apply(ops::concat, {xs}, {{"axis", axis}}, loc)[0];
}

Tensor stack(const Tensors& xs, int64_t axis, SourceLoc loc) {
  Tensors columns;
  for (const Tensor& x : xs) columns.push_back(expand(x, axis, loc));
  return concat(columns, axis, loc);
}

Tensor slice(const Tensor& x, int64_t axis, const Dim& start, const Dim& stop, int64_t step,
             SourceLoc loc) {
  return apply(ops::slice, {{x}},
               {{"axis", axis}, {"start", start}, {"stop", stop}, {"step", step}}, loc)[0];
}

Tensor pick(const Tensor& x, int64_t axis, const Dim& index, SourceLoc loc) {
  return squeeze(slice(x, axis, index, index + 1, 1, loc), axis, loc);
}

Tensors split(const Tensor& x, int64_t n, int64_t axis, SourceLoc loc) {
  const auto size = x.dim(axis, loc).divided_by(Dim(n));
  if (!size)
    fail(loc, "'split' needs ", x.dim(axis, loc), " elements along axis ", axis, " to divide by ",
         n);
  Tensors parts;
  for (int64_t i = 0; i < n; ++i)
    parts.push_back(slice(x, axis, *size * i, *size * (i + 1), 1, loc));
  return parts;
}

Tensor pad(const Tensor& x, int64_t axis, const Dim& low, const Dim& high, double value,
           SourceLoc loc) {
  return apply(ops::pad, {{x}}, {{"axis", axis}, {"low", low}, {"high", high}, {"value", value}},
               loc)[0];
}
Tensor reverse(const Tensor& x, int64_t axis, SourceLoc loc) {
  return apply(ops::reverse, {{x}}, {{"axis", axis}}, loc)[0];
}
Tensor same_dim(const Tensor& x, int64_t axis, const Dim& size, SourceLoc loc) {
  return apply(ops::same_dim, {{x}}, {{"axis", axis}, {"size", size}}, loc)[0];
}

Tensor gather(const Tensor& x, const Tensor& indices, GatherOptions o, SourceLoc loc) {
  return apply(ops::gather, {{x}, {indices}}, {{"axis", o.axis}, {"batch", o.batch}}, loc)[0];
}
Tensor embedding(const Tensor& table, const Tensor& ids, SourceLoc loc) {
  return gather(table, ids, {}, loc);
}
Tensor scatter_add(const Tensor& x, const Tensor& indices, const Tensor& updates, GatherOptions o,
                   SourceLoc loc) {
  return apply(ops::scatter_add, {{x}, {indices}, {updates}},
               {{"axis", o.axis}, {"batch", o.batch}}, loc)[0];
}
Tensor index_select(const Tensor& x, int64_t axis, const Tensor& indices, SourceLoc loc) {
  return gather(x, indices, {.axis = axis}, loc);
}
Tensor index_add(const Tensor& x, int64_t axis, const Tensor& indices, const Tensor& updates,
                 SourceLoc loc) {
  return scatter_add(x, indices, updates, {.axis = axis}, loc);
}

namespace {

// Of x: the lanes' axis moved to the end (and back, by the same exchange).
Tensor axis_last(const Tensor& x, int64_t axis, const SourceLoc& loc) {
  return axis == x.rank() - 1 ? x : swap_axes(x, axis, -1, loc);
}

// The axis from the front, after a look at what goes with x.
int64_t lane_axis(const Tensor& x, const Tensor& indices, int64_t axis, std::string_view what,
                  const SourceLoc& loc) {
  tracer_of(x, loc);
  tracer_of(indices, loc);
  const size_t at = front(axis, x.rank(), what, loc);
  bool agree = x.rank() == indices.rank();
  for (size_t d = 0; agree && d < x.shape().size(); ++d)
    agree = d == at || x.shape()[d] == indices.shape()[d];
  if (!agree)
    fail(loc, "'", what, "' needs indices of x's rank and sizes off axis ", axis, ", found ",
         indices.type(), " for x ", x.type());
  return static_cast<int64_t>(at);
}

}  // namespace

Tensor take_along_axis(const Tensor& x, const Tensor& indices, int64_t axis, SourceLoc loc) {
  const int64_t at = lane_axis(x, indices, axis, "take_along_axis", loc), last = x.rank() - 1;
  const Tensor y = gather(axis_last(x, at, loc), axis_last(indices, at, loc),
                          {.axis = last, .batch = last}, loc);
  return axis_last(y, at, loc);
}

Tensor add_along_axis(const Tensor& x, const Tensor& indices, const Tensor& updates, int64_t axis,
                      SourceLoc loc) {
  const int64_t at = lane_axis(x, indices, axis, "add_along_axis", loc), last = x.rank() - 1;
  tracer_of(updates, loc);
  if (updates.shape() != indices.shape())
    fail(loc, "'add_along_axis' needs updates of indices' shape, found ", updates.type(), " and ",
         indices.type());
  const Tensor y = scatter_add(axis_last(x, at, loc), axis_last(indices, at, loc),
                               axis_last(updates, at, loc), {.axis = last, .batch = last}, loc);
  return axis_last(y, at, loc);
}

Tensor dynamic_slice(const Tensor& x, const Tensor& start, int64_t axis, const Dim& size,
                     SourceLoc loc) {
  return apply(ops::dynamic_slice, {{x}, {start}}, {{"axis", axis}, {"size", size}}, loc)[0];
}
Tensor update_slice(const Tensor& x, const Tensor& update, const Tensor& start, int64_t axis,
                    SourceLoc loc) {
  return apply(ops::update_slice, {{x}, {update}, {start}}, {{"axis", axis}}, loc)[0];
}
Tensor one_hot(const Tensor& indices, const Dim& size, DType dtype, SourceLoc loc) {
  return apply(ops::one_hot, {{indices}}, {{"size", size}, {"dtype", dtype}}, loc)[0];
}

Tensor length_mask(const Tensor& lengths, const Dim& size, SourceLoc loc) {
  return apply(ops::length_mask, {{lengths}}, {{"size", size}}, loc)[0];
}

Tensor causal_mask(const Tensor& like, const Dim& queries, const Dim& keys, SourceLoc loc) {
  const Tensor i = expand(iota(like, queries, s32, loc), 1, loc), j = iota(like, keys, s32, loc);
  return Operand(i, loc) >= Operand(j, loc);
}

Tensor window_mask(const Tensor& like, const Dim& queries, const Dim& keys, int64_t behind,
                   int64_t ahead, SourceLoc loc) {
  if (behind < -1 || ahead < -1 || (behind == -1 && ahead == -1))
    fail(loc,
         "a window needs 0 or more keys behind and ahead of a query, or -1 for no limit on one "
         "side, found ",
         behind, " and ", ahead);
  const Tensor i = expand(iota(like, queries, s32, loc), 1, loc), j = iota(like, keys, s32, loc);
  const Tensor distance = Operand(j, loc) - Operand(i, loc);
  const auto near = [&] { return Operand(distance, loc) >= Operand(-behind, loc); };
  const auto far = [&] { return Operand(distance, loc) <= Operand(ahead, loc); };
  if (behind < 0) return far();
  return ahead < 0 ? near() : Operand(near(), loc) && Operand(far(), loc);
}

Tensor by_distance(const Tensor& x, const Dim& queries, SourceLoc loc) {
  return apply(ops::by_distance, {{x}}, {{"queries", queries}}, loc)[0];
}
Tensor distances(const Tensor& like, const Dim& queries, const Dim& keys, SourceLoc loc) {
  const Tensor all = iota(like, queries + keys - 1, s32, loc);
  // Of as many queries as keys: the middle is 0, and nothing need be counted along the queries.
  if (queries == keys) return (Operand(all, loc) - Operand(reverse(all, 0, loc), loc)) / 2;
  const Tensor last = dim_size(iota(like, queries, s32, loc), 0, s32, loc);
  return Operand(all, loc) - (Operand(last, loc) - Operand(1, loc));
}

Tensor full(const Tensor& like, double value, const Shape& shape, DType dtype, SourceLoc loc) {
  return constant(tracer_of(like, loc), value, {dtype, shape}, loc);
}
Tensor zeros(const Tensor& like, const Shape& shape, SourceLoc loc) {
  return constant(tracer_of(like, loc), 0, {like.dtype(), shape}, loc);
}
Tensor zeros_like(const Tensor& x, SourceLoc loc) {
  return constant(tracer_of(x, loc), 0, x.type(), loc);
}
Tensor iota(const Tensor& like, const Dim& size, DType dtype, SourceLoc loc) {
  const auto tracer = tracer_of(like, loc);
  return {tracer, tracer->emit(ops::iota, {}, {{"shape", Shape{size}}, {"dtype", dtype}}, loc)[0]};
}
Tensor dim_size(const Tensor& x, int64_t axis, DType dtype, SourceLoc loc) {
  return apply(ops::dim_size, {{x}}, {{"axis", axis}, {"dtype", dtype}}, loc)[0];
}

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, SourceLoc loc) {
  const int64_t rows = tracer_of(logits, loc) == nullptr ? 0 : logits.rank() - 1;
  const Tensor logp = log_softmax(logits, -1, loc);
  return -Operand(gather(logp, labels, {.axis = rows, .batch = rows}, loc), loc);
}

}  // namespace weft
