// backends/onednn/lower/matmul_primitive.cpp -- see matmul_primitive.h.
#include "backends/onednn/lower/matmul_primitive.h"

#include "backends/onednn/lower/primitive.h"
#include "backends/onednn/lower/row_tiles.h"
#include "backends/onednn/machine/engine.h"
#include "backends/onednn/plan/moves.h"
#include "ir/check.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace weft::onednn {
namespace {

using dnnl::memory;

// gemm:jit is as fast as brgemm on b as it lies from so many rows on.
constexpr int64_t kManyRows = 64;

// For this product alone: gemm:jit, which reads b where it lies, is as fast but for f32 whose
// columns lie apart: it loses a tenth, and more where that is a multiple of 2 KB.
bool worth_laying_out(const Product& p) {
  const int64_t rows = p.c.dim(0), column = p.b.stride(1);
  if (p.a.dtype != ir::DType::f32 || column == 1) return false;
  return rows >= (column % 512 == 0 ? 2 : 8) * kManyRows;
}

// Strides of a matrix that oneDNN takes for one: axes of size 1 must not look like odd ones.
void tidy(Tensor& t) {
  const size_t n = t.dims.size();
  const int64_t rows = t.dims[n - 2], columns = t.dims[n - 1];
  int64_t &row = t.strides[n - 2], &column = t.strides[n - 1];
  if (rows == 1 && columns == 1)
    row = column = 1;
  else if (rows == 1)
    row = column == 1 ? columns : 1;
  else if (columns == 1)
    column = 1;
}

dnnl::primitive_attr attributes(const Product& p) {
  dnnl::post_ops post;
  if (p.accumulate || p.residual) post.append_sum(1.0F);
  if (p.activation == "gelu") compat::append_eltwise(post, dnnl::algorithm::eltwise_gelu_erf);
  dnnl::primitive_attr attr = plain_attributes();
  attr.set_post_ops(post);
  return attr;
}

std::optional<memory::desc> bias_desc(const Product& p) {
  if (!p.bias) return std::nullopt;
  memory::dims dims(p.c.dims.size(), 1);
  dims.back() = p.c.dims.back();
  memory::dims strides(dims.size(), dims.back());
  strides.back() = 1;
  return memory::desc(dims, memory::data_type::f32, strides);
}

// ---- whole

bool emit_one(Emit& e, const Product& p) {
  const auto bias = bias_desc(p);
  const auto pd = described([&] {
    return compat::matmul_desc(e.engine().dnnl(), desc_of(p.a), desc_of(p.b), bias, desc_of(p.c),
                               attributes(p));
  });
  if (!pd) return false;
  Call call("matmul", dnnl::matmul(*pd));
  call.with(DNNL_ARG_SRC, pd->src_desc(), p.a.at)
      .with(DNNL_ARG_WEIGHTS, pd->weights_desc(), p.b.at)
      .with(DNNL_ARG_DST, pd->dst_desc(), p.c.at);
  if (bias) call.with(DNNL_ARG_BIAS, *bias, p.bias->at);
  call.with_scratchpad(e, pd->scratchpad_desc())
      .emit(e, product_flops(p.a, p.c), pd->impl_info_str());
  return true;
}

// ---- one by one

struct Rounds {
  dnnl::matmul primitive;
  memory memories[5];
  Ref refs[5];
  dnnl_exec_arg_t args[5];
  int count = 0;
  dnnl_stream_t stream;
  std::vector<std::array<int64_t, 3>> offsets;  // bytes added to a, b, c, one round each

  void add(int arg, const memory::desc& desc, const dnnl::engine& engine, Ref at) {
    memories[count] = memory(desc, engine, DNNL_MEMORY_NONE);
    refs[count] = at;
    args[count] = {arg, memories[count].get()};
    ++count;
  }

