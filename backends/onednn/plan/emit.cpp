// backends/onednn/plan/emit.cpp -- what a lowering sees of the planner.
#include "backends/onednn/plan/moves.h"
#include "backends/onednn/plan/planner.h"

#include <algorithm>
#include <utility>

namespace weft::onednn {

const Tensor& Emit::place(ir::Value v) const { return planner_.place(v); }
const Engine& Emit::engine() const { return *planner_.plan_.engine; }
backends::EngineChoice Emit::choice() const { return planner_.plan_.options.engine; }

const Tensor* Emit::adjoint(std::string_view operand) const {
  const ir::Texts& wanted = op.texts("wanted");
  const auto found = std::find(wanted.begin(), wanted.end(), operand);
  if (found == wanted.end()) return nullptr;
  const size_t before = op.node().results.size() - wanted.size();
  return &out(static_cast<int>(before) + static_cast<int>(found - wanted.begin()));
}

std::optional<RowBound> Emit::bound() const {
  const int count = planner_.bounds_.of_node(nodes.back());
  if (count < 0) return std::nullopt;
  const RowBounds::Count& c = planner_.bounds_.counts()[static_cast<size_t>(count)];
  return RowBound{.count = planner_.count_at_[static_cast<size_t>(count)],
                  .rows = c.rows,
                  .live = !c.lengths.valid()};
}

Tensor Emit::temporary(ir::DType dtype, const Dims& dims, bool padded) {
  padded &= planner_.plan_.options.pad_rows;
  Tensor t{dtype, dims, padded ? padded_strides(dims, dtype) : dense_strides(dims), {}};
  t.at = workspace(std::max<int64_t>(t.span_bytes(), 1));
  return t;
}

Ref Emit::workspace(int64_t bytes, int timeline) {
  const int64_t offset = planner_.take_bytes(bytes, ir::Value(), timeline);
  taken_.emplace_back(offset, bytes);
  return {planner_.arena_base_, offset};
}

Tensor Emit::as(Layout layout, const Tensor& tensor) {
  if (fits(layout, tensor)) return tensor;
  const Tensor copy = temporary(tensor.dtype, tensor.dims);
  emit_copy(*this, tensor, copy);
  return copy;
}

std::optional<Ref> Emit::packed(const Tensor& b, const WeightLayout& layout) {
  if (b.rank() != 2 || b.size() == 0) return std::nullopt;
  return planner_.packed(b, layout, *this);
}

std::optional<Ref> Emit::laid_out(const Tensor& b, const WeightLayout& layout) {
  for (const LaidOut& l : laid_out_)
    if (l.is(b, layout)) return l.at;
  const Ref at = workspace(layout.bytes);
  if (!layout.lay_out(*this, b, at)) return std::nullopt;
  laid_out_.push_back({b, layout.name, at});
  return at;
}

Emit::~Emit() {
  for (const auto& [offset, bytes] : taken_) planner_.give_back(Buffers::Room{offset, bytes});
}

void Emit::kernel(std::string name, double flops, std::function<void(const Run&)> run,
                  std::string implementation) {
  Kernel k;
  k.name = std::move(name);
  k.implementation = std::move(implementation);
  k.flops = flops;
  k.run = std::move(run);
  if (const auto rows = bound()) k.count = rows->count, k.rows = rows->rows;
  planner_.describe(k, *this);
  planner_.program_->kernels.push_back(std::move(k));
}

void Emit::loop(std::string name, std::function<void(const Run&)> run, Program* body) {
  kernel(std::move(name), 0, std::move(run));
  planner_.program_->kernels.back().body = body;
}

void Emit::divert(Program& to, const std::function<void()>& emit) {
  Program* const from = std::exchange(planner_.program_, &to);
  emit();
  planner_.program_ = from;
}

void Emit::place_constant(Tensor place) {
  planner_.set_place(op.node().results[0], std::move(place), -1);
}
bool Emit::readers_accept(const Tensor& place) const {
  return planner_.units_.readers_accept(op.node().results[0], place);
}

void Emit::refused() const {
  // Integers, and single numbers, are nobody's work.
  const bool counts =
      ir::is_float(op.result().dtype) && op.operand_count() > 0 && op.operand(0).rank() > 0;
  if (choice() != backends::EngineChoice::onednn || !counts) return;
  std::string kind(op.def().name), operands;
  for (int i = 0; i < op.operand_count(); ++i) {
    const ir::TensorType& type = op.operand(i);
    kind += ir::concat(" ", ir::name(type.dtype));
    operands += (i == 0 ? "" : ", ") + type.str();
  }
  planner_.plan_.refused.emplace(
      kind, ir::concat("'", op.def().name, "' of ", operands,
                       " runs Weft's code: oneDNN has no primitive for it, one that errs at NaN or "
                       "infinity, or reference loops only"));
}

void Emit::needs_arithmetic(ir::DType dtype) const {
  if (dtype != ir::DType::f32 && ir::is_float(dtype))
    op.fail("onednn.2", "does not compute with ", ir::name(dtype),
            " on the onednn backend: cast it to f32 first");
}

}  // namespace weft::onednn
