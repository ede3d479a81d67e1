// backends/onednn/lower/elementwise.cpp -- elementwise nodes, one or a group, as one kernel.
#include "backends/onednn/lower/elementwise.h"

#include "backends/onednn/kernels/elementwise.h"
#include "backends/onednn/lower/choice.h"
#include "backends/onednn/lower/dtype.h"
#include "backends/onednn/lower/elementwise_primitive.h"
#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/pieces.h"
#include "backends/onednn/plan/planner.h"
#include "ir/check.h"
#include "ir/ops/all.h"

#include <map>

namespace weft::onednn {
namespace {

namespace ops = ir::ops;
using kernels::Opcode;

const std::map<const ir::OpDef*, Opcode>& opcodes() {
  static const std::map<const ir::OpDef*, Opcode> table{
      {&ops::abs, Opcode::abs},
      {&ops::add, Opcode::add},
      {&ops::cast, Opcode::cast},
      {&ops::ceil, Opcode::ceil},
      {&ops::cos, Opcode::cos},
      {&ops::div, Opcode::div},
      {&ops::equal, Opcode::equal},
      {&ops::erf, Opcode::erf},
      {&ops::exp, Opcode::exp},
      {&ops::expm1, Opcode::expm1},
      {&ops::floor, Opcode::floor},
      {&ops::gelu, Opcode::gelu},
      {&ops::gelu_tanh, Opcode::gelu_tanh},
      {&ops::greater, Opcode::greater},
      {&ops::greater_equal, Opcode::greater_equal},
      {&ops::is_finite, Opcode::is_finite},
      {&ops::less, Opcode::less},
      {&ops::less_equal, Opcode::less_equal},
      {&ops::log, Opcode::log},
      {&ops::log1p, Opcode::log1p},
      {&ops::logical_and, Opcode::logical_and},
      {&ops::logical_not, Opcode::logical_not},
      {&ops::logical_or, Opcode::logical_or},
      {&ops::logical_xor, Opcode::logical_xor},
      {&ops::maximum, Opcode::maximum},
      {&ops::minimum, Opcode::minimum},
      {&ops::mul, Opcode::mul},
      {&ops::neg, Opcode::neg},
      {&ops::not_equal, Opcode::not_equal},
      {&ops::pow, Opcode::pow},
      {&ops::relu, Opcode::relu},
      {&ops::remainder, Opcode::remainder},
      {&ops::round, Opcode::round},
      {&ops::rsqrt, Opcode::rsqrt},
      {&ops::select, Opcode::select},
      {&ops::sigmoid, Opcode::sigmoid},
      {&ops::sign, Opcode::sign},
      {&ops::silu, Opcode::silu},
      {&ops::sin, Opcode::sin},
      {&ops::softplus, Opcode::softplus},
      {&ops::sqrt, Opcode::sqrt},
      {&ops::sub, Opcode::sub},
      {&ops::tanh, Opcode::tanh}};
  return table;
}

// As programs know them: casts read and write bf16 too.
std::optional<kernels::DType> program_dtype(ir::DType dtype) {
  return dtype == ir::DType::bf16 ? kernels::DType::bf16 : kernel_dtype(dtype);
}

// A constant of one value is part of the program.
const ir::Node* filled(const ir::Graph& graph, ir::Value v) {
  const ir::Node* node = graph.producer(v);
  const bool is = node != nullptr && node->op == &ops::constant &&
                  kernel_dtype(graph.type(v).dtype).has_value() &&
                  ir::OpView(graph, *node).reals("values").size() == 1;
  return is ? node : nullptr;
}

struct Builder {
  Emit& e;
  kernels::ElementwiseSpec spec;
  std::vector<Tensor> inputs;
  std::map<ir::Value, uint8_t> registers;

