// backends/onednn/lower/matmul.cpp -- products of matrices, by one of the implementations there are.
#include "backends/onednn/lower/matmul.h"

#include "backends/onednn/kernels/elementwise.h"
#include "backends/onednn/kernels/gemm.h"
#include "backends/onednn/lower/choice.h"
#include "backends/onednn/lower/elementwise.h"
#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/matmul_primitive.h"
#include "backends/onednn/lower/pieces.h"
#include "ir/check.h"
#include "ir/ops/all.h"

#include <algorithm>
#include <cstring>

namespace weft::onednn {
namespace {

// y = a + b, each broadcast to y.
void emit_sum(Emit& e, const Tensor& y, const Tensor& a, const Tensor& b,
              const std::optional<RowBound>& bound = {}) {
  Tensor to = y, first = broadcast_to(a, y.dims), second = broadcast_to(b, y.dims);
  const auto rows = prefix_bound(bound, y);
  collapse({&to, &first, &second});
  const auto access = [](const Tensor& t) {
    kernels::Access access;
    std::copy(t.strides.begin(), t.strides.end(), access.strides.begin());
    return access;
  };
  kernels::ElementwiseSpec spec;
  spec.shape = to.dims;
  spec.inputs = {access(first), access(second)};
  spec.program = {{.op = kernels::Opcode::add, .a = 0, .b = 1}};
  spec.outputs = {access(to)};
  spec.results = {2};
  const auto program = std::make_shared<kernels::Elementwise>(spec);
  WEFT_CHECK(program->error() == nullptr);
  const Ref scratch = e.workspace(static_cast<int64_t>(program->workspace_bytes()));
  e.kernel("elementwise", 0,
           [program, scratch, y = y.at, a = a.at, b = b.at, rows](const Run& run) {
             const void* in[] = {run(a), run(b)};
             void* out[] = {run(y)};
             if (rows) return program->run_rows(in, out, run(scratch), (*rows)(run), rows->rows);
             program->run(in, out, run(scratch));
           });
}

bool is_bounded(const MatmulOptions& options) { return options.rows || options.depth; }

// What is multiplied, as implementations of products see it.
struct Case {
  const Tensor &a, &b, &c;
  const MatmulOptions& options;