  void run(const Run& run) const {
    for (const auto& offset : offsets) {
      for (int i = 0; i < count; ++i) {
        char* at = run(refs[i]) + (i < 3 ? offset[static_cast<size_t>(i)] : 0);
        dnnl_memory_set_data_handle(args[i].memory, at);
      }
      check(dnnl_primitive_execute(primitive.get(), stream, count, args));
    }
  }
  static void check(dnnl_status_t status) {
    if (status != dnnl_success)
      throw ir::RuntimeError(
          ir::concat("error: oneDNN's matmul failed with status ", static_cast<int64_t>(status)));
  }
};

// Every matrix of the batch on its own.
bool emit_one_by_one(Emit& e, const Product& p, const Dims& batch) {
  Product single = p;
  for (Tensor* t : {&single.a, &single.b, &single.c}) {
    t->dims.erase(t->dims.begin(), t->dims.end() - 2);
    t->strides.erase(t->strides.begin(), t->strides.end() - 2);
    tidy(*t);
  }
  const dnnl::engine& engine = e.engine().dnnl();
  const auto bias = bias_desc(single);
  const auto pd = described([&] {
    return compat::matmul_desc(engine, desc_of(single.a), desc_of(single.b), bias,
                               desc_of(single.c), attributes(single));
  });
  if (!pd) return false;
  const auto rounds = std::make_shared<Rounds>();
  rounds->primitive = dnnl::matmul(*pd);
  rounds->stream = e.engine().stream();
  rounds->add(DNNL_ARG_SRC, pd->src_desc(), engine, p.a.at);
  rounds->add(DNNL_ARG_WEIGHTS, pd->weights_desc(), engine, p.b.at);
  rounds->add(DNNL_ARG_DST, pd->dst_desc(), engine, p.c.at);
  if (bias) rounds->add(DNNL_ARG_BIAS, *bias, engine, p.bias->at);
  if (const size_t scratch = pd->scratchpad_desc().get_size(); scratch > 0)
    rounds->add(DNNL_ARG_SCRATCHPAD, pd->scratchpad_desc(), engine,
                e.workspace(static_cast<int64_t>(scratch)));
  int64_t count = 1;
  for (const int64_t d : batch) count *= d;
  for (int64_t i = 0; i < count; ++i) {
    std::array<int64_t, 3> at{};
    int64_t rest = i;
    for (size_t axis = batch.size(); axis-- > 0; rest /= batch[axis]) {
      const int64_t k = rest % batch[axis];
      at[0] += k * p.a.strides[axis] * p.a.element_bytes();
      at[1] += k * p.b.strides[axis] * p.b.element_bytes();
      at[2] += k * p.c.strides[axis] * p.c.element_bytes();
    }
    rounds->offsets.push_back(at);
  }
  e.kernel(
      "matmul, one by one", product_flops(p.a, p.c), [rounds](const Run& run) { rounds->run(run); },
      pd->impl_info_str());
  return true;
}

// Leading axes of all three, with stride 0 where an operand has none; neighbours merged.
void align(Product& p) {
  const size_t leading = p.c.dims.size() - 2;
  const Dims batch(p.c.dims.begin(), p.c.dims.begin() + static_cast<int64_t>(leading));
  Tensor heads[3];
  Tensor* all[] = {&p.a, &p.b, &p.c};
  for (int k = 0; k < 3; ++k) {
    Tensor head = *all[k];
    head.dims.resize(head.dims.size() - 2);
    head.strides.resize(head.strides.size() - 2);
    heads[k] = broadcast_to(head, batch);
  }
  collapse({&heads[0], &heads[1], &heads[2]});
  for (int k = 0; k < 3; ++k) {
    Tensor& t = *all[k];
    heads[k].dims.insert(heads[k].dims.end(), t.dims.end() - 2, t.dims.end());
    heads[k].strides.insert(heads[k].strides.end(), t.strides.end() - 2, t.strides.end());
    t = heads[k];
    tidy(t);
  }
}

// a's and c's leading axes become rows when b is one matrix: is it a product of matrices then?
bool fold(Product& p) {
  if (p.c.rank() == 2 && p.a.rank() == 2 && p.b.rank() == 2) return true;
  const int64_t n = row_count(p.c);
  if (row_count(p.a) != n) return false;
  for (int axis = 0; axis + 2 < p.b.rank(); ++axis)
    if (p.b.stride(axis) != 0) return false;
  const auto a = reshaped(p.a, {n, p.a.dim(-1)}), c = reshaped(p.c, {n, p.c.dim(-1)});
  if (!a || !c || !fits(Layout::matrix, *a) || !fits(Layout::inner, *c)) return false;
  for (int axis = 0; axis + 2 < p.a.rank(); ++axis)
    if (p.a.stride(axis) == 0) return false;
  p.a = *a;
  p.c = *c;
  p.b.dims.erase(p.b.dims.begin(), p.b.dims.end() - 2);
  p.b.strides.erase(p.b.strides.begin(), p.b.strides.end() - 2);
  for (Tensor* t : {&p.a, &p.b, &p.c}) tidy(*t);
  return true;
}

bool emit_whole(Emit& e, Product p) {
  if (p.residual) return false;
  align(p);
  if (p.c.rank() > 2) fold(p);
  if (compat::misreads_row(p.a.dim(-2), p.a.dim(-1), p.a.stride(-1))) {
    const Tensor side_by_side = e.temporary(p.a.dtype, p.a.dims);
    emit_copy(e, p.a, side_by_side);
    p.a = side_by_side;
  }
  if (compat::miswrites_column(p.c.dim(-2), p.c.dim(-1), p.c.stride(-2))) {
    const Tensor c = p.c;
    p.c = e.temporary(c.dtype, c.dims);
    if (p.accumulate) emit_copy(e, c, p.c);
    if (!emit_whole(e, p)) return false;
    emit_copy(e, p.c, c);
    return true;
  }
  Product batched = p;
  const Dims batch(p.c.dims.begin(), p.c.dims.end() - 2);
  bool both = false;  // an axis along which neither operand moves
  for (size_t axis = 0; axis < batch.size(); ++axis) {
    both |= p.a.strides[axis] == 0 && p.b.strides[axis] == 0;
    for (Tensor* t : {&batched.a, &batched.b})
      if (t->strides[axis] == 0) {
        t->dims[axis] = 1;
        t->strides[axis] = t->dims[t->dims.size() - 1] * t->dims[t->dims.size() - 2];
      }
  }
  if (!both && emit_one(e, batched)) return true;
  return !batch.empty() && emit_one_by_one(e, p, batch);
}

// ---- run time

// Memory of a matrix whose sizes are told when it runs.
memory::desc sized(const Tensor& t, int64_t rows, int64_t columns) {
  return {{rows, columns}, data_type(t.dtype), {t.strides[0], t.strides[1]}};
}

class RunTimeProduct {
 public:
  RunTimeProduct(const dnnl::engine& engine, dnnl_stream_t stream, dnnl::matmul primitive,
                 const Product& p)
      : engine_(engine), stream_(stream), primitive_(std::move(primitive)), p_(p) {
    if (const auto bias = bias_desc(p)) bias_ = memory(*bias, engine, DNNL_MEMORY_NONE);
  }