  void add_inputs(const Dims& dims) {
    const ir::Graph& graph = e.op.graph();
    for (const int n : e.nodes)
      for (const ir::Value v : graph.nodes()[static_cast<size_t>(n)].operands) {
        const int made_by = graph.info(v).node;
        const bool inside =
            made_by >= 0 && std::find(e.nodes.begin(), e.nodes.end(), made_by) != e.nodes.end();
        if (inside || registers.count(v) > 0 || filled(graph, v) != nullptr) continue;
        registers[v] = static_cast<uint8_t>(inputs.size());
        inputs.push_back(broadcast_to(e.place(v), dims));
      }
  }

  uint8_t append(kernels::Instruction i) {
    spec.program.push_back(i);
    return static_cast<uint8_t>(inputs.size() + spec.program.size() - 1);
  }

  uint8_t operand(ir::Value v) {
    if (const auto known = registers.find(v); known != registers.end()) return known->second;
    const ir::Graph& graph = e.op.graph();
    const ir::Node* constant = filled(graph, v);
    WEFT_CHECK(constant != nullptr);
    const double value = ir::OpView(graph, *constant).reals("values")[0];
    const kernels::DType dtype = *kernel_dtype(graph.type(v).dtype);
    const int64_t integer = dtype == kernels::DType::f32 ? 0 : static_cast<int64_t>(value);
    return registers[v] = append(
               {.op = Opcode::constant, .dtype = dtype, .immediate = value, .integer = integer});
  }