  bool is_bf16() const { return a.dtype == ir::DType::bf16; }
  // Operands and sums that kernels::gemm knows; sums of products of bf16 it also rounds.
  bool is_float() const {
    return a.dtype == b.dtype && (is_bf16() || a.dtype == ir::DType::f32) &&
           (c.dtype == ir::DType::f32 || (is_bf16() && c.dtype == ir::DType::bf16));
  }
};

// bf16 that lies there as such.
Tensor narrow(Emit& e, const Tensor& t) {
  if (!t.wide) return t;
  const Tensor to = e.temporary(t.dtype, t.dims);
  emit_copy(e, t, to);
  return to;
}

// Right operands of kernels::gemm.
WeightLayout panels(const Tensor& b) {
  return {.name = b.dtype == ir::DType::bf16 ? "panels of bf16" : "panels",
          .bytes = static_cast<int64_t>(
              kernels::packed_weights_bytes(b.dim(0), b.dim(1), gemm_dtype(b.dtype))),
          .lay_out = [](Emit& e, const Tensor& b, Ref to) {
            emit_packing(e, b, to);
            return true;
          }};
}

// Our own kernel, for products with one b.
bool emit_gemm(Emit& e, const Case& p, bool packs) {
  const auto& [a, b, c, options] = p;
  const int64_t n = row_count(c);
  if (!p.is_float() || b.rank() != 2 || row_count(a) != n) return false;
  const auto x = reshaped(a, {n, a.dim(-1)}), y = reshaped(c, {n, c.dim(-1)});
  const auto residual =
      options.residual ? reshaped(*options.residual, {n, c.dim(-1)}) : std::nullopt;
  const auto by_rows = [](const std::optional<Tensor>& t) {
    return t && (t->dim(1) == 1 || t->stride(1) == 1) &&
           (t->dim(0) == 1 || t->stride(0) >= t->dim(1));
  };
  if (!(by_rows(x) || (x && x->stride(0) == 1)) || !by_rows(y)) return false;
  if (options.residual && !by_rows(residual)) return false;
  const std::optional<Ref> packed = packs && !options.depth ? e.packed(b, panels(b)) : std::nullopt;
  if (packs && !packed) return false;
  const bool relu = options.activation == "relu", low = y->dtype == ir::DType::bf16;
  const std::optional<Tensor> add = residual             ? residual
                                    : options.accumulate ? std::optional(*y)
                                                         : std::nullopt;
  const kernels::Gemm args{.dtype = gemm_dtype(b.dtype),
                           .rounds = b.wide,
                           .rows = n,
                           .columns = y->dim(1),
                           .depth = x->dim(1),
                           .a_row = x->stride(0),
                           .a_column = by_rows(x) ? 1 : x->stride(1),
                           .b_row = b.stride(0),
                           .b_column = b.dim(1) == 1 ? 1 : b.stride(1),
                           .ld_add = add ? add->stride(0) : 0,
                           .relu = relu,
                           .ld_c = low ? y->dim(1) : y->stride(0),
                           .ld_low = y->stride(0)};
  kernels::Gemm sized = args;
  if (packed) sized.packed = &args;  // anything: it is not laid out then
  const std::optional<Ref> bias = options.bias ? std::optional(options.bias->at) : std::nullopt,
                           added = add ? std::optional(add->at) : std::nullopt;
  const auto taken = [&](int64_t bytes) { return bytes > 0 ? e.workspace(bytes) : Ref{}; };
  const Ref of_b = packed ? *packed : b.at,
            space = taken(static_cast<int64_t>(kernels::gemm_workspace_bytes(sized))),
            sums = low ? taken(kernels::gemm_sums_in_pieces(args) ? y->size() * 4 : 0) : y->at;
  const std::string name = ir::concat("matmul", p.is_bf16() ? " bf16" : "");
  e.kernel(name + (packed ? ", packed" : ", blocked"), product_flops(*x, *y),
           [=, a = x->at, y = y->at, rows = options.rows, depth = options.depth,
            is_packed = packed.has_value()](const Run& run) {
             kernels::Gemm k = args;
             if (rows) k.rows = (*rows)(run);
             if (depth) k.depth = (*depth)(run);
             k.a = run(a);
             if (sums.base >= 0) k.c = run.at<float>(sums);
             if (low) k.low = run.at<uint16_t>(y);
             (is_packed ? k.packed : k.b) = run(of_b);
             if (space.base >= 0) k.workspace = run(space);
             if (bias) k.bias = run.at<float>(*bias);
             if (added) k.add = run.at<float>(*added);
             kernels::gemm(k);
           });
  if (!relu) emit_activation(e, options.activation, c, options.rows);
  return true;
}

bool emit_packed_gemm(Emit& e, const Case& p) { return emit_gemm(e, p, true); }
bool emit_blocked_gemm(Emit& e, const Case& p) { return emit_gemm(e, p, false); }

// oneDNN's primitives, which take gelu. Their relu makes 0 of NaN: it is a kernel of its own.
bool emit_primitive(Emit& e, const Case& p) {
  const auto& [a, b, c, options] = p;
  const bool fused = options.activation == "gelu" && !options.residual;
  if (!emit_product(e, {.a = a,
                        .b = narrow(e, b),
                        .c = c,
                        .bias = options.bias,
                        .residual = options.residual,
                        .activation = fused ? options.activation : "none",
                        .accumulate = options.accumulate,
                        .rows = options.rows,
                        .depth = options.depth}))
    return false;
  if (!fused) emit_activation(e, options.activation, c, options.rows);
  return true;
}

// Bias, residual and activation as kernels of their own, around a product that takes none of them.
bool emit_in_pieces(Emit& e, const Case& p) {
  const auto& [a, b, c, options] = p;
  const bool sums = options.accumulate || options.residual;
  if (!sums && !options.bias && options.activation == "none") return false;
  if (c.dtype != ir::DType::f32) return false;
  Product bare{
      .a = a, .b = narrow(e, b), .c = c, .bias = {}, .rows = options.rows, .depth = options.depth};
  if (options.residual && options.bias)
    emit_sum(e, c, *options.residual, *options.bias, options.rows);
  else if (options.residual && options.residual->at != c.at)
    emit_copy(e, *options.residual, c, options.rows);
  bare.accumulate = sums;
  if (!emit_product(e, bare)) {
    if (!sums || is_bounded(options)) return false;
    bare.c = e.temporary(c.dtype, c.dims);
    bare.accumulate = false;
    if (!emit_product(e, bare)) return false;
    emit_sum(e, c, c, bare.c);
  }
  if (options.bias && !options.residual) emit_sum(e, c, c, *options.bias, options.rows);
  emit_activation(e, options.activation, c, options.rows);
  return true;
}

// Ways to multiply with float operands.
struct ProductImplementation {
  std::string_view what;  // in the table of preferences
  Owner owner;
  bool (*emit)(Emit&, const Case&);
};
constexpr ProductImplementation kProducts[] = {
    {"product, weights packed", Owner::weft, emit_packed_gemm},
    {"product", Owner::weft, emit_blocked_gemm},
    {"product", Owner::onednn, emit_primitive},
    {"product", Owner::onednn, emit_in_pieces},
};

constexpr std::string_view kOfBf16 = "product of bf16";

// Products of f32 have two preferences: where weights are packed, and where they are not.
bool emit_by_choice(Emit& e, const Case& p) {
  for (const bool first : {true, false})
    for (const ProductImplementation& way : kProducts)
      if ((way.owner == preferred(e.choice(), p.is_bf16() ? kOfBf16 : way.what)) == first &&
          way.emit(e, p)) {
        if (way.owner != Owner::onednn) e.refused();
        return true;
      }
  return false;
}

// Few rows a matrix of c, all with one b: worth bringing a's and c's rows in line for one product.
bool of_many_small(const Tensor& a, const Tensor& b, const Tensor& c) {
  constexpr int64_t kFewRows = 128;
  if (b.rank() != 2 || c.rank() < 3 || a.rank() != c.rank() || c.dim(-2) >= kFewRows) return false;
  for (int axis = 0; axis + 2 < a.rank(); ++axis)
    if (a.stride(axis) == 0 && a.dim(axis) > 1) return false;  // broadcast
  return row_count(a) == row_count(c) && (!fits(Layout::rows, a) || !fits(Layout::rows, c));
}

// Integers wrap.
void emit_integers(Emit& e, const Tensor& a, const Tensor& b, const Tensor& c) {
  const Dims batch(c.dims.begin(), c.dims.end() - 2);
  const auto lead = [&](const Tensor& t) {
    Tensor head = t;
    head.dims.resize(head.dims.size() - 2);
    head.strides.resize(head.strides.size() - 2);
    return broadcast_to(head, batch);
  };
  const Tensor la = lead(a), lb = lead(b), lc = lead(c);
  e.kernel("matmul, integers", product_flops(a, c), [=](const Run& run) {
    const int64_t rounds = lc.size();
    for (int64_t i = 0; i < rounds; ++i) {
      int64_t rest = i, oa = 0, ob = 0, oc = 0;
      for (int axis = lc.rank() - 1; axis >= 0; --axis) {
        const int64_t k = rest % lc.dim(axis);
        rest /= lc.dim(axis);
        oa += k * la.stride(axis), ob += k * lb.stride(axis), oc += k * lc.stride(axis);
      }
      for (int64_t m = 0; m < c.dim(-2); ++m)
        for (int64_t n = 0; n < c.dim(-1); ++n) {
          uint64_t sum = 0;
          for (int64_t k = 0; k < a.dim(-1); ++k)
            sum += static_cast<uint64_t>(integer_of(
                       run(a.at) + (oa + m * a.stride(-2) + k * a.stride(-1)) * a.element_bytes(),
                       a.dtype)) *
                   static_cast<uint64_t>(integer_of(
                       run(b.at) + (ob + k * b.stride(-2) + n * b.stride(-1)) * b.element_bytes(),
                       b.dtype));
          store_integer(run(c.at) + (oc + m * c.stride(-2) + n * c.stride(-1)) * c.element_bytes(),
                        c.dtype, static_cast<int64_t>(sum));
        }
    }
  });
}

}  // namespace

void emit_activation(Emit& e, std::string_view name, const Tensor& x,
                     const std::optional<RowBound>& bound) {
  using kernels::Opcode;
  if (name == "none" || x.size() == 0) return;
  static constexpr std::pair<std::string_view, Opcode> kNamed[] = {
      {"relu", Opcode::relu}, {"tanh", Opcode::tanh},           {"sigmoid", Opcode::sigmoid},
      {"gelu", Opcode::gelu}, {"gelu_tanh", Opcode::gelu_tanh}, {"silu", Opcode::silu}};
  const auto* found = std::find_if(std::begin(kNamed), std::end(kNamed),
                                   [&](const auto& n) { return n.first == name; });
  WEFT_CHECK(found != std::end(kNamed));
  const auto rows = prefix_bound(bound, x);
  Tensor t = x;
  collapse({&t});
  kernels::Access access;
  std::copy(t.strides.begin(), t.strides.end(), access.strides.begin());
  kernels::ElementwiseSpec spec{t.dims, {access}, {{.op = found->second}}, {access}, {1}};
  const auto program = std::make_shared<kernels::Elementwise>(spec);
  WEFT_CHECK(program->error() == nullptr);
  const Ref scratch = e.workspace(static_cast<int64_t>(program->workspace_bytes()));
  e.kernel("elementwise", 0, [program, scratch, at = x.at, rows](const Run& run) {
    const void* in[] = {run(at)};
    void* out[] = {run(at)};
    if (rows) return program->run_rows(in, out, run(scratch), (*rows)(run), rows->rows);
    program->run(in, out, run(scratch));
  });
}

namespace {

// Operands of one dtype, with which the product is as it is asked for: an f32 that is multiplied
// with bf16 is rounded to it.
void match(Emit& e, Tensor& a, Tensor& b, const MatmulOptions& options) {
  a = narrow(e, a);
  if (a.dtype == b.dtype) return;
  Tensor& wide = a.dtype == ir::DType::f32 ? a : b;
  wide = emit_cast(e, wide, ir::DType::bf16, &wide == &a ? options.rows : options.depth);
}

// c is bf16: sums of f32 that are rounded last.
void emit_rounded(Emit& e, Tensor a, Tensor b, const Tensor& c, const MatmulOptions& options) {
  match(e, a, b, options);
  const bool by_onednn = preferred(e.choice(), kOfBf16) == Owner::onednn;
  const bool at_once =
      (options.activation == "none" || (options.activation == "relu" && !by_onednn)) &&
      !options.accumulate && !(options.residual && by_onednn);
  if (at_once && a.dtype == ir::DType::bf16 && a.dim(-1) > 0 &&
      emit_by_choice(e, {a, b, c, options}))
    return;
  const Tensor sums = e.temporary(ir::DType::f32, c.dims, true);
  emit_matmul(e, a, b, sums, options);
  emit_cast(e, sums, c, options.rows);
}

}  // namespace

void emit_matmul(Emit& e, Tensor a, Tensor b, Tensor c, const MatmulOptions& options) {
  if (c.size() == 0) return;
  if (c.dtype == ir::DType::bf16) return emit_rounded(e, a, b, c, options);
  e.needs_arithmetic(c.dtype);
  match(e, a, b, options);
  if (!ir::is_float(c.dtype)) return emit_integers(e, a, b, c);
  if (a.dim(-1) == 0) {
    if (options.residual && options.residual->at != c.at) emit_copy(e, *options.residual, c);
    if (!options.accumulate && !options.residual) emit_fill(e, c, 0);
    if (options.bias) emit_sum(e, c, c, *options.bias);
    return emit_activation(e, options.activation, c);
  }
  if (!options.accumulate && !options.rows && of_many_small(a, b, c)) {
    const Tensor rows = fits(Layout::rows, c) ? c : e.temporary(c.dtype, c.dims);
    emit_matmul(e, e.as(Layout::rows, a), b, rows, options);
    if (rows.at != c.at) emit_copy(e, rows, c);
    return;
  }
  if (is_bounded(options)) {
    a = e.as(Layout::matrix, a);
    b = e.as(Layout::matrix, b);
  }
  if (emit_by_choice(e, {a, b, c, options})) return;
  a = e.as(Layout::matrix, a);
  b = e.as(Layout::matrix, b);
  if (emit_by_choice(e, {a, b, c, options})) return;
  if (a.dtype == ir::DType::bf16)  // batches: bf16 is exact in f32
    return emit_matmul(e, emit_cast(e, a, ir::DType::f32, options.rows),
                       emit_cast(e, narrow(e, b), ir::DType::f32, options.depth), c, options);
  throw ir::RuntimeError(
      ir::concat(e.op.node().from.loc.str(), ": error: oneDNN has only its reference matmul for '",
                 e.op.def().name, "' of ", str(a), " and ", str(b), " [onednn.3]"));
}

void lower_matmul(Emit& e) {
  const Tensor a = e.op.flag("transpose_a") ? transposed(e.in(0)) : e.in(0);
  const Tensor b = e.op.flag("transpose_b") ? transposed(e.in(1)) : e.in(1);
  MatmulOptions options;
  (e.op.flag("transpose_a") ? options.depth : options.rows) = e.bound();
  emit_matmul(e, a, b, e.out(), options);
}

bool matmul_bounded(const ir::OpView& op) {
  return op.result().dtype == ir::DType::f32 && op.operand(0).rank() == 2 &&
         op.operand(1).rank() == 2 && op.result().rank() == 2;
}

Layout linear_operand(const ir::OpView& op, int operand) {
  return operand == op.position("x")                        ? Layout::matrix
         : operand == op.position("w")                      ? Layout::matrix
         : op.has("bias") && operand == op.position("bias") ? Layout::dense
                                                            : Layout::any;
}

bool rounds_weight(const ir::OpView& op, int operand) {
  const bool linear = op.def().operand_index("w") >= 0;
  return operand == op.position(linear ? "w" : "b") && op.operand(operand).rank() == 2;
}

bool linear_in_place(const ir::OpView& op, int, int operand) {
  return op.has("residual") && operand == op.position("residual");
}

void lower_linear(Emit& e) {
  Tensor x = e.in("x"), y = e.out();
  if (x.rank() == 1) {
    x = with_axis(x, 0, 1, x.dim(0));
    y = with_axis(y, 0, 1, y.dim(0));
  }
  const Tensor w = e.op.flag("transpose_b") ? transposed(e.in("w")) : e.in("w");
  MatmulOptions options{.activation = e.op.text("activation"), .rows = e.bound()};
  if (e.has("bias")) options.bias = e.in("bias");
  if (e.has("residual")) {
    const Tensor& r = e.in("residual");
    options.residual = r.rank() == 1 ? with_axis(r, 0, 1, r.dim(0)) : r;
  }
  emit_matmul(e, x, w, y, options);
}

namespace {

constexpr Lowering kLowerings[] = {
    {.op = &ir::ops::linear,
     .lower = lower_linear,
     .results = Layout::inner,
     .operand = linear_operand,
     .rounds = rounds_weight,
     .in_place = linear_in_place,
     .bounded = matmul_bounded},
    {.op = &ir::ops::matmul,
     .lower = lower_matmul,
     .operands = Layout::matrix,
     .results = Layout::inner,
     .rounds = rounds_weight,
     .bounded = matmul_bounded},
};

}  // namespace

std::span<const Lowering> of_matmul() { return kLowerings; }

}  // namespace weft::onednn
