// ir/host/named_arrays.h -- arrays by name, in the order in which they were added.
#pragma once
#include "ir/host/array.h"

#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft::ir {

struct NamedArray {
  std::string name;
  Array array;
};

class NamedArrays {
 public:
  NamedArrays() = default;
  NamedArrays(std::initializer_list<NamedArray> entries) {
    for (const NamedArray& entry : entries) add(entry.name, entry.array);
  }

  // Throws GraphError when the name is there already.
  void add(std::string name, Array array);

  // Null when the name is not there; `at` throws GraphError instead, naming what is there.
  const Array* find(std::string_view name) const;
  const Array& at(std::string_view name) const;
  bool contains(std::string_view name) const { return find(name) != nullptr; }

  size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  std::vector<NamedArray> entries_;
  std::unordered_map<std::string, size_t> index_;
};

}  // namespace weft::ir