  void run(const Run& run) {
    const int64_t m = p_.rows ? p_.rows->rounded_up(run) : p_.c.dim(0),
                  k = p_.depth ? (*p_.depth)(run) : p_.a.dim(1), n = p_.c.dim(1);
    char* const c = run(p_.c.at);
    if (m == 0) return;
    if (k == 0) {  // nothing is added up
      for (int64_t i = 0; i < m && !p_.accumulate; ++i)
        std::memset(c + i * p_.c.stride(0) * p_.c.element_bytes(), 0,
                    static_cast<size_t>(n * p_.c.element_bytes()));
      return;
    }
    if (m != m_ || k != k_) {
      a_ = memory(sized(p_.a, m, k), engine_, DNNL_MEMORY_NONE);
      b_ = memory(sized(p_.b, k, n), engine_, DNNL_MEMORY_NONE);
      c_ = memory(sized(p_.c, m, n), engine_, DNNL_MEMORY_NONE);
      m_ = m, k_ = k;
    }
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, a_.get()},
                              {DNNL_ARG_WEIGHTS, b_.get()},
                              {DNNL_ARG_DST, c_.get()},
                              {DNNL_ARG_BIAS, bias_.get(true)}};
    dnnl_memory_set_data_handle(a_.get(), run(p_.a.at));
    dnnl_memory_set_data_handle(b_.get(), run(p_.b.at));
    dnnl_memory_set_data_handle(c_.get(), c);
    if (p_.bias) dnnl_memory_set_data_handle(bias_.get(), run(p_.bias->at));
    Rounds::check(dnnl_primitive_execute(primitive_.get(), stream_, p_.bias ? 4 : 3, args));
  }

 private:
  const dnnl::engine engine_;
  const dnnl_stream_t stream_;
  const dnnl::matmul primitive_;
  const Product p_;
  int64_t m_ = -1, k_ = -1;  // the memories are of
  memory a_, b_, c_, bias_;
};

