// ir/op_def.h -- what an op is: one constant that says everything true of it everywhere.
//
// What other folders do with an op (evaluate, differentiate, lower) is in tables of theirs, keyed
// by the address of its OpDef; identity is that address, nobody compares names.
#pragma once
#include "ir/attrs.h"
#include "ir/error.h"
#include "ir/type.h"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::ir {

class Graph;
struct Node;
struct Value;
class OpView;

// A fixed-capacity list usable in constant expressions (std::initializer_list members are not).
template <typename T, size_t N>
struct List {
  std::array<T, N> items{};
  size_t count = 0;
  constexpr List() = default;
  constexpr List(std::initializer_list<T> list) {
    for (const T& item : list) items[count++] = item;
  }
  constexpr const T* begin() const { return items.data(); }
  constexpr const T* end() const { return items.data() + count; }
  constexpr size_t size() const { return count; }
  constexpr const T& operator[](size_t i) const { return items[i]; }
};

enum class Arity : uint8_t { one, optional, variadic };

struct OperandDef {
  std::string_view name;
  Arity arity = Arity::one;
  constexpr OperandDef() = default;
  constexpr OperandDef(const char* name, Arity arity = Arity::one) : name(name), arity(arity) {}
};

// The default of an attribute as a literal; `required` has none, `empty` is 0, "", false or [].
struct AttrDef {
  enum class Default : uint8_t { required, empty, integer, real, boolean, text };
  std::string_view name;
  AttrKind kind = AttrKind::integer;
  Default given = Default::required;
  int64_t integer = 0;
  double real = 0;
  std::string_view text;

  constexpr AttrDef() = default;
  constexpr AttrDef(const char* name, AttrKind kind, Default given = Default::required)
      : name(name), kind(kind), given(given) {}
  constexpr AttrDef(const char* name, AttrKind kind, int64_t value)
      : name(name), kind(kind), given(Default::integer), integer(value) {}
  constexpr AttrDef(const char* name, int64_t value)
      : name(name), kind(AttrKind::integer), given(Default::integer), integer(value) {}
  constexpr AttrDef(const char* name, double value)
      : name(name), kind(AttrKind::real), given(Default::real), real(value) {}
  constexpr AttrDef(const char* name, bool value)
      : name(name), kind(AttrKind::boolean), given(Default::boolean), integer(value) {}
  constexpr AttrDef(const char* name, const char* value)
      : name(name), kind(AttrKind::text), given(Default::text), text(value) {}

  bool required() const { return given == Default::required; }
  Attr value() const;  // the default
};

inline constexpr AttrDef::Default kEmpty = AttrDef::Default::empty;

struct OpDef {
  std::string_view name;
  List<OperandDef, 16> operands;
  List<AttrDef, 12> attrs = {};
  Types (*infer)(const OpView&) = nullptr;

  // Traits.
  bool elementwise = false;      // result[i] depends on operand[i] only, after broadcasting
  bool commutative = false;      // of the first two operands
  bool zero_preserving = false;  // zeros in all of its float operands give zeros
  bool idempotent = false;       // f(f(x)) = f(x)
  int regions = 0;
  // Types of the region's arguments, from operands and attributes.
  Types (*region_arguments)(const OpView&, int region) = nullptr;
  // Fused ops: the unfused graph with the same operands and results; what the op means.
  Graph (*expand)(const OpView&) = nullptr;

  std::string_view doc;

  const AttrDef* attr(std::string_view attr_name) const {
    for (const AttrDef& a : attrs)
      if (a.name == attr_name) return &a;
    return nullptr;
  }
  int operand_index(std::string_view operand_name) const {
    for (size_t i = 0; i < operands.size(); ++i)
      if (operands[i].name == operand_name) return static_cast<int>(i);
    return -1;
  }
};

// A node as its op sees it: operands by name, attributes with defaults filled in, errors.
class OpView {
 public:
  OpView(const Graph& graph, const Node& node) : graph_(&graph), node_(&node) {}

  const OpDef& def() const;
  const Node& node() const { return *node_; }
  const Graph& graph() const { return *graph_; }

  int operand_count() const;
  const TensorType& operand(int i) const;                  // i-th of all operands
  const TensorType& operand(std::string_view name) const;  // a `one`, or a present `optional`
  bool has(std::string_view name) const;                   // is an optional operand there
  int position(std::string_view name) const;               // index of its first operand among all
  int count(std::string_view name) const;                  // how many operands the group has
  std::vector<TensorType> group(std::string_view name) const;
  const TensorType& result(int i = 0) const;  // not during inference

  int64_t integer(std::string_view name) const;
  double real(std::string_view name) const;
  bool flag(std::string_view name) const;
  const std::string& text(std::string_view name) const;
  DType dtype(std::string_view name) const;
  const Dim& dim(std::string_view name) const;
  const Shape& shape(std::string_view name) const;
  const Integers& integers(std::string_view name) const;
  // None of integers of which a double does not hold some: those are `exact_integers`, else none.
  const Reals& reals(std::string_view name) const;
  const Integers& exact_integers(std::string_view name) const;
  const Texts& texts(std::string_view name) const;
  bool is_set(std::string_view name) const;  // given, and not equal to an empty default

  // An axis attribute counted from the front; may be out of range (infer checks).
  int64_t axis(std::string_view name = "axis", int rank_of_operand = 0) const;
  std::vector<int64_t> axes(std::string_view name = "axes", int rank_of_operand = 0) const;
  const Graph& region(int i = 0) const;

  // Throws GraphError: the user's line, op, message, then operands and attributes.
  template <typename... Parts>
  [[noreturn]] void fail(std::string_view label, const Parts&... parts) const {
    raise(label, concat(parts...));
  }

 private:
  [[noreturn]] void raise(std::string_view label, const std::string& message) const;
  const Attr& attr(std::string_view name) const;

  const Graph* graph_;
  const Node* node_;
};

}  // namespace weft::ir