  void add_nodes() {
    const ir::Graph& graph = e.op.graph();
    for (const int n : e.nodes) {
      const ir::Node& node = graph.nodes()[static_cast<size_t>(n)];
      kernels::Instruction i{.op = opcodes().at(node.op)};
      uint8_t* slots[] = {&i.a, &i.b, &i.c};
      for (size_t k = 0; k < node.operands.size(); ++k) *slots[k] = operand(node.operands[k]);
      i.dtype = *program_dtype(graph.type(node.results[0]).dtype);
      registers[node.results[0]] = append(i);
    }
  }
};

kernels::Access access(const Tensor& t) {
  kernels::Access a{.dtype = *program_dtype(t.dtype)};
  for (int i = 0; i < t.rank(); ++i) a.strides[static_cast<size_t>(i)] = t.stride(i);
  return a;
}

}  // namespace

// From f32 to bf16 or back.
bool casts_bf16(const ir::OpView& op) {
  if (&op.def() != &ops::cast) return false;
  const ir::DType from = op.operand(0).dtype, to = op.result().dtype;
  return (from == ir::DType::bf16 && to == ir::DType::f32) ||
         (from == ir::DType::f32 && to == ir::DType::bf16);
}

bool runs_as_program(const ir::OpView& op) {
  if (divides_integers(op)) return false;
  if (casts_bf16(op)) return op.result().rank() <= kernels::kMaxRank;
  for (int i = 0; i < op.operand_count(); ++i)
    if (!kernel_dtype(op.operand(i).dtype)) return false;
  return kernel_dtype(op.result().dtype).has_value() && op.result().rank() <= kernels::kMaxRank &&
         opcodes().count(&op.def()) > 0;
}

std::optional<RowBound> prefix_bound(const std::optional<RowBound>& rows, const Tensor& out) {
  if (!rows || rows->rows <= 1) return std::nullopt;
  WEFT_CHECK(out.dim(0) == rows->rows);
  for (int axis = 1; axis < out.rank(); ++axis)
    if (out.dim(axis) > 1 && out.stride(axis) > out.stride(0)) return std::nullopt;
  return rows;
}

void lower_elementwise(Emit& e) {
  if (!runs_as_program(e.op)) return lower_plainly(e);
  if (e.out().size() == 0) return;
  if (preferred(e.choice(), "elementwise") == Owner::onednn) {
    if (emit_elementwise_primitive(e)) return;
    e.refused();
  }
  Builder b{e, {}, {}, {}};
  Tensor out = e.out();
  const auto rows = prefix_bound(e.bound(), out);
  b.add_inputs(out.dims);
  b.add_nodes();
  std::vector<Tensor*> all{&out};
  for (Tensor& t : b.inputs) all.push_back(&t);
  collapse(all);
  b.spec.shape = out.dims;
  for (const Tensor& t : b.inputs) b.spec.inputs.push_back(access(t));
  b.spec.outputs = {access(out)};
  b.spec.results = {b.registers.at(e.op.node().results[0])};
  const auto program = std::make_shared<kernels::Elementwise>(b.spec);
  WEFT_CHECK(program->error() == nullptr);
  std::vector<Ref> refs;
  for (const Tensor& t : b.inputs) refs.push_back(t.at);
  const size_t scratch = program->workspace_bytes();
  const Ref workspace = e.workspace(static_cast<int64_t>(scratch));
  e.kernel("elementwise", 0, [program, refs, out = out.at, workspace, rows](const Run& run) {
    const void* inputs[256];
    for (size_t i = 0; i < refs.size(); ++i) inputs[i] = run(refs[i]);
    void* outputs[] = {run(out)};
    if (rows) return program->run_rows(inputs, outputs, run(workspace), (*rows)(run), rows->rows);
    program->run(inputs, outputs, run(workspace));
  });
}

Tensor emit_cast(Emit& e, const Tensor& x, ir::DType dtype, const std::optional<RowBound>& bound) {
  const Tensor y = e.temporary(dtype, x.dims, true);
  emit_cast(e, x, y, bound);
  return y;
}

void emit_cast(Emit& e, const Tensor& x, const Tensor& y, const std::optional<RowBound>& bound) {
  if (y.size() == 0) return;
  const auto rows = prefix_bound(bound, y);
  Tensor from = x, to = y;
  collapse({&to, &from});
  kernels::ElementwiseSpec spec{to.dims,
                                {access(from)},
                                {{.op = Opcode::cast, .dtype = *program_dtype(y.dtype)}},
                                {access(to)},
                                {1}};
  const auto program = std::make_shared<kernels::Elementwise>(spec);
  WEFT_CHECK(program->error() == nullptr);
  const Ref scratch = e.workspace(static_cast<int64_t>(program->workspace_bytes()));
  e.kernel("cast", 0, [program, scratch, x = x.at, y = y.at, rows](const Run& run) {
    const void* in[] = {run(x)};
    void* out[] = {run(y)};
    if (rows) return program->run_rows(in, out, run(scratch), (*rows)(run), rows->rows);
    program->run(in, out, run(scratch));
  });
}

namespace {

constexpr Lowering kLowerings[] = {
    elementwise(ops::abs),         elementwise(ops::add),        elementwise(ops::cast),
    elementwise(ops::ceil),        elementwise(ops::cos),        elementwise(ops::div),
    elementwise(ops::equal),       elementwise(ops::erf),        elementwise(ops::exp),
    elementwise(ops::expm1),       elementwise(ops::floor),      elementwise(ops::gelu),
    elementwise(ops::gelu_tanh),   elementwise(ops::greater),    elementwise(ops::greater_equal),
    elementwise(ops::is_finite),   elementwise(ops::less),       elementwise(ops::less_equal),
    elementwise(ops::log),         elementwise(ops::log1p),      elementwise(ops::logical_and),
    elementwise(ops::logical_not), elementwise(ops::logical_or), elementwise(ops::logical_xor),
    elementwise(ops::maximum),     elementwise(ops::minimum),    elementwise(ops::mul),
    elementwise(ops::neg),         elementwise(ops::not_equal),  elementwise(ops::pow),
    elementwise(ops::relu),        elementwise(ops::remainder),  elementwise(ops::round),
    elementwise(ops::rsqrt),       elementwise(ops::select),     elementwise(ops::sigmoid),
    elementwise(ops::sign),        elementwise(ops::silu),       elementwise(ops::sin),
    elementwise(ops::softplus),    elementwise(ops::sqrt),       elementwise(ops::sub),
    elementwise(ops::tanh),
};

}  // namespace

std::span<const Lowering> of_elementwise() { return kLowerings; }

}  // namespace weft::onednn
