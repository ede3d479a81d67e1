// ir/op_view.cpp -- a node as its op sees it, and the errors it raises.
#include "ir/check.h"
#include "ir/graph.h"

namespace weft::ir {

const OpDef& OpView::def() const { return *node_->op; }
int OpView::operand_count() const { return static_cast<int>(node_->operands.size()); }
const TensorType& OpView::operand(int i) const {
  return graph_->type(node_->operands[static_cast<size_t>(i)]);
}

int OpView::position(std::string_view name) const {
  const int group = def().operand_index(name);
  WEFT_CHECK(group >= 0);
  int at = 0;
  for (int i = 0; i < group; ++i) at += node_->group_sizes[static_cast<size_t>(i)];
  return at;
}

int OpView::count(std::string_view name) const {
  const int group = def().operand_index(name);
  WEFT_CHECK(group >= 0);
  return node_->group_sizes[static_cast<size_t>(group)];
}

bool OpView::has(std::string_view name) const { return count(name) > 0; }

const TensorType& OpView::operand(std::string_view name) const {
  WEFT_CHECK(has(name));
  return operand(position(name));
}

std::vector<TensorType> OpView::group(std::string_view name) const {
  std::vector<TensorType> types;
  const int start = position(name);
  for (int i = 0; i < count(name); ++i) types.push_back(operand(start + i));
  return types;
}

const TensorType& OpView::result(int i) const {
  return graph_->type(node_->results[static_cast<size_t>(i)]);
}

const Attr& OpView::attr(std::string_view name) const {
  if (const Attr* given = node_->attrs.find(name)) return *given;
  const AttrDef* def = node_->op->attr(name);
  WEFT_CHECK(def != nullptr && !def->required());
  // Defaults are few and small: one table, filled as they are asked for.
  thread_local std::vector<std::pair<const AttrDef*, std::unique_ptr<Attr>>> defaults;
  for (const auto& [d, value] : defaults)
    if (d == def) return *value;
  defaults.emplace_back(def, std::make_unique<Attr>(def->value()));
  return *defaults.back().second;
}

int64_t OpView::integer(std::string_view name) const { return std::get<int64_t>(attr(name)); }
double OpView::real(std::string_view name) const { return std::get<double>(attr(name)); }
bool OpView::flag(std::string_view name) const { return std::get<bool>(attr(name)); }
const std::string& OpView::text(std::string_view name) const {
  return std::get<std::string>(attr(name));
}
DType OpView::dtype(std::string_view name) const { return std::get<DType>(attr(name)); }
const Dim& OpView::dim(std::string_view name) const { return std::get<Dim>(attr(name)); }
const Shape& OpView::shape(std::string_view name) const { return std::get<Shape>(attr(name)); }
const Integers& OpView::integers(std::string_view name) const {
  return std::get<Integers>(attr(name));
}
const Reals& OpView::reals(std::string_view name) const {
  static const Reals none;
  const Reals* values = std::get_if<Reals>(&attr(name));
  return values == nullptr ? none : *values;
}
const Integers& OpView::exact_integers(std::string_view name) const {
  static const Integers none;
  const Integers* values = std::get_if<Integers>(&attr(name));
  return values == nullptr ? none : *values;
}
const Texts& OpView::texts(std::string_view name) const { return std::get<Texts>(attr(name)); }
bool OpView::is_set(std::string_view name) const { return node_->attrs.find(name) != nullptr; }

int64_t OpView::axis(std::string_view name, int rank_of_operand) const {
  const int64_t a = integer(name);
  return a < 0 ? a + operand(rank_of_operand).rank() : a;
}

std::vector<int64_t> OpView::axes(std::string_view name, int rank_of_operand) const {
  std::vector<int64_t> out;
  for (const int64_t a : integers(name))
    out.push_back(a < 0 ? a + operand(rank_of_operand).rank() : a);
  return out;
}

const Graph& OpView::region(int i) const { return node_->regions[static_cast<size_t>(i)]; }

void OpView::raise(std::string_view label, const std::string& message) const {
  std::string s = node_->from.loc.known() ? node_->from.loc.str() + ": " : "";
  s += concat("error: '", def().name, "' ", message, " [", label, "]");
  const auto made_at = [this](Value v) -> std::string {
    if (const Node* p = graph_->producer(v); p != nullptr && p->from.loc.known())
      return ", made at " + p->from.loc.str();
    return "";
  };
  size_t at = 0;
  for (size_t g = 0; g < def().operands.size() && g < node_->group_sizes.size(); ++g)
    for (int i = 0; i < node_->group_sizes[g]; ++i, ++at) {
      const Value v = node_->operands[at];
      s += concat("\n    ", def().operands[g].name, ": ", graph_->type(v).str(), "   = ",
                  graph_->display_name(v), made_at(v));
    }
  for (const auto& [name, value] : node_->attrs) s += concat("\n    ", name, " = ", ir::str(value));
  throw GraphError(s);
}

}  // namespace weft::ir
