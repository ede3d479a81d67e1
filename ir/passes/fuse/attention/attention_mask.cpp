// ir/passes/fuse/attention/attention_mask.cpp -- what hides keys from queries, taken apart.
#include "ir/passes/fuse/attention/attention_mask.h"

#include "ir/passes/fuse/attention/attention_product.h"

#include <cmath>

namespace weft::ir {
namespace {

// The axes of size 1 (from the end, the last first) by which `to` has more than `from`.
std::optional<std::vector<size_t>> ones_put_in(const Shape& from, const Shape& to) {
  std::vector<size_t> axes;
  size_t met = 0;
  for (size_t axis = 1; axis <= to.size(); ++axis)
    if (met < from.size() && at(to, axis) == at(from, met + 1))
      ++met;
    else if (at(to, axis).is(1))
      axes.push_back(axis);
    else
      return std::nullopt;
  if (met < from.size()) return std::nullopt;
  return axes;
}

// What broadcasts to the shape without the axes, so that it broadcasts to that with them.
Shape with_ones(Shape shape, const std::vector<size_t>& axes) {
  for (const size_t axis : axes)
    if (!shape.empty() && shape.size() + 1 >= axis)
      shape.insert(shape.end() - static_cast<int64_t>(axis - 1), Dim(1));
  return shape;
}

class Parts {
 public:
  Parts(const GraphUses& readers, std::vector<Mask>& masks) : r_(readers), masks_(masks) {}

  // m, read in the shape `as`.
  void add(Value m, bool negated, const Shape& as) {
    const Node* n = r_.producer(m);
    const auto made_by = [&](const OpDef& op) { return n != nullptr && n->op == &op; };
    if (made_by(ops::logical_not)) return add(n->operands[0], !negated, as);
    if (made_by(ops::broadcast) && as == r_.shape(m))
      return add(n->operands[0], negated, r_.shape(n->operands[0]));
    if (made_by(ops::reshape) && as == r_.shape(m) && is_joined(n->operands[0], negated) &&
        ones_put_in(r_.shape(n->operands[0]), as))
      return add(n->operands[0], negated, as);
    const auto axes = ones_put_in(r_.shape(m), as);
    if (!is_joined(m, negated) || !axes) return masks_.push_back({m, negated, as});
    for (const Value x : n->operands) add(x, negated, with_ones(r_.shape(x), *axes));
  }

 private:
  // Must both of two conditions hold? Of a negation, neither.
  bool is_joined(Value m, bool negated) const {
    return r_.producer(m, negated ? ops::logical_or : ops::logical_and) != nullptr;
  }

  const GraphUses& r_;
  std::vector<Mask>& masks_;
};

}  // namespace

void add_masks(const GraphUses& readers, Value m, bool negated, std::vector<Mask>& masks) {
  Parts(readers, masks).add(m, negated, readers.shape(m));
}

std::optional<Hidden> hidden(const GraphUses& readers, const Node& select) {
  const auto yes = readers.scalar(select.operands[1]), no = readers.scalar(select.operands[2]);
  if (yes && *yes == -HUGE_VAL) return Hidden{select.operands[0], select.operands[2], true};
  if (no && *no == -HUGE_VAL) return Hidden{select.operands[0], select.operands[1], false};
  return std::nullopt;
}

std::optional<Hidden> hidden_by_sum(const GraphUses& readers, Value bias) {
  const Node* n = readers.producer(bias, ops::select);
  if (n == nullptr || readers.shape(n->operands[0]) != readers.shape(bias)) return std::nullopt;
  const auto found = hidden(readers, *n);
  const auto rest = found ? readers.scalar(found->rest) : std::nullopt;
  return rest && *rest == 0 ? found : std::nullopt;
}

}  // namespace weft::ir
