// frontend/language/tensor.h -- Tensor, the handle that models are written with, and its operations.
//
//   Tensor a = softmax(where(mask, e, -infinity), -1);
//   Tensor c = sum(expand(a, -1) * h, 1);
//
// A Tensor stands for a value of the graph being written; every operation appends a node. Shapes
// are checked at once and errors name the caller's line. Elementwise operations broadcast from the
// right, as in NumPy, but only a literal 1 broadcasts. A number stands for a scalar of the other
// operand's dtype. Axes may be negative: counted from the end. T is any float dtype.
//
// Throws GraphError, "file:line: error: ...", for types that do not go together, tensors of two
// graphs, and tensors that were never made or whose loop is over.
#pragma once
#include "frontend/language/tracer.h"

#include <cmath>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace weft {

using ir::Dim;
using ir::DType;
using ir::Shape;
using ir::SourceLoc;
using enum ir::DType;

inline constexpr double infinity = HUGE_VAL;

class Tensor {
 public:
  Tensor() = default;
  Tensor(std::shared_ptr<Tracer> tracer, Tracer::Place place)
      : tracer_(std::move(tracer)), place_(place) {}

  bool valid() const { return tracer_ != nullptr; }
  ir::TensorType type() const;
  Shape shape() const { return type().shape; }
  Dim dim(int64_t axis, SourceLoc loc = SourceLoc::here()) const;
  DType dtype() const { return type().dtype; }
  int rank() const { return type().rank(); }

  // Names the value in printed graphs; returns itself.
  Tensor named(std::string name) const;

  const std::shared_ptr<Tracer>& tracer() const { return tracer_; }
  Tracer::Place place() const { return place_; }

 private:
  std::shared_ptr<Tracer> tracer_;
  Tracer::Place place_;
};

using Tensors = std::vector<Tensor>;

// An operand of an operator or function: a tensor or a number, and the line it stands on.
class Operand {
 public:
  Operand(const Tensor& tensor, SourceLoc loc = SourceLoc::here())
      : loc(std::move(loc)), tensor_(tensor) {}  // NOLINT
  template <typename T>
  requires std::is_arithmetic_v<T> Operand(T number, SourceLoc loc = SourceLoc::here())  // NOLINT
      : loc(std::move(loc)), number_(static_cast<double>(number)) {}

  SourceLoc loc;
  bool is_number() const { return !tensor_.valid(); }
  double number() const { return number_; }
  const Tensor& tensor() const { return tensor_; }

 private:
  Tensor tensor_;
  double number_ = 0;
};

// One axis, a list of them, or all.
struct Axes {
  static Axes all() {
    Axes axes{0};
    axes.is_all = true;
    return axes;
  }
  Axes(int64_t axis) : list{axis} {}                         // NOLINT
  Axes(int axis) : list{axis} {}                             // NOLINT
  Axes(std::initializer_list<int64_t> axes) : list(axes) {}  // NOLINT
  Axes(ir::Integers axes) : list(std::move(axes)) {}         // NOLINT
  ir::Integers list;
  bool is_all = false;
};

// Any op of the table, by its operand groups.
Tensors apply(const ir::OpDef& op, const std::vector<Tensors>& operands, ir::Attrs attrs = {},
              SourceLoc loc = SourceLoc::here());

// --- elementwise: a, b: T[...], T[...] -> T[...], broadcast together
Tensor operator+(const Operand& a, const Operand& b);
Tensor operator-(const Operand& a, const Operand& b);
Tensor operator*(const Operand& a, const Operand& b);
Tensor operator/(const Operand& a, const Operand& b);
Tensor operator-(const Operand& x);
Tensor maximum(const Operand& a, const Operand& b);
Tensor minimum(const Operand& a, const Operand& b);
Tensor pow(const Operand& a, const Operand& b);
Tensor remainder(const Operand& a, const Operand& b);

// --- comparisons: T[...], T[...] -> pred[...]
Tensor operator==(const Operand& a, const Operand& b);
Tensor operator!=(const Operand& a, const Operand& b);
Tensor operator<(const Operand& a, const Operand& b);
Tensor operator<=(const Operand& a, const Operand& b);
Tensor operator>(const Operand& a, const Operand& b);
Tensor operator>=(const Operand& a, const Operand& b);

// --- pred[...], pred[...] -> pred[...]; both sides are always computed
Tensor operator&&(const Operand& a, const Operand& b);
Tensor operator||(const Operand& a, const Operand& b);
Tensor operator!(const Operand& x);