// `many_rows`: their number is told at run time though it is known, which makes it gemm:jit.
bool emit_run_time(Emit& e, const Product& given, bool many_rows = false) {
  Product p = given;
  if (many_rows && !fold(p)) return false;
  if (p.residual || p.a.rank() != 2 || p.b.rank() != 2 || p.c.rank() != 2) return false;
  if (p.depth && (p.bias || p.activation != "none")) return false;
  for (Tensor* t : {&p.a, &p.b, &p.c}) tidy(*t);
  if (!fits(Layout::matrix, p.a) || !fits(Layout::matrix, p.b) || !fits(Layout::inner, p.c))
    return false;
  constexpr int64_t kUnknown = DNNL_RUNTIME_DIM_VAL;
  const int64_t m = p.rows || many_rows ? kUnknown : p.c.dim(0),
                k = p.depth ? kUnknown : p.a.dim(1), n = p.c.dim(1);
  const auto pd = described([&] {
    return compat::matmul_desc(e.engine().dnnl(), sized(p.a, m, k), sized(p.b, k, n), bias_desc(p),
                               sized(p.c, m, n), attributes(p));
  });
  if (!pd || pd->scratchpad_desc().get_size() > 0) return false;
  const auto product = std::make_shared<RunTimeProduct>(e.engine().dnnl(), e.engine().stream(),
                                                        dnnl::matmul(*pd), p);
  e.kernel(
      p.depth ? "matmul, depth at run time" : "matmul, rows at run time", product_flops(p.a, p.c),
      [product](const Run& run) { product->run(run); }, pd->impl_info_str());
  return true;
}

// ---- by rows

std::optional<Tensor> in_rows(const Tensor& t, int64_t rows) {
  const auto matrix = reshaped(t, {rows, t.dim(-1)});
  if (!matrix || !fits(Layout::inner, *matrix) || (rows > 1 && matrix->stride(0) < t.dim(-1)))
    return std::nullopt;
  return matrix;
}

// oneDNN's reorder takes two to three times as long as our panels where b lies transposed (of
// 2048 x 512 f32 290 us and 96, two threads of a Zen 5): the time of a product of 55 rows.
bool lay_out_weights(Emit& e, const Tensor& b, const memory::desc& to, Ref at) {
  const compat::Blocking blocks = compat::blocking(to);
  if (b.dtype == ir::DType::f32 && b.stride(0) == 1 && b.dim(1) > 1 &&
      blocks.axes == memory::dims{0, 1} &&
      blocks.strides[0] == blocks.blocks[0] * blocks.blocks[1]) {
    emit_packing(e, b, at, {.columns = blocks.blocks[1], .depth_step = blocks.blocks[0]});
    return true;
  }
  return emit_reorder(e, "lay out weights", desc_of(b), b.at, to, at);
}

