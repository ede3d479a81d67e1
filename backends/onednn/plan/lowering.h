// backends/onednn/plan/lowering.h -- what a lowering is: the kernels that do an op, and what they
// ask of memory.
//
// A lowering is a row of lower/table.cpp. The planner gives every value a place that all its
// readers can read, then calls `lower`, which adds kernels to the program. Kernels capture Tensors
// by value and resolve them with the Run they are given; while a graph runs they allocate nothing.
#pragma once
#include "backends/onednn/plan/row_bounds.h"
#include "backends/onednn/plan/tensor.h"
#include "backends/onednn/run/program.h"
#include "ir/graph.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weft::onednn {

class Engine;
class Block;

// One node (or a group of elementwise nodes) being lowered.
class Emit {
 public:
  Emit(Block& block, const ir::OpView& op, std::vector<int> nodes)
      : op(op), nodes(std::move(nodes)), block_(block) {}
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

  // Throws GraphError for f16 and bf16, which are for storage only.
  void needs_arithmetic(ir::DType dtype) const;
  // Memory until the node is done. Padded: rows do not alias in the cache.
  Tensor temporary(ir::DType dtype, const Dims& dims, bool padded = false);
  Ref workspace(int64_t bytes, int timeline = -1);  // `timeline`: of the loop it is the arena of
  // `tensor` where it fits, else a copy that does.
  Tensor as(Layout layout, const Tensor& tensor);
  // Where a right operand f32[K,N] lies packed (kernels/gemm.h), if it outlives this work:
  // the parameters of a graph that is run again and again, what a loop does not change. It is
  // packed once, in front.
  std::optional<Ref> packed(const Tensor& b);

  void kernel(std::string name, double flops, std::function<void(const Run&)> run,
              std::string implementation = {});
  void loop(std::string name, std::function<void(const Run&)> run, Program* body);
  // What `emit` adds goes to another program, run by a kernel of this node's.
  void divert(Program& to, const std::function<void()>& emit);
  void place_constant(Tensor place);               // of the result
  bool readers_accept(const Tensor& place) const;  // as the place of the result
  const Engine& engine() const;
  Block& block() const { return block_; }

 private:
  friend class Block;
  Block& block_;
  // Of its kernels: operands, results, places. One for all, an update of all parameters has many.
  std::shared_ptr<const std::string> text_;
  std::vector<std::pair<int64_t, int64_t>> taken_;  // offset, bytes
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
  // May this result be written over this operand, which is of the same size and not read again?
  bool (*in_place)(const ir::OpView&, int result, int operand) = nullptr;
  // The result is known when planning: `lower` places it among the constants.
  bool constant = false;
  // Does the lowering serve this node; if not it runs as its expansion.
  bool (*serves)(const ir::OpView&) = nullptr;
  // Do the kernels keep to Emit::bound: rows of results or, for sums over rows, of operands?
  bool (*bounded)(const ir::OpView&) = nullptr;
};

inline Layout operand_layout(const Lowering& l, const ir::OpView& op, int operand) {
  return l.operand != nullptr ? l.operand(op, operand) : l.operands;
}

// Pieces that several lowerings use.
void emit_copy(Emit& e, const Tensor& from, const Tensor& to);  // of one shape
void emit_copy(Emit& e, const Tensor& from, const Tensor& to,
               const std::optional<RowBound>& rows);  // axis 0 counts them
void emit_fill(Emit& e, const Tensor& to, double value);
// to[N] = sum of the rows of x[M,N], both dense.
void emit_row_sum(Emit& e, const Tensor& x, Ref to, const std::optional<RowBound>& rows = {});

struct MatmulOptions {
  std::optional<Tensor> bias;      // f32[N]
  std::optional<Tensor> residual;  // of c's shape, or c itself: added last, without an activation
  std::string_view activation = "none";
  bool accumulate = false;             // c += a b
  std::optional<RowBound> rows = {};   // of a and c, both then of rank 2
  std::optional<RowBound> depth = {};  // of what is summed over: a's columns, b's rows; likewise
};
// c[...,M,N] = a[...,M,K] b[...,K,N] on float; leading axes are those of c or 1, of any stride.
void emit_matmul(Emit& e, Tensor a, Tensor b, Tensor c, const MatmulOptions& options = {});
void emit_packing(Emit& e, const Tensor& b, Ref to);  // f32[K,N] for kernels::gemm
// In place.
void emit_activation(Emit& e, std::string_view activation, const Tensor& x,
                     const std::optional<RowBound>& rows = {});

// An integer scalar read when the graph runs.
int64_t integer_at(const Run& run, const Tensor& tensor, int64_t i = 0);
uint64_t bits_of(double value, ir::DType dtype);  // the element that stands for `value`

}  // namespace weft::onednn
