// autodiff/loop.h -- a scan being differentiated: which of its values are active, its body with the
// body's adjoint in one graph, and what of that is saved.
#pragma once
#include "autodiff/residuals.h"
#include "autodiff/rule.h"

#include <vector>

namespace weft::autodiff {

// A value of the joint graph that the forward loop hands to the reverse loop.
struct Saved {
  ir::Value value;
  int result = 0;         // of the augmented scan
  bool buffered = false;  // in a buffer [T+B+1,...] rather than stacked
  int64_t axis = 0;       // along which it is stacked
};

struct Loop {
  explicit Loop(const ir::OpView& op)
      : parts(op), batch(parts.has_lengths ? op.operand("lengths").dim(0) : ir::Dim()) {}

  ir::ops::ScanParts parts;
  ir::Dim batch;
  std::vector<bool> wanted, seeded;  // arguments and outputs of the body, active carries in both
  Joint joint;
  ir::Values cotangents;  // arguments of the joint graph, by seeded output
  std::vector<Residual> fate;
  std::vector<Saved> saved;
  std::vector<bool> rows;  // by value of the joint graph: is its leading axis the batch?

  bool has_rows(const ir::TensorType& type) const {
    return parts.has_lengths && ir::ops::is_row_carry(type, batch);
  }
  bool needs_buffer(const ir::TensorType& type) const {
    return parts.has_lengths && !ir::ops::is_row_carry(type, batch);
  }
  const ir::TensorType& type(ir::Value v) const { return joint.graph.type(v); }
  ir::Value argument(int i) const { return joint.graph.arguments()[static_cast<size_t>(i)].value; }
  Residual fate_of(ir::Value v) const { return fate[static_cast<size_t>(v.id)]; }
  // Positions of the body's arguments.
  int first_scanned() const { return parts.carries; }
  int first_invariant() const { return parts.carries + parts.scanned; }
  int live() const { return first_invariant() + parts.invariants; }
};

// The loop that a query is about, with all but `saved` filled in.
Loop analysed(const Query& query);

}  // namespace weft::autodiff
