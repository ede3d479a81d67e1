// ir/ops/attention_parts.cpp -- parts of attention by name, and as the operands of an op.
#include "ir/ops/attention_parts.h"

#include "ir/rewrite/builder.h"

#include <algorithm>

namespace weft::ir::ops {

AttentionParts::AttentionParts(const OpView& op, const Values& operands) : attrs(op.node().attrs) {
  for (const OperandDef& o : op.def().operands)
    if (op.has(o.name))
      values_.emplace_back(o.name, operands[static_cast<size_t>(op.position(o.name))]);
}

Value& AttentionParts::operator[](std::string_view name) {
  for (auto& [known, value] : values_)
    if (known == name) return value;
  return values_.emplace_back(name, Value{}).second;
}

bool AttentionParts::has(std::string_view name) const {
  return std::any_of(values_.begin(), values_.end(), [&](const auto& entry) {
    return entry.first == name && entry.second.valid();
  });
}

OperandGroups AttentionParts::groups(const OpDef& def) const {
  OperandGroups groups;
  for (const OperandDef& o : def.operands) {
    Values& group = groups.emplace_back();
    for (const auto& [name, value] : values_)
      if (name == o.name && value.valid()) group.push_back(value);
  }
  return groups;
}

Values AttentionParts::emit(Builder& b, const OpDef& def) const {
  Attrs own;
  for (const auto& [name, value] : attrs)
    if (def.attr(name) != nullptr) own.set(name, value);
  return b.emit_all(def, groups(def), own);
}

bool is_packed(const OpView& op) { return op.def().operand_index("q_lengths") >= 0; }
bool is_single_query(const OpView& op) {
  return !is_packed(op) && op.operand("q").rank() + 1 == op.operand("k").rank();
}

}  // namespace weft::ir::ops