// a where cond holds, else b; what is not chosen never leaks, NaN included.
// cond: pred[...], a, b: T[...] -> T[...]
Tensor where(const Operand& cond, const Operand& a, const Operand& b);

// --- x: T[...] -> T[...]
Tensor abs(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor ceil(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor cos(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor erf(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor exp(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor expm1(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor floor(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor gelu(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor gelu_tanh(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor log(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor log1p(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor relu(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor round(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor rsqrt(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor sigmoid(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor sign(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor silu(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor sin(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor softplus(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor sqrt(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor tanh(const Tensor& x, SourceLoc loc = SourceLoc::here());
Tensor stop_gradient(const Tensor& x, SourceLoc loc = SourceLoc::here());
// x: T[...] -> pred[...]: neither infinite nor NaN
Tensor is_finite(const Tensor& x, SourceLoc loc = SourceLoc::here());
// x: any[...] -> dtype[...]; x itself where it is of that dtype
Tensor cast(const Tensor& x, DType dtype, SourceLoc loc = SourceLoc::here());

struct MatmulOptions {
  bool transpose_a = false, transpose_b = false;
};
// a: T[...,M,K], b: T[...,K,N] -> T[...,M,N]; leading axes broadcast; rank 2 is shared by the batch
Tensor matmul(const Tensor& a, const Tensor& b, MatmulOptions options = {},
              SourceLoc loc = SourceLoc::here());

// --- reductions: x: T[d0,...,dn] -> T without `axes`, or with 1 there if `keep`; without axes: T[]
Tensor sum(const Tensor& x, const Axes& axes = Axes::all(), bool keep = false,
           SourceLoc loc = SourceLoc::here());
Tensor mean(const Tensor& x, const Axes& axes = Axes::all(), bool keep = false,
            SourceLoc loc = SourceLoc::here());
Tensor max(const Tensor& x, const Axes& axes = Axes::all(), bool keep = false,
           SourceLoc loc = SourceLoc::here());
Tensor min(const Tensor& x, const Axes& axes = Axes::all(), bool keep = false,
           SourceLoc loc = SourceLoc::here());
Tensor prod(const Tensor& x, const Axes& axes = Axes::all(), bool keep = false,
            SourceLoc loc = SourceLoc::here());
// x: T[...,N,...] -> s32[...,...]: the first index of the greatest along `axis`
Tensor arg_max(const Tensor& x, int64_t axis = -1, SourceLoc loc = SourceLoc::here());

struct SortOptions {
  bool descending = false;
};
struct Sorted {
  Tensor values;   // T[...,N,...]
  Tensor indices;  // s32[...,N,...]: where each stood
};
// x: T[...,N,...] -> its elements in order along `axis`, the least first; stable, NaN is greatest
Sorted sort(const Tensor& x, int64_t axis = -1, SortOptions options = {},
            SourceLoc loc = SourceLoc::here());
// x: T[...,N,...] -> s32[...,N,...]
Tensor arg_sort(const Tensor& x, int64_t axis = -1, SortOptions options = {},
                SourceLoc loc = SourceLoc::here());

struct TopK {
  Tensor values;   // T[...,k], the greatest first
  Tensor indices;  // s32[...,k]
};
// x: T[...,N] -> its k greatest along the last axis; of equal ones the first comes first
TopK top_k(const Tensor& x, const Dim& k, SourceLoc loc = SourceLoc::here());

struct CumsumOptions {
  bool reverse = false, exclusive = false;
};
// x: T[...] -> T[...], summed up along `axis`
Tensor cumsum(const Tensor& x, int64_t axis = -1, CumsumOptions options = {},
              SourceLoc loc = SourceLoc::here());
// x: T[...] -> T[...], multiplied up along `axis`; the gradient is exact where elements are 0
Tensor cumprod(const Tensor& x, int64_t axis = -1, CumsumOptions options = {},
               SourceLoc loc = SourceLoc::here());
// a, b: T[...] -> T[...]: y[i] = a[i] * y[i-1] + b[i] along `axis` from 0, or from the end
Tensor linear_recurrence(const Tensor& a, const Tensor& b, int64_t axis = -1, bool reverse = false,
                         SourceLoc loc = SourceLoc::here());
// x: T[...] -> T[...]; a lane that is -infinity throughout gives zeros
Tensor softmax(const Tensor& x, int64_t axis = -1, SourceLoc loc = SourceLoc::here());
// x: T[...] -> T[...]
Tensor log_softmax(const Tensor& x, int64_t axis = -1, SourceLoc loc = SourceLoc::here());
// x: T[...,N*pieces] -> T[...,N]: the greatest of each `pieces` neighbours (Goodfellow et al. 2013)
Tensor maxout(const Tensor& x, int64_t pieces = 2, SourceLoc loc = SourceLoc::here());
// x: T[...,2*N,...] -> T[...,N,...], a and b being x's halves along `axis`:
//   glu     a * sigmoid(b)     (Dauphin et al. 2017)
//   reglu   relu(a) * b        (this and what follows: Shazeer 2020)
//   geglu   gelu(a) * b
//   swiglu  silu(a) * b
Tensor glu(const Tensor& x, int64_t axis = -1, SourceLoc loc = SourceLoc::here());
Tensor reglu(const Tensor& x, int64_t axis = -1, SourceLoc loc = SourceLoc::here());
Tensor geglu(const Tensor& x, int64_t axis = -1, SourceLoc loc = SourceLoc::here());
Tensor swiglu(const Tensor& x, int64_t axis = -1, SourceLoc loc = SourceLoc::here());

// --- shapes
// x: T[...] -> T[shape], row-major
Tensor reshape(const Tensor& x, const Shape& shape, SourceLoc loc = SourceLoc::here());
// x: T[...] -> T[...,1,...], a 1 inserted so that it is axis `axis` of the result
Tensor expand(const Tensor& x, int64_t axis, SourceLoc loc = SourceLoc::here());
// x: T[...,1,...] -> T[...]
Tensor squeeze(const Tensor& x, int64_t axis, SourceLoc loc = SourceLoc::here());
// axis i of the result is axis perm[i] of x
Tensor transpose(const Tensor& x, const ir::Integers& perm, SourceLoc loc = SourceLoc::here());
// x: T[...,M,...,N,...] -> T[...,N,...,M,...]
Tensor swap_axes(const Tensor& x, int64_t a, int64_t b, SourceLoc loc = SourceLoc::here());
// x repeated to `shape`; axes matched from the right, a literal 1 repeats
Tensor broadcast(const Tensor& x, const Shape& shape, SourceLoc loc = SourceLoc::here());
// xs: T[...,Ni,...] -> T[...,sum Ni,...]
Tensor concat(const Tensors& xs, int64_t axis = -1, SourceLoc loc = SourceLoc::here());
inline Tensor concat(const Tensors& xs, int axis,
                     SourceLoc loc = SourceLoc::here()) {  // an exact match, where
  return concat(xs, int64_t{axis}, std::move(loc));        // ir::concat is one too
}
// xs: n of T[...] -> T[...,n,...], the new axis being `axis` of the result
Tensor stack(const Tensors& xs, int64_t axis = 0, SourceLoc loc = SourceLoc::here());
// elements start, start+step, ... below stop along `axis`
Tensor slice(const Tensor& x, int64_t axis, const Dim& start, const Dim& stop, int64_t step = 1,
             SourceLoc loc = SourceLoc::here());
// x: T[...,N,...] -> T[...,...], element `index` along `axis`
Tensor pick(const Tensor& x, int64_t axis, const Dim& index, SourceLoc loc = SourceLoc::here());
// x: T[...,N,...] -> n of T[...,N/n,...]; N must divide by n
Tensors split(const Tensor& x, int64_t n, int64_t axis = -1, SourceLoc loc = SourceLoc::here());
// `low` elements of `value` before and `high` after x along `axis`
Tensor pad(const Tensor& x, int64_t axis, const Dim& low, const Dim& high, double value = 0,
           SourceLoc loc = SourceLoc::here());
Tensor reverse(const Tensor& x, int64_t axis, SourceLoc loc = SourceLoc::here());
// x, its `axis` taken to be `size`; tested when the graph is bound
Tensor same_dim(const Tensor& x, int64_t axis, const Dim& size, SourceLoc loc = SourceLoc::here());

// --- indices
struct GatherOptions {
  int64_t axis = 0, batch = 0;
};
// slices of x at `indices` along an axis; the first `batch` axes go together
Tensor gather(const Tensor& x, const Tensor& indices, GatherOptions options = {},
              SourceLoc loc = SourceLoc::here());
// table: T[V,M], ids: integer[...] -> T[...,M]
Tensor embedding(const Tensor& table, const Tensor& ids, SourceLoc loc = SourceLoc::here());
// x plus updates (of gather's result type) at `indices`
Tensor scatter_add(const Tensor& x, const Tensor& indices, const Tensor& updates,
                   GatherOptions options = {}, SourceLoc loc = SourceLoc::here());
// x: T[...,N,...], indices: integer[K] -> T[...,K,...]: these slices along `axis`
Tensor index_select(const Tensor& x, int64_t axis, const Tensor& indices,
                    SourceLoc loc = SourceLoc::here());
// x: T[...,N,...], indices: integer[K], updates: T[...,K,...] -> x with updates added to these
// slices along `axis`; repeated ones add up
Tensor index_add(const Tensor& x, int64_t axis, const Tensor& indices, const Tensor& updates,
                 SourceLoc loc = SourceLoc::here());
// y[..,i,..] = x[..,indices[..,i,..],..]: every lane along `axis` has indices of its own.
// x: T[...,N,...], indices: integer[...,K,...], of equal sizes off `axis` -> T[...,K,...]
Tensor take_along_axis(const Tensor& x, const Tensor& indices, int64_t axis = -1,
                       SourceLoc loc = SourceLoc::here());
// The adjoint: x with updates (of indices' shape) added at indices; repeated ones add up.
Tensor add_along_axis(const Tensor& x, const Tensor& indices, const Tensor& updates,
                      int64_t axis = -1, SourceLoc loc = SourceLoc::here());
// `size` elements along `axis` from start: integer[], clamped to fit
Tensor dynamic_slice(const Tensor& x, const Tensor& start, int64_t axis, const Dim& size,
                     SourceLoc loc = SourceLoc::here());
// x with `update` written along `axis` from start: integer[], clamped to fit
Tensor update_slice(const Tensor& x, const Tensor& update, const Tensor& start, int64_t axis,
                    SourceLoc loc = SourceLoc::here());
// indices: integer[...] -> dtype[...,size]
Tensor one_hot(const Tensor& indices, const Dim& size, DType dtype = f32,
               SourceLoc loc = SourceLoc::here());

// --- masks
// lengths: integer[B...] -> pred[B...,size]: position < length
Tensor length_mask(const Tensor& lengths, const Dim& size, SourceLoc loc = SourceLoc::here());
// pred[Tq,Tk]: query i sees keys 0..i. `like` is any tensor of the graph the mask is made in.
Tensor causal_mask(const Tensor& like, const Dim& queries, const Dim& keys,
                   SourceLoc loc = SourceLoc::here());

// pred[Tq,Tk]: query i sees keys i-behind .. i+ahead (-1: no limit). A sliding window of w keys, the
// query's own among them, has behind = w-1; local attention has w on both sides.
Tensor window_mask(const Tensor& like, const Dim& queries, const Dim& keys, int64_t behind,
                   int64_t ahead = 0, SourceLoc loc = SourceLoc::here());

// By the distance of key and query: y[...,t,j] = x[...,j - t + queries - 1], so x holds a value each
// for the last query's first key up to the first query's last key.
// x: any[...,queries+Tk-1] -> any[...,queries,Tk]
Tensor by_distance(const Tensor& x, const Dim& queries, SourceLoc loc = SourceLoc::here());
// The distances j - t in that order, from 1-queries to keys-1; `like` is any tensor of the graph.
// -> s32[queries+keys-1]
Tensor distances(const Tensor& like, const Dim& queries, const Dim& keys,
                 SourceLoc loc = SourceLoc::here());

// --- values that are known; `like` is any tensor of the graph they are made in
// -> dtype[shape], all `value`
Tensor full(const Tensor& like, double value, const Shape& shape, DType dtype,
            SourceLoc loc = SourceLoc::here());
// -> like.dtype[shape]
Tensor zeros(const Tensor& like, const Shape& shape, SourceLoc loc = SourceLoc::here());
// x: T[...] -> T[...]
Tensor zeros_like(const Tensor& x, SourceLoc loc = SourceLoc::here());
// -> dtype[size]: 0, 1, 2, ...
Tensor iota(const Tensor& like, const Dim& size, DType dtype = s32,
            SourceLoc loc = SourceLoc::here());
// the size of an axis as dtype[]
Tensor dim_size(const Tensor& x, int64_t axis, DType dtype = s32,
                SourceLoc loc = SourceLoc::here());

// --- loss
// logits: T[...,V], labels: integer[...] -> T[...]: -log softmax(logits)[label]
Tensor cross_entropy(const Tensor& logits, const Tensor& labels, SourceLoc loc = SourceLoc::here());

inline Dim dim(std::string_view symbol) { return Dim::symbol(symbol); }

}  // namespace weft