bool emit_by_rows(Emit& e, const Product& given) {
  Product p = given;
  const int64_t n = row_count(p.c);
  if (p.b.rank() != 2 || row_count(p.a) != n || !has_weight_layouts()) return false;
  for (int axis = 0; axis + 1 < p.a.rank(); ++axis)
    if (p.a.stride(axis) == 0 && p.a.dim(axis) > 1) return false;  // broadcast
  const auto a = in_rows(p.a, n), c = in_rows(p.c, n);
  if (!a || !c || !fits(Layout::matrix, p.b)) return false;
  p.a = *a, p.c = *c;
  if (p.residual) {
    const auto residual = in_rows(*p.residual, n);
    if (!residual) return false;
    p.residual = *residual;
  }
  tidy(p.b);
  RowTiles::Setup setup{.k = p.a.dim(1),
                        .n = p.c.dim(1),
                        .rows = n,
                        .threads = e.engine().threads(),
                        .a_row = n == 1 ? p.a.dim(1) : p.a.stride(0),
                        .c_row = n == 1 ? p.c.dim(1) : p.c.stride(0),
                        .operands = data_type(p.a.dtype),
                        .results = data_type(p.c.dtype),
                        .bias = p.bias.has_value(),
                        .attributes = attributes(p)};
  auto tiles = RowTiles::make(e.engine().dnnl(), setup);
  const bool apart = !tiles && setup.a_row != setup.k;  // brgemm wants rows of a side by side
  if (apart) {
    setup.a_row = setup.k;
    tiles = RowTiles::make(e.engine().dnnl(), setup);
  }
  if (!tiles) return false;
  const memory::desc& to = tiles->weights();
  const WeightLayout layout{
      .name = layout_text(to),
      .bytes = static_cast<int64_t>(to.get_size()),
      .lay_out = [to](Emit& e, const Tensor& b, Ref at) { return lay_out_weights(e, b, to, at); }};
  std::optional<Ref> w = e.packed(p.b, layout);
  if (!w && worth_laying_out(p)) w = e.laid_out(p.b, layout);
  if (!w) return false;
  if (apart) {
    const Tensor side_by_side = e.temporary(p.a.dtype, p.a.dims);
    emit_copy(e, p.a, side_by_side, p.rows);
    p.a = side_by_side;
  }
  const std::string implementation = tiles->implementation();
  e.kernel(
      "matmul", product_flops(p.a, p.c),
      [tiles = std::shared_ptr<RowTiles>(std::move(tiles)), p, w = *w](const Run& run) {
        const Tensor* const r = p.residual && p.residual->at != p.c.at ? &*p.residual : nullptr;
        tiles->run({.rows = p.rows ? (*p.rows)(run) : p.c.dim(0),
                    .a = run(p.a.at),
                    .weights = run(w),
                    .bias = p.bias ? run(p.bias->at) : nullptr,
                    .residual = r != nullptr ? run(r->at) : nullptr,
                    .residual_row = r != nullptr ? r->stride(0) : 0,
                    .c = run(p.c.at)});
      },
      implementation);
  return true;
}

}  // namespace

double product_flops(const Tensor& a, const Tensor& c) {
  return 2.0 * static_cast<double>(c.size()) * static_cast<double>(a.dim(-1));
}

bool emit_product(Emit& e, const Product& p) {
  WEFT_CHECK(p.a.dtype == p.b.dtype);
  if (p.depth) return emit_run_time(e, p);
  if (emit_by_rows(e, p)) return true;
  if (p.b.rank() == 2 && row_count(p.c) >= kManyRows && emit_run_time(e, p, true)) return true;
  return p.rows ? emit_run_time(e, p) : emit_whole(e, p);
}

bool has_weight_layouts() {
  static const bool here = [] {
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    return RowTiles::make(engine, {.k = 64,
                                   .n = 64,
                                   .rows = kManyRows,
                                   .threads = 1,
                                   .a_row = 64,
                                   .c_row = 64,
                                   .operands = memory::data_type::f32,
                                   .results = memory::data_type::f32,
                                   .bias = false,
                                   .attributes = plain_attributes()}) != nullptr;
  }();
  return here;
}

}  // namespace weft::onednn
