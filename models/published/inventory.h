// models/published/inventory.h -- which tensors a checkpoint holds, and which of them are the same.
#pragma once
#include "frontend/formats/checkpoint.h"

#include <map>
#include <string>
#include <string_view>

namespace weft::published {

class Inventory {
 public:
  // `checkpoint` must outlive it.
  explicit Inventory(const formats::Checkpoint& checkpoint);

  bool has(std::string_view name) const { return find(name) != nullptr; }
  const formats::TensorInfo* find(std::string_view name) const;
  // Are they both there, with the same bytes?
  bool same(std::string_view a, std::string_view b) const;
  const formats::Checkpoint& checkpoint() const { return *checkpoint_; }

 private:
  const formats::Checkpoint* checkpoint_;
  std::map<std::string, const formats::TensorInfo*, std::less<>> by_name_;
};

}  // namespace weft::published
