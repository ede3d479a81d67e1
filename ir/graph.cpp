// ir/graph.cpp -- appending nodes, with inference; attribute defaults and canonical axes.
#include "ir/graph.h"

#include "ir/check.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

namespace weft::ir {
namespace {

bool kind_accepts(AttrKind kind, const Attr& value) {
  switch (kind) {
    case AttrKind::integer:
    case AttrKind::axis:
      return std::holds_alternative<int64_t>(value);
    case AttrKind::real:
      return std::holds_alternative<double>(value);
    case AttrKind::boolean:
      return std::holds_alternative<bool>(value);
    case AttrKind::text:
      return std::holds_alternative<std::string>(value);
    case AttrKind::dtype:
      return std::holds_alternative<DType>(value);
    case AttrKind::dim:
      return std::holds_alternative<Dim>(value);
    case AttrKind::shape:
      return std::holds_alternative<Shape>(value);
    case AttrKind::integers:
    case AttrKind::axes:
      return std::holds_alternative<Integers>(value);
    case AttrKind::reals:  // integers where a double would not hold them
      return std::holds_alternative<Reals>(value) || std::holds_alternative<Integers>(value);
    case AttrKind::texts:
      return std::holds_alternative<Texts>(value);
  }
  return false;
}

// Lets a caller give 3 where a real, 7 where a dim, [2,3] where a shape is declared.
Attr coerced(AttrKind kind, const Attr& value) {
  if (kind == AttrKind::real && std::holds_alternative<int64_t>(value))
    return static_cast<double>(std::get<int64_t>(value));
  if (kind == AttrKind::dim && std::holds_alternative<int64_t>(value))
    return Dim(std::get<int64_t>(value));
  if (kind == AttrKind::shape && std::holds_alternative<Integers>(value)) {
    Shape s;
    for (const int64_t d : std::get<Integers>(value)) s.emplace_back(d);
    return s;
  }
  if (kind == AttrKind::reals && std::holds_alternative<Integers>(value)) {
    const Integers& exact = std::get<Integers>(value);
    if (std::all_of(exact.begin(), exact.end(), is_double))
      return Reals(exact.begin(), exact.end());
  }
  return value;
}

std::string_view kind_name(AttrKind kind) {
  static constexpr std::string_view names[] = {
      "an integer", "a number",      "true or false",      "a string",          "a dtype",
      "a size",     "a shape",       "a list of integers", "a list of numbers", "a list of strings",
      "an axis",    "a list of axes"};
  return names[static_cast<int>(kind)];
}

int64_t from_end(int64_t axis, int rank) { return axis >= 0 && axis < rank ? axis - rank : axis; }

void canonicalize(const Graph& graph, Node& node) {
  const OpView view(graph, node);
  Attrs canonical;
  for (const auto& [name, given] : node.attrs) {
    const AttrDef* def = node.op->attr(name);
    if (def == nullptr) view.fail("attributes.1", "has no attribute '", name, "'");
    Attr value = coerced(def->kind, given);
    if (!kind_accepts(def->kind, value))
      view.fail("attributes.2", "attribute '", name, "' must be ", kind_name(def->kind));
    const int rank = node.operands.empty() ? 0 : graph.type(node.operands[0]).rank();
    if (def->kind == AttrKind::axis) value = from_end(std::get<int64_t>(value), rank);
    if (def->kind == AttrKind::axes)
      for (int64_t& a : std::get<Integers>(value)) a = from_end(a, rank);
    if (def->kind == AttrKind::axes) {
      auto& list = std::get<Integers>(value);
      std::sort(list.begin(), list.end());
    }
    if (def->required() || value != def->value()) canonical.set(name, std::move(value));
  }
  for (const AttrDef& def : node.op->attrs)
    if (def.required() && node.attrs.find(def.name) == nullptr)
      view.fail("attributes.3", "needs the attribute '", def.name, "'");
  node.attrs = std::move(canonical);
}

void check_groups(const Graph& graph, const Node& node, const OperandGroups& groups) {
  const OpView view(graph, node);
  const auto& defs = node.op->operands;
  if (groups.size() > defs.size())
    view.fail("operands.1", "takes ", defs.size(), " groups of operands, found ", groups.size());
  for (size_t i = 0; i < defs.size(); ++i) {
    const size_t n = i < groups.size() ? groups[i].size() : 0;
    if (defs[i].arity == Arity::one && n != 1)
      view.fail("operands.2", "needs one operand '", defs[i].name, "', found ", n);
    if (defs[i].arity == Arity::optional && n > 1)
      view.fail("operands.3", "takes at most one operand '", defs[i].name, "', found ", n);
  }
}

}  // namespace

Attr AttrDef::value() const {
  if (given == Default::empty) {
    switch (kind) {
      case AttrKind::integer:
      case AttrKind::axis:
        return int64_t{0};
      case AttrKind::real:
        return 0.0;
      case AttrKind::boolean:
        return false;
      case AttrKind::text:
        return std::string();
      case AttrKind::dtype:
        return DType::f32;
      case AttrKind::dim:
        return Dim();
      case AttrKind::shape:
        return Shape();
      case AttrKind::integers:
      case AttrKind::axes:
        return Integers();
      case AttrKind::reals:
        return Reals();
      case AttrKind::texts:
        return Texts();
    }
  }
  switch (given) {
    case Default::real:
      return real;
    case Default::boolean:
      return integer != 0;
    case Default::text:
      return std::string(text);
    default:
      return kind == AttrKind::dim ? Attr(Dim(integer)) : Attr(integer);
  }
}

Provenance::Provenance() = default;
Provenance::Provenance(std::string scope, SourceLoc loc, Origins origins, Part part)
    : scope(std::move(scope)), loc(std::move(loc)), origins(std::move(origins)), part(part) {}
Provenance::Provenance(const Provenance& other) = default;
Provenance::Provenance(Provenance&& other) noexcept = default;
Provenance& Provenance::operator=(const Provenance& other) = default;
Provenance& Provenance::operator=(Provenance&& other) noexcept = default;
Provenance::~Provenance() = default;

Node::Node() = default;
Node::Node(const Node& other) = default;
Node::Node(Node&& other) noexcept = default;
Node& Node::operator=(const Node& other) = default;
Node& Node::operator=(Node&& other) noexcept = default;
Node::~Node() = default;

Graph::Graph() = default;
Graph::Graph(const Graph& other) = default;
Graph::Graph(Graph&& other) noexcept = default;
Graph& Graph::operator=(const Graph& other) = default;
Graph& Graph::operator=(Graph&& other) noexcept = default;
Graph::~Graph() = default;

Origins united(const Origins& a, const Origins& b) {
  if (a.empty()) return b;
  if (b.empty() || a == b) return a;
  Origins all;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(all),
                 [](const auto& x, const auto& y) {
                   return std::tie(x->number, x->scope, x->op, x->loc.line) <
                          std::tie(y->number, y->scope, y->op, y->loc.line);
                 });
  return all;
}

