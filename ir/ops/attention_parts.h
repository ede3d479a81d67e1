// ir/ops/attention_parts.h -- attention, its adjoint and their packed forms read by their parts.
//
// The four differ in a few operands and attributes. Who makes one of another takes the parts,
// changes those that differ and emits: an operand or attribute that all of them have (declared in
// attention.h) goes along unmentioned.
//
//   AttentionParts parts(op);                       // an attention
//   parts["do"] = d, parts["o"] = o, parts["lse"] = lse;
//   parts.attrs.set("wanted", Texts{"q", "k"});
//   parts.emit(b, ops::attention_grad);
#pragma once
#include "ir/graph.h"
#include "ir/op_def.h"

#include <string_view>
#include <utility>
#include <vector>

namespace weft::ir {
class Builder;
}

namespace weft::ir::ops {

struct AttentionParts {
  AttentionParts() = default;
  explicit AttentionParts(const OpView& op) : AttentionParts(op, op.node().operands) {}
  // On other values than the node's own.
  AttentionParts(const OpView& op, const Values& operands);

  Attrs attrs;  // as given

  Value& operator[](std::string_view name);  // not valid: absent
  bool has(std::string_view name) const;

  // Those of the parts that `def` has.
  OperandGroups groups(const OpDef& def) const;
  Values emit(Builder& b, const OpDef& def) const;

 private:
  std::vector<std::pair<std::string_view, Value>> values_;
};

// What is true of any of the four.
bool is_packed(const OpView& op);
bool is_single_query(const OpView& op);  // q has no axis of queries
inline bool is_additive(const OpView& op) {
  return op.def().attr("score") != nullptr && op.text("score") == "additive";
}
inline bool has_dropout(const OpView& op) { return op.real("keep") != 1.0; }

}  // namespace weft::ir::ops
