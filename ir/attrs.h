// ir/attrs.h -- the attributes of a node: a small sorted list of named values.
#pragma once
#include "ir/dim.h"
#include "ir/dtype.h"

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

// Does a double hold this integer?
inline bool is_double(int64_t n) {
  const double d = static_cast<double>(n);
  return d < 0x1p63 && static_cast<int64_t>(d) == n;
}

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

// A value of one of these types. A variant whose copies and comparisons are compiled once, in
// attrs.cpp, and not in every file that names an attribute.
class Attr : public std::variant<int64_t, double, bool, std::string, DType, Dim, Shape, Integers,
                                 Reals, Texts> {
 public:
  Attr();
  Attr(int value);  // NOLINT: an attribute may be written as its value
  Attr(int64_t value);
  Attr(double value);
  Attr(bool value);
  Attr(const char* value);
  Attr(std::string value);
  Attr(DType value);
  Attr(Dim value);
  Attr(Shape value);
  Attr(Integers value);
  Attr(Reals value);
  Attr(Texts value);
  Attr(const Attr& other);
  Attr(Attr&& other) noexcept;
  Attr& operator=(const Attr& other);
  Attr& operator=(Attr&& other) noexcept;
  ~Attr();
  bool operator==(const Attr& other) const;
};

std::string str(const Attr& attr);  // as printed in the text form

class Attrs {
 public:
  Attrs();
  Attrs(std::initializer_list<std::pair<std::string_view, Attr>> list);
  Attrs(const Attrs& other);
  Attrs(Attrs&& other) noexcept;
  Attrs& operator=(const Attrs& other);
  Attrs& operator=(Attrs&& other) noexcept;
  ~Attrs();

  const Attr* find(std::string_view name) const;  // null: not there
  void set(std::string_view name, Attr value);
  void erase(std::string_view name);
  auto begin() const { return list_.begin(); }
  auto end() const { return list_.end(); }
  bool empty() const { return list_.empty(); }
  bool operator==(const Attrs& other) const;

 private:
  using List = std::vector<std::pair<std::string, Attr>>;
  List::const_iterator lower_bound(std::string_view name) const;
  List list_;
};

}  // namespace weft::ir