void Graph::set_outputs(std::vector<Output> outputs) { outputs_ = std::move(outputs); }

void Graph::set_node_provenance(int node, Provenance from) {
  nodes_[static_cast<size_t>(node)].from = std::move(from);
}

Value Graph::add_argument(const TensorType& type, std::string name, ArgumentKind kind,
                          std::string path, std::string initializer, bool trainable) {
  const Value v{static_cast<int>(values_.size())};
  values_.push_back({type, -1, static_cast<int>(arguments_.size()), std::move(name)});
  arguments_.push_back({v, kind, std::move(path), std::move(initializer), trainable, false});
  return v;
}

Values Graph::add(const OpDef& op, const OperandGroups& groups, Attrs attrs, Provenance from,
                  std::vector<Graph> regions) {
  Node node;
  node.op = &op;
  node.attrs = std::move(attrs);
  node.regions = std::move(regions);
  node.from = std::move(from);
  for (const Values& group : groups) {
    node.group_sizes.push_back(static_cast<int>(group.size()));
    for (const Value v : group) {
      WEFT_CHECK(v.id >= 0 && v.id < value_count());
      node.operands.push_back(v);
    }
  }
  node.group_sizes.resize(op.operands.size());
  check_groups(*this, node, groups);
  canonicalize(*this, node);
  const Types types = op.infer(OpView(*this, node));
  if (node.from.origins.empty())
    node.from.origins = {std::make_shared<Origin>(Origin{
        static_cast<int>(nodes_.size()), std::string(op.name), node.from.scope, node.from.loc})};
  const int index = static_cast<int>(nodes_.size());
  for (size_t i = 0; i < types.size(); ++i) {
    node.results.push_back({static_cast<int>(values_.size())});
    values_.push_back({types[i], index, static_cast<int>(i), {}});
  }
  Values results = node.results;
  nodes_.push_back(std::move(node));
  return results;
}

Values Graph::add_copy(const Graph& other, const Node& node, Values operands) {
  Node copy = node;
  copy.operands = std::move(operands);
  copy.results.clear();
  const int index = static_cast<int>(nodes_.size());
  for (size_t i = 0; i < node.results.size(); ++i) {
    const ValueInfo& old = other.info(node.results[i]);
    copy.results.push_back({static_cast<int>(values_.size())});
    values_.push_back({old.type, index, static_cast<int>(i), old.name});
  }
  Values results = copy.results;
  nodes_.push_back(std::move(copy));
  return results;
}

void Graph::add_output(std::string name, Value value) {
  outputs_.push_back({std::move(name), value});
}

void Graph::set_name(Value value, std::string name) {
  values_[static_cast<size_t>(value.id)].name = std::move(name);
}

int Graph::find_argument(std::string_view path_or_name) const {
  for (size_t i = 0; i < arguments_.size(); ++i)
    if (arguments_[i].path == path_or_name && !path_or_name.empty()) return static_cast<int>(i);
  for (size_t i = 0; i < arguments_.size(); ++i)
    if (display_name(arguments_[i].value).substr(1) == path_or_name) return static_cast<int>(i);
  return -1;
}

int Graph::find_output(std::string_view output) const {
  for (size_t i = 0; i < outputs_.size(); ++i)
    if (outputs_[i].name == output) return static_cast<int>(i);
  return -1;
}

std::string Graph::display_name(Value v) const {
  const std::string& n = info(v).name;
  return "%" + (n.empty() ? std::to_string(v.id) : n);
}

std::vector<std::string> Graph::symbols() const {
  std::set<std::string> found;
  for (const Argument& a : arguments_)
    for (const Dim& d : type(a.value).shape)
      for (const std::string& s : d.symbols()) found.insert(s);
  return {found.begin(), found.end()};
}

int Graph::node_count() const {
  int n = 0;
  for (const Node& node : nodes_) {
    ++n;
    for (const Graph& region : node.regions) n += region.node_count();
  }
  return n;
}

std::vector<std::vector<int>> uses(const Graph& graph) {
  std::vector<std::vector<int>> readers(static_cast<size_t>(graph.value_count()));
  for (size_t n = 0; n < graph.nodes().size(); ++n)
    for (const Value v : graph.nodes()[n].operands)
      readers[static_cast<size_t>(v.id)].push_back(static_cast<int>(n));
  for (const Output& o : graph.outputs()) readers[static_cast<size_t>(o.value.id)].push_back(-1);
  return readers;
}

}  // namespace weft::ir
