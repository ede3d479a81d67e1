// backends/onednn/lower/matmul_primitive.cpp -- a matrix product as a oneDNN primitive, made once
// per plan.
//
// A primitive is refused when oneDNN would run its plain C++ loops ("ref"), 10 to 1,000 times
// slower. Leading axes are folded into rows where b has none; transposes, padded rows and broadcast
// batches are strides. Where oneDNN cannot follow a batch's strides, its matrices are multiplied
// one by one.
#include "backends/onednn/lower/matmul_primitive.h"

#include "backends/onednn/machine/compat.h"
#include "backends/onednn/machine/engine.h"

#include <array>

namespace weft::onednn {
namespace {

using dnnl::memory;

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

memory::desc desc_of(const Tensor& t) {
  return {memory::dims(t.dims.begin(), t.dims.end()), memory::data_type::f32,
          memory::dims(t.strides.begin(), t.strides.end())};
}

struct Primitive {
  dnnl::matmul primitive;
  memory memories[5];
  Ref refs[5];
  dnnl_exec_arg_t args[5];
  int count = 0;
  std::string implementation;

  void add(int arg, const memory::desc& desc, const dnnl::engine& engine, Ref at) {
    memories[count] = memory(desc, engine, DNNL_MEMORY_NONE);
    refs[count] = at;
    args[count] = {arg, memories[count].get()};
    ++count;
  }
};

dnnl::primitive_attr attributes(const Product& p) {
  dnnl::post_ops post;
  if (p.accumulate) post.append_sum(1.0F);
  if (p.activation == "relu") compat::append_eltwise(post, dnnl::algorithm::eltwise_relu);
  if (p.activation == "gelu") compat::append_eltwise(post, dnnl::algorithm::eltwise_gelu_erf);
  dnnl::primitive_attr attr;
  attr.set_post_ops(post);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

// Null where oneDNN has only its reference implementation, or none.
std::shared_ptr<Primitive> make(Emit& e, const Product& p) {
  const dnnl::engine& engine = e.engine().dnnl();
  std::optional<memory::desc> bias;
  if (p.bias) {
    memory::dims dims(p.c.dims.size(), 1);
    dims.back() = p.c.dims.back();
    Dims strides(dims.size(), dims.back());
    strides.back() = 1;
    bias = memory::desc(dims, memory::data_type::f32, memory::dims(strides.begin(), strides.end()));
  }
  try {
    const auto pd =
        compat::matmul_desc(engine, desc_of(p.a), desc_of(p.b), bias, desc_of(p.c), attributes(p));
    const std::string implementation = pd.impl_info_str();
    if (implementation.rfind("ref", 0) == 0) return nullptr;
    auto out = std::make_shared<Primitive>();
    out->primitive = dnnl::matmul(pd);
    out->implementation = implementation;
    out->add(DNNL_ARG_SRC, pd.src_desc(), engine, p.a.at);
    out->add(DNNL_ARG_WEIGHTS, pd.weights_desc(), engine, p.b.at);
    out->add(DNNL_ARG_DST, pd.dst_desc(), engine, p.c.at);
    if (bias) out->add(DNNL_ARG_BIAS, *bias, engine, p.bias->at);
    if (const size_t scratch = pd.scratchpad_desc().get_size(); scratch > 0)
      out->add(DNNL_ARG_SCRATCHPAD, pd.scratchpad_desc(), engine,
               e.workspace(static_cast<int64_t>(scratch)));
    return out;
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) return nullptr;
    throw ir::RuntimeError(ir::concat(
        e.op.node().from.loc.str(), ": error: oneDNN makes no matmul for '", e.op.def().name,
        "' of ", str(p.a), " and ", str(p.b), ": ", error.what(), " (status ", error.status, ")"));
  }
}

struct Step {
  std::shared_ptr<Primitive> primitive;
  dnnl_stream_t stream;
  std::vector<std::array<int64_t, 3>> offsets;  // bytes added to a, b, c, one round each

  void operator()(const Run& run) const {
    for (const auto& offset : offsets) {
      for (int i = 0; i < primitive->count; ++i) {
        char* at = run(primitive->refs[i]) + (i < 3 ? offset[static_cast<size_t>(i)] : 0);
        dnnl_memory_set_data_handle(primitive->args[i].memory, at);
      }
      const dnnl_status_t status = dnnl_primitive_execute(primitive->primitive.get(), stream,
                                                          primitive->count, primitive->args);
      if (status != dnnl_success)
        throw ir::RuntimeError(ir::concat("error: oneDNN's matmul failed with status ", status));
    }
  }
};

bool emit_primitive(Emit& e, const Product& p) {
  const auto primitive = make(e, p);
  if (!primitive) return false;
  e.kernel("matmul", product_flops(p.a, p.c), Step{primitive, e.engine().stream(), {{0, 0, 0}}},
           primitive->implementation);
  return true;
}

// Every matrix of the batch on its own.
bool emit_one_by_one(Emit& e, const Product& p, const Dims& batch, const Tensor& a, const Tensor& b,
                     const Tensor& c) {
  Product single = p;
  for (Tensor* t : {&single.a, &single.b, &single.c}) {
    t->dims.erase(t->dims.begin(), t->dims.end() - 2);
    t->strides.erase(t->strides.begin(), t->strides.end() - 2);
    tidy(*t);
  }
  const auto primitive = make(e, single);
  if (!primitive) return false;
  int64_t count = 1;
  for (const int64_t d : batch) count *= d;
  std::vector<std::array<int64_t, 3>> offsets;
  for (int64_t i = 0; i < count; ++i) {
    std::array<int64_t, 3> at{};
    int64_t rest = i;
    for (size_t axis = batch.size(); axis-- > 0; rest /= batch[axis]) {
      const int64_t k = rest % batch[axis] * 4;
      at[0] += k * a.strides[axis];
      at[1] += k * b.strides[axis];
      at[2] += k * c.strides[axis];
    }
    offsets.push_back(at);
  }
  e.kernel("matmul, one by one", product_flops(p.a, p.c),
           Step{primitive, e.engine().stream(), std::move(offsets)}, primitive->implementation);
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

// a's and c's leading axes become rows when b is one matrix.
void fold(Product& p) {
  const int64_t n = row_count(p.c);
  for (int axis = 0; axis + 2 < p.b.rank(); ++axis)
    if (p.b.stride(axis) != 0) return;
  const auto a = reshaped(p.a, {n, p.a.dim(-1)}), c = reshaped(p.c, {n, p.c.dim(-1)});
  if (!a || !c || !fits(Layout::matrix, *a) || !fits(Layout::inner, *c)) return;
  for (int axis = 0; axis + 2 < p.a.rank(); ++axis)
    if (p.a.stride(axis) == 0) return;
  p.a = *a;
  p.c = *c;
  p.b.dims.erase(p.b.dims.begin(), p.b.dims.end() - 2);
  p.b.strides.erase(p.b.strides.begin(), p.b.strides.end() - 2);
  for (Tensor* t : {&p.a, &p.b, &p.c}) tidy(*t);
}

}  // namespace

double product_flops(const Tensor& a, const Tensor& c) {
  return 2.0 * static_cast<double>(c.size()) * static_cast<double>(a.dim(-1));
}

bool emit_product(Emit& e, Product p) {
  align(p);
  if (p.c.rank() > 2) fold(p);
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
  if (!both && emit_primitive(e, batched)) return true;
  return !batch.empty() && emit_one_by_one(e, p, batch, p.a, p.b, p.c);
}

}  // namespace weft::onednn
