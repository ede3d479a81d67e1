// ir/host/named_arrays.cpp -- arrays by name.
#include "ir/host/named_arrays.h"

#include "ir/error.h"

namespace weft::ir {

void NamedArrays::add(std::string name, Array array) {
  if (!index_.emplace(name, entries_.size()).second)
    throw GraphError(concat("two arrays are named '", name, "'"));
  entries_.push_back({std::move(name), std::move(array)});
}

const Array* NamedArrays::find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? nullptr : &entries_[found->second].array;
}

const Array& NamedArrays::at(std::string_view name) const {
  if (const Array* array = find(name)) return *array;
  constexpr size_t kShown = 20;
  std::string names;
  for (size_t i = 0; i < entries_.size() && i < kShown; ++i)
    names += (i ? ", " : "") + entries_[i].name;
  if (entries_.size() > kShown) names += ", ...";
  throw GraphError(
      concat("there is no array named '", name, "' among the ", entries_.size(), " here: ", names));
}

}  // namespace weft::ir
