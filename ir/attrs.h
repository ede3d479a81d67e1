// ir/attrs.h -- the attributes of a node: a small sorted list of named values.
#pragma once
#include "ir/dim.h"
#include "ir/dtype.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace weft::ir {

using Integers = std::vector<int64_t>;
using Reals = std::vector<double>;
using Texts = std::vector<std::string>;

// The kind an op's declaration gives an attribute. `axis` and `axes` are integers that are stored
// counted from the end (relative to the first operand), so that they survive a new leading axis.
enum class AttrKind {
  integer,
  real,
  boolean,
  text,
  dtype,
  dim,
  shape,
  integers,
  reals,
  texts,
  axis,
  axes
};

using Attr =
    std::variant<int64_t, double, bool, std::string, DType, Dim, Shape, Integers, Reals, Texts>;

std::string str(const Attr& attr);  // as printed in the text form

class Attrs {
 public:
  Attrs() = default;
  Attrs(std::initializer_list<std::pair<std::string_view, Attr>> list) {
    for (const auto& [name, value] : list) set(name, value);
  }

  const Attr* find(std::string_view name) const {
    const auto it = lower_bound(name);
    return it != list_.end() && it->first == name ? &it->second : nullptr;
  }
  void set(std::string_view name, Attr value) {
    const auto it = lower_bound(name);
    if (it != list_.end() && it->first == name)
      list_[static_cast<size_t>(it - list_.begin())].second = std::move(value);
    else
      list_.insert(it, {std::string(name), std::move(value)});
  }
  void erase(std::string_view name) {
    const auto it = lower_bound(name);
    if (it != list_.end() && it->first == name) list_.erase(it);
  }
  auto begin() const { return list_.begin(); }
  auto end() const { return list_.end(); }
  bool empty() const { return list_.empty(); }
  bool operator==(const Attrs&) const = default;

 private:
  using List = std::vector<std::pair<std::string, Attr>>;
  List::const_iterator lower_bound(std::string_view name) const {
    return std::lower_bound(list_.begin(), list_.end(), name,
                            [](const auto& entry, std::string_view n) { return entry.first < n; });
  }
  List list_;
};

}  // namespace weft::ir
