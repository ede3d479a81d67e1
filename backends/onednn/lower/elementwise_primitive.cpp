// backends/onednn/lower/elementwise_primitive.cpp -- chains of elementwise nodes as one oneDNN
// primitive.
#include "backends/onednn/lower/elementwise_primitive.h"

#include "backends/onednn/lower/elementwise.h"
#include "backends/onednn/lower/primitive.h"
#include "backends/onednn/machine/engine.h"
#include "ir/ops/all.h"

#include <algorithm>
#include <cmath>

namespace weft::onednn {
namespace {

namespace ops = ir::ops;
using dnnl::algorithm;
using dnnl::memory;

// alpha and beta as oneDNN's eltwise reads them.
struct Unary {
  const ir::OpDef* op;
  algorithm how;
  float alpha = 0, beta = 0;
};
// Those that keep infinities and NaN: oneDNN's exponentials stop at the greatest float, NaN too.
constexpr Unary kUnary[] = {
    {&ops::abs, algorithm::eltwise_abs},
    {&ops::neg, algorithm::eltwise_linear, -1, -0.0F},
    {&ops::sqrt, algorithm::eltwise_sqrt},
};

struct Binary {
  const ir::OpDef* op;
  algorithm how;
  bool commutes;
};
constexpr Binary kBinary[] = {
    {&ops::add, algorithm::binary_add, true},
    {&ops::div, algorithm::binary_div, false},
    {&ops::mul, algorithm::binary_mul, true},
    {&ops::sub, algorithm::binary_sub, false},
};

template <typename Table>
auto find(const Table& table, const ir::OpDef* op) {
  const auto* found = std::find_if(std::begin(table), std::end(table),
                                   [&](const auto& row) { return row.op == op; });
  return found == std::end(table) ? nullptr : found;
}

// What is done to the value so far.
struct Step {
  algorithm how;
  float alpha = 0, beta = 0;
  std::optional<Tensor> other;  // of a binary one
};

std::optional<double> constant(const ir::Graph& graph, ir::Value v) {
  const ir::Node* node = graph.producer(v);
  if (node == nullptr || node->op != &ops::constant) return std::nullopt;
  const ir::Reals& values = ir::OpView(graph, *node).reals("values");
  return values.size() == 1 ? std::optional(values[0]) : std::nullopt;
}

class Chain {
 public:
  explicit Chain(Emit& e) : e_(e), graph_(e.op.graph()) {}

  // The tensor it starts from, and the steps; false where the group is no such chain.
  bool read() {
    ir::Value so_far;
    for (const int n : e_.nodes) {
      const ir::Node& node = graph_.nodes()[static_cast<size_t>(n)];
      if (!add(node, so_far)) return false;
      so_far = node.results[0];
    }
    return true;
  }

  Tensor start;
  std::vector<Step> steps;

 private:
  bool is_float(ir::Value v) const { return graph_.type(v).dtype == ir::DType::f32; }

  bool add(const ir::Node& node, ir::Value so_far) {
    if (!is_float(node.results[0])) return false;
    for (const ir::Value v : node.operands)
      if (!is_float(v)) return false;
    if (const Unary* unary = find(kUnary, node.op)) {
      if (!begin_or_follow(node.operands[0], so_far)) return false;
      steps.push_back({unary->how, unary->alpha, unary->beta, {}});
      return true;
    }
    const Binary* binary = find(kBinary, node.op);
    if (binary == nullptr) return false;
    ir::Value a = node.operands[0], b = node.operands[1];
    const bool follows = so_far.valid();
    if (follows && a == b) return false;
    const bool turned = follows ? b == so_far : constant(graph_, a).has_value();
    if (turned) std::swap(a, b);
    if (!begin_or_follow(a, so_far)) return false;
    if (const auto c = constant(graph_, b)) return add_constant(*binary, turned, *c);
    if (turned && !binary->commutes) return false;
    const Dims& dims = e_.out().dims;
    steps.push_back({binary->how, 0, 0, broadcast_to(e_.place(b), dims)});
    return true;
  }

  // x op c, or turned c op x, as alpha x + beta. A beta of -0 adds nothing to any x; with 0 oneDNN
  // finds, in its cache of primitives, the ones with -0.
  bool add_constant(const Binary& binary, bool turned, double c) {
    double alpha = 1, beta = -0.0;
    if (binary.op == &ops::add)
      beta = c;
    else if (binary.op == &ops::mul && c != 0)  // 0 x has the sign of x
      alpha = c;
    else if (binary.op == &ops::sub)
      alpha = turned ? -1 : 1, beta = turned ? c : -c;
    else
      return false;
    if (beta == 0 && !std::signbit(beta)) return false;
    steps.push_back(
        {algorithm::eltwise_linear, static_cast<float>(alpha), static_cast<float>(beta), {}});
    return true;
  }

