// models/published/inventory.cpp -- looking tensors up and comparing them.
#include "models/published/inventory.h"

namespace weft::published {

Inventory::Inventory(const formats::Checkpoint& checkpoint) : checkpoint_(&checkpoint) {
  for (const formats::TensorInfo& t : checkpoint.entries()) by_name_.emplace(t.name, &t);
}

const formats::TensorInfo* Inventory::find(std::string_view name) const {
  const auto at = by_name_.find(name);
  return at == by_name_.end() ? nullptr : at->second;
}

bool Inventory::same(std::string_view a, std::string_view b) const {
  const formats::TensorInfo *x = find(a), *y = find(b);
  if (x == nullptr || y == nullptr || x->dtype != y->dtype || x->dims != y->dims) return false;
  return a == b || checkpoint_->view(a).same_bytes(checkpoint_->view(b));
}

}  // namespace weft::published
