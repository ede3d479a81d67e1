// backends/onednn/plan/lowering.h -- what a lowering is: the kernels that do an op, and what they
// ask of memory.
//
// A lowering is a row of lower/table.cpp, which the planner is given as a span. The planner gives every value a place that all its
// readers can read, then calls `lower`, which adds kernels to the program. Kernels capture Tensors
// by value and resolve them with the Run they are given; while a graph runs they allocate nothing.
#pragma once
#include "backends/backend.h"
#include "backends/onednn/plan/program.h"
#include "backends/onednn/plan/row_bounds.h"
#include "backends/onednn/plan/tensor.h"
#include "ir/graph.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::onednn {

class Engine;
class Planner;

class Emit;

// A layout in which products read their right operand faster than where it lies.
struct WeightLayout {
  std::string name;  // tells it from other layouts of the same operand
  int64_t bytes = 0;
  // Emits the kernel that lays b out; false, with nothing emitted, where there is none.
  std::function<bool(Emit&, const Tensor& b, Ref to)> lay_out;
};

// A right operand, and where it lies in another layout.
struct LaidOut {
  Tensor from;
  std::string layout;
  Ref at;

  bool is(const Tensor& b, const WeightLayout& l) const {
    return from.at == b.at && from.dims == b.dims && from.strides == b.strides && layout == l.name;
  }
};

// One node (or a group of elementwise nodes) being lowered.
class Emit {
 public:
  Emit(Planner& planner, const ir::OpView& op, std::vector<int> nodes)
      : op(op), nodes(std::move(nodes)), planner_(planner) {}
  ~Emit();  // gives back temporaries
  Emit(const Emit&) = delete;
  Emit& operator=(const Emit&) = delete;

  const ir::OpView op;           // of the group's last node
  const std::vector<int> nodes;  // in order

  const Tensor& place(ir::Value v) const;
  const Tensor& in(int operand) const {
    return place(op.node().operands[static_cast<size_t>(operand)]);
  }
  const Tensor& in(std::string_view operand) const { return in(op.position(operand)); }
  bool has(std::string_view operand) const { return op.has(operand); }
  const Tensor& out(int result = 0) const {
    return place(op.node().results[static_cast<size_t>(result)]);
  }

  // The result that holds the adjoint of an operand, by the attribute `wanted`; null: nobody wants
  // it.
  const Tensor* adjoint(std::string_view operand) const;

  // Where kernels are to read and write the first rows only (row_bounds.h), of which all else is
  // left alone.
  std::optional<RowBound> bound() const;

  // Throws GraphError for f16 and bf16, which nothing computes in; products read bf16.
  void needs_arithmetic(ir::DType dtype) const;
  // Memory until the node is done. Padded: rows do not alias in the cache.
  Tensor temporary(ir::DType dtype, const Dims& dims, bool padded = false);
  Ref workspace(int64_t bytes, int timeline = -1);  // `timeline`: of the loop it is the arena of
  // `tensor` where it fits, else a copy that does.
  Tensor as(Layout layout, const Tensor& tensor);
  // The copy in another layout of a right operand [K,N] that stays the same for many products: a
  // parameter of a graph that is run again and again, what a loop does not change. It is laid out
  // once, in front, for all that want this layout.
  std::optional<Ref> packed(const Tensor& b, const WeightLayout& layout);
  // The same for the products of this node: until the node is done.
  std::optional<Ref> laid_out(const Tensor& b, const WeightLayout& layout);

  void kernel(std::string name, double flops, std::function<void(const Run&)> run,
              std::string implementation = {});
  void loop(std::string name, std::function<void(const Run&)> run, Program* body);
  // What `emit` adds goes to another program, run by a kernel of this node's.
  void divert(Program& to, const std::function<void()>& emit);
  void refused() const;  // oneDNN, if that is the engine asked for: Weft's code does it
  void place_constant(Tensor place);               // of the result
  bool readers_accept(const Tensor& place) const;  // as the place of the result
  const Engine& engine() const;
  backends::EngineChoice choice() const;  // whose code is asked for
  Planner& planner() const { return planner_; }

 private:
  friend class Planner;
  Planner& planner_;
  // Of its kernels: operands, results, places. One for all, an update of all parameters has many.
  std::shared_ptr<const std::string> text_;
  std::vector<std::pair<int64_t, int64_t>> taken_;  // offset, bytes
  std::vector<LaidOut> laid_out_;
};

// Whose code an implementation is.
enum class Owner : uint8_t { onednn, weft };

// One of the ways to do an op. Which comes first is decided by lower/choice.h.
struct Implementation {
  std::string_view name;
  Owner owner;
  // False, with nothing emitted, where it cannot do it on these operands. An op's last one always can.
  bool (*emit)(Emit&);
};

struct Lowering {
  const ir::OpDef* op = nullptr;
  void (*lower)(Emit&) = nullptr;  // null: the op runs as its expansion
  Layout operands = Layout::dense;
  Layout results = Layout::dense;
  // Where one layout for all operands or results will not do.
  Layout (*operand)(const ir::OpView&, int operand) = nullptr;
  // The result as a view of operand 0, if it can be one.
  std::optional<Tensor> (*view)(const ir::OpView&, const Tensor& x) = nullptr;
  // May this operand, bf16, lie there as f32 that the kernels round (Tensor::wide)?
  bool (*rounds)(const ir::OpView&, int operand) = nullptr;
  // May this operand, f32, lie there as bf16 that the kernels read (Tensor::narrow)?
  bool (*widens)(const ir::OpView&, int operand) = nullptr;
  // May this result be written over this operand, which is of the same size and not read again?
  bool (*in_place)(const ir::OpView&, int result, int operand) = nullptr;
  // The result is known when planning: `lower` places it among the constants.
  bool constant = false;
  // Does the lowering serve this node; if not it runs as its expansion.
  bool (*serves)(const ir::OpView&) = nullptr;
  // May it join other elementwise nodes that run as one kernel (plan/group_elementwise.cpp)?
  bool (*groups)(const ir::OpView&) = nullptr;
  // Do the kernels keep to Emit::bound: rows of results or, for sums over rows, of operands?
  bool (*bounded)(const ir::OpView&) = nullptr;
  // Where there are several: `lower` then calls `lower_by_choice`.
  std::span<const Implementation> implementations = {};
};

inline Layout operand_layout(const Lowering& l, const ir::OpView& op, int operand) {
  return l.operand != nullptr ? l.operand(op, operand) : l.operands;
}

// Of a table sorted by the ops' names; null: the table lacks it.
const Lowering* find_lowering(std::span<const Lowering> table, const ir::OpDef* op);

}  // namespace weft::onednn