  bool begin_or_follow(ir::Value x, ir::Value so_far) {
    if (so_far.valid()) return x == so_far;
    if (constant(graph_, x)) return false;
    start = e_.place(x);
    return start.dims == e_.out().dims;
  }

  Emit& e_;
  const ir::Graph& graph_;
};

// Of several post-ops with one function 2.6.3 applies the alpha and beta of one to all.
bool repeats_a_function(const std::vector<Step>& steps) {
  for (size_t i = 1; i < steps.size(); ++i)
    for (size_t k = 1; k < i; ++k)
      if (!steps[i].other && !steps[k].other && steps[i].how == steps[k].how &&
          (steps[i].alpha != steps[k].alpha || steps[i].beta != steps[k].beta))
        return true;
  return false;
}

// Axes that are repeated have size 1 for oneDNN; `rows` of the first one.
memory::desc repeated_desc(const Tensor& t, int64_t rows) {
  memory::dims dims(t.dims.begin(), t.dims.end()), strides(t.strides.begin(), t.strides.end());
  dims[0] = rows;
  for (size_t i = 0; i < dims.size(); ++i)
    if (strides[i] == 0) dims[i] = 1;
  for (size_t i = dims.size(); i-- > 0;)
    if (strides[i] == 0) strides[i] = i + 1 < dims.size() ? strides[i + 1] * dims[i + 1] : 1;
  return {dims, memory::data_type::f32, strides};
}

}  // namespace

bool emit_elementwise_primitive(Emit& e) {
  Chain chain(e);
  if (e.out().dtype != ir::DType::f32 || e.out().size() == 0 || !chain.read()) return false;
  Tensor out = e.out();
  const auto rows = prefix_bound(e.bound(), out);
  if (e.bound() && !rows) return false;
  std::vector<Tensor*> all{&out, &chain.start};
  for (Step& step : chain.steps)
    if (step.other) all.push_back(&*step.other);
  collapse(all);
  // Elements side by side, one for one; but the first step may add a row to every row.
  if (out.rank() == 0 || !is_dense(out) || chain.start.strides != out.strides) return false;
  for (size_t i = 0; i < chain.steps.size(); ++i) {
    const std::optional<Tensor>& other = chain.steps[i].other;
    if (!other || other->strides == out.strides) continue;
    if (i > 0 || out.rank() != 2 || other->strides != Dims{0, 1}) return false;
  }

  if (repeats_a_function(chain.steps)) return false;

  std::vector<Ref> at{chain.start.at};
  if (chain.steps[0].other) at.push_back(chain.steps[0].other->at);
  at.push_back(out.at);
  for (size_t i = 1; i < chain.steps.size(); ++i)
    if (chain.steps[i].other) at.push_back(chain.steps[i].other->at);

  const auto make = [steps = chain.steps, start = chain.start, out,
                     engine = e.engine().dnnl()](int64_t count) -> std::optional<RowPrimitive> {
    const memory::desc x = repeated_desc(start, count), y = repeated_desc(out, count);
    dnnl::post_ops post;
    std::vector<std::pair<int, memory::desc>> others;
    for (size_t i = 1; i < steps.size(); ++i) {
      if (!steps[i].other) {
        compat::append_eltwise(post, steps[i].how, steps[i].alpha, steps[i].beta);
        continue;
      }
      const memory::desc other = repeated_desc(*steps[i].other, count);
      post.append_binary(steps[i].how, other);
      others.emplace_back(DNNL_ARG_ATTR_MULTIPLE_POST_OP(static_cast<int>(i) - 1) | DNNL_ARG_SRC_1,
                          other);
    }
    dnnl::primitive_attr attr = plain_attributes();
    attr.set_post_ops(post);
    const auto finished = [&](auto primitive, const auto& pd,
                              std::vector<std::pair<int, memory::desc>> arguments) {
      arguments.insert(arguments.end(), others.begin(), others.end());
      return RowPrimitive{primitive, pd.impl_info_str(), std::move(arguments),
                          pd.scratchpad_desc()};
    };
    if (steps[0].other) {
      const memory::desc other = repeated_desc(*steps[0].other, count);
      const auto pd =
          described([&] { return compat::binary_desc(engine, steps[0].how, x, other, y, attr); });
      if (!pd) return std::nullopt;
      return finished(dnnl::binary(*pd), *pd,
                      {{DNNL_ARG_SRC_0, x}, {DNNL_ARG_SRC_1, other}, {DNNL_ARG_DST, y}});
    }
    if (x != y) return std::nullopt;  // one descriptor for both in oneDNN 2
    const auto pd = described([&] {
      return compat::eltwise_desc(engine, steps[0].how, x, steps[0].alpha, steps[0].beta, attr);
    });
    if (!pd) return std::nullopt;
    return finished(dnnl::eltwise_forward(*pd), *pd, {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
  };
  return emit_for_rows(e, "elementwise", 0, out.dim(0), rows, make, at);
}

}  // namespace weft::onednn
