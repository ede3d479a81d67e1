// ir/text/print.cpp -- graphs as text.
#include "ir/check.h"
#include "ir/rewrite/rewrite.h"
#include "ir/text/text.h"

#include <algorithm>
#include <set>
#include <sstream>

namespace weft::ir {
namespace {

std::string_view kind_name(ArgumentKind kind) {
  switch (kind) {
    case ArgumentKind::input:
      return "input";
    case ArgumentKind::parameter:
      return "parameter";
    case ArgumentKind::state:
      return "state";
  }
  return "";
}

bool is_scalar_constant(const Graph& g, Value v) {
  const Node* p = g.producer(v);
  return p != nullptr && p->op == &ops::constant && g.type(v).rank() == 0;
}

// May operand i of an elementwise node stand as a literal? The parser gives a literal the dtype of
// the node's first operand that is none, the condition of a select left out.
bool inlinable(const Graph& g, const Node& node, size_t i) {
  if (!node.op->elementwise || node.operands.size() < 2 || !is_scalar_constant(g, node.operands[i]))
    return false;
  const size_t first = node.op == &ops::select ? 1 : 0;
  if (i < first) return false;
  for (size_t j = first; j < node.operands.size(); ++j)
    if (!is_scalar_constant(g, node.operands[j]))
      return g.type(node.operands[j]).dtype == g.type(node.operands[i]).dtype;
  return false;
}

// Per node: is it a scalar constant that every reader prints as a literal?
std::vector<bool> inlined_constants(const Graph& g) {
  const auto readers = uses(g);
  std::vector<bool> hidden(g.nodes().size());
  for (size_t n = 0; n < g.nodes().size(); ++n) {
    const Node& node = g.nodes()[n];
    if (node.op != &ops::constant || !is_scalar_constant(g, node.results[0])) continue;
    const auto& list = readers[static_cast<size_t>(node.results[0].id)];
    hidden[n] = !list.empty() && std::all_of(list.begin(), list.end(), [&](int reader) {
      if (reader < 0) return false;
      const Node& user = g.nodes()[static_cast<size_t>(reader)];
      for (size_t i = 0; i < user.operands.size(); ++i)
        if (user.operands[i] == node.results[0] && !inlinable(g, user, i)) return false;
      return true;
    });
  }
  return hidden;
}

class Printer {
 public:
  Printer(const PrintOptions& options) : options_(options) {}

  std::string graph(const Graph& g) {
    name_values(g);
    out_ << "graph @" << g.name << "(";
    for (size_t i = 0; i < g.arguments().size(); ++i) {
      const Argument& a = g.arguments()[i];
      out_ << (i ? ", " : "") << kind_name(a.kind) << " " << names_[static_cast<size_t>(a.value.id)]
           << ": " << g.type(a.value).str() << argument_attributes(a);
    }
    out_ << ") -> (";
    for (size_t i = 0; i < g.outputs().size(); ++i)
      out_ << (i ? ", " : "") << g.outputs()[i].name << ": " << g.type(g.outputs()[i].value).str();
    out_ << ") {\n";
    body(g, 1, "return", -1);
    out_ << "}\n";
    return out_.str();
  }

 private:
  static std::string argument_attributes(const Argument& a) {
    std::string s;
    const auto put = [&s](const std::string& text) { s += (s.empty() ? " {" : ", ") + text; };
    if (!a.path.empty()) put("path=" + str(Attr(a.path)));
    if (!a.initializer.empty()) put("init=" + str(Attr(a.initializer)));
    if (!a.trainable) put("trainable=false");
    if (a.donated) put("donated=true");
    return s.empty() ? s : s + "}";
  }

  // Given names where they are unique, numbers elsewhere; of names that are numbers only those of
  // arguments stay.
  void name_values(const Graph& g) {
    names_.assign(static_cast<size_t>(g.value_count()), {});
    std::set<std::string> taken;
    int next = 0;
    const auto is_number = [](const std::string& n) {
      return std::all_of(n.begin(), n.end(), [](unsigned char c) { return std::isdigit(c); });
    };
    const auto keep = [&](Value v) {
      const std::string& n = g.info(v).name;
      if (n.empty() || !taken.insert(n).second) return false;
      names_[static_cast<size_t>(v.id)] = "%" + n;
      return true;
    };
    const auto assign = [&](Value v) {
      if (!is_number(g.info(v).name) && keep(v)) return;
      while (!taken.insert(std::to_string(next)).second) ++next;
      names_[static_cast<size_t>(v.id)] = "%" + std::to_string(next);
    };
    for (const Argument& a : g.arguments()) keep(a.value);
    for (const Argument& a : g.arguments())
      if (names_[static_cast<size_t>(a.value.id)].empty()) assign(a.value);
    const std::vector<bool> hidden = inlined_constants(g);
    for (size_t n = 0; n < g.nodes().size(); ++n)
      if (!hidden[n])
        for (const Value v : g.nodes()[n].results) assign(v);
  }

  void body(const Graph& g, int depth, std::string_view last, int carries) {
    const std::string indent(static_cast<size_t>(depth) * 2, ' ');
    const std::vector<bool> hidden = inlined_constants(g);
    for (size_t n = 0; n < g.nodes().size(); ++n)
      if (!hidden[n]) this->node(g, g.nodes()[n], depth);
    out_ << indent << last;
    for (size_t i = 0; i < g.outputs().size(); ++i) {
      out_ << (i == 0                           ? " "
               : static_cast<int>(i) == carries ? "; "
                                                : ", ")
           << (i == 0 && carries == 0 ? "; " : "")
           << names_[static_cast<size_t>(g.outputs()[i].value.id)];
    }
    out_ << "\n";
  }

  static std::string literal(const OpView& scalar) {
    const Integers& exact = scalar.exact_integers("values");
    return exact.empty() ? str(Attr(scalar.reals("values").front())) : str(Attr(exact.front()));
  }

  void operands(const Graph& g, const Node& node) {
    out_ << "(";
    size_t at = 0, groups = node.group_sizes.size();
    const auto& defs = node.op->operands;
    // Trailing empty groups are left out.
    while (groups > 0 && node.group_sizes[groups - 1] == 0) --groups;
    for (size_t i = 0; i < groups; ++i) {
      const bool own_group =
          defs[i].arity != Arity::one || (i > 0 && defs[i - 1].arity != Arity::one);
      if (i > 0) out_ << (own_group ? "; " : ", ");
      for (int j = 0; j < node.group_sizes[i]; ++j, ++at) {
        if (j > 0) out_ << ", ";
        const Value v = node.operands[at];
        if (inlinable(g, node, at))
          out_ << literal(OpView(g, *g.producer(v)));
        else
          out_ << names_[static_cast<size_t>(v.id)];
      }
    }
    out_ << ")";
  }

  void node(const Graph& g, const Node& node, int depth) {
    const std::string indent(static_cast<size_t>(depth) * 2, ' ');
    out_ << indent;
    for (size_t i = 0; i < node.results.size(); ++i)
      out_ << (i ? ", " : "") << names_[static_cast<size_t>(node.results[i].id)];
    out_ << (node.results.empty() ? "" : " = ") << node.op->name;
    operands(g, node);
    bool first = true;
    for (const auto& [name, value] : node.attrs) {
      out_ << (first ? " {" : ", ") << name << "=" << str(value);
      first = false;
    }
    if (!first) out_ << "}";
    if (options_.types) {
      for (size_t i = 0; i < node.results.size(); ++i)
        out_ << (i ? ", " : " : ") << g.type(node.results[i]).str();
    }
    comment(node);
    out_ << "\n";
    for (size_t r = 0; r < node.regions.size(); ++r) region(node, static_cast<int>(r), depth);
  }

  void comment(const Node& node) {
    std::string s = options_.scopes ? node.from.scope : std::string();
    if (options_.scopes && node.from.part != Part::forward)
      s += std::string(s.empty() ? "" : " ") +
           (node.from.part == Part::backward ? "[backward]" : "[optimizer]");
    if (options_.locations && node.from.loc.known())
      s += (s.empty() ? "@ " : " @ ") + node.from.loc.str();
    if (!s.empty()) out_ << "  // " << s;
  }

  void region(const Node& node, int index, int depth) {
    const Graph& inner = node.regions[static_cast<size_t>(index)];
    std::vector<std::string> outer = std::move(names_);
    name_values(inner);
    const std::string indent(static_cast<size_t>(depth) * 2, ' ');
    out_ << indent << "(";
    for (size_t i = 0; i < inner.arguments().size(); ++i) {
      const Value v = inner.arguments()[i].value;
      out_ << (i ? ", " : "") << names_[static_cast<size_t>(v.id)];
      if (options_.types) out_ << ": " << inner.type(v).str();
    }
    out_ << ") {\n";
    body(inner, depth + 1, "yield", node.op == &ops::scan ? node.group_sizes[0] : -1);
    out_ << indent << "}\n";
    names_ = std::move(outer);
  }

  PrintOptions options_;
  std::ostringstream out_;
  std::vector<std::string> names_;
};

// Node indexes in an order that depends on structure alone: depth first from the outputs.
std::vector<int> structural_order(const Graph& g) {
  std::vector<int> order;
  std::vector<char> state(g.nodes().size());  // 0 new, 1 open, 2 done
  std::vector<int> stack;
  const auto push = [&](Value v) {
    const int n = g.info(v).node;
    if (n >= 0 && state[static_cast<size_t>(n)] == 0) stack.push_back(n);
  };
  for (const Output& o : g.outputs()) {
    push(o.value);
    while (!stack.empty()) {
      const int n = stack.back();
      if (state[static_cast<size_t>(n)] == 0) {
        state[static_cast<size_t>(n)] = 1;
        const Values& operands = g.nodes()[static_cast<size_t>(n)].operands;
        for (auto it = operands.rbegin(); it != operands.rend(); ++it) push(*it);
        continue;
      }
      stack.pop_back();
      if (state[static_cast<size_t>(n)] == 1) order.push_back(n);
      state[static_cast<size_t>(n)] = 2;
    }
  }
  return order;
}

int uses_of_outputs(const Graph& g, Value v) {
  return static_cast<int>(std::count_if(g.outputs().begin(), g.outputs().end(),
                                        [v](const Output& o) { return o.value == v; }));
}

Graph canonical_graph(const Graph& g) {
  Graph to;
  Values map(static_cast<size_t>(g.value_count()));
  for (const Argument& a : g.arguments())
    map[static_cast<size_t>(a.value.id)] =
        to.add_argument(g.type(a.value), "a" + std::to_string(to.arguments().size()), a.kind);
  for (const int n : structural_order(g)) {
    Node node = g.nodes()[static_cast<size_t>(n)];
    if (is_scalar_constant(g, node.results[0]) && uses_of_outputs(g, node.results[0]) == 0)
      continue;
    for (Graph& region : node.regions) region = canonical_graph(region);
    Values operands;
    for (const Value v : node.operands) {
      // Whether a scalar is shared is no structure: as a literal it is written at each of its
      // readers.
      operands.push_back(is_scalar_constant(g, v) ? to.add_copy(g, *g.producer(v), {})[0]
                                                  : map[static_cast<size_t>(v.id)]);
      if (is_scalar_constant(g, v)) to.set_name(operands.back(), {});
    }
    const Values results = to.add_copy(g, node, operands);
    for (size_t i = 0; i < results.size(); ++i) {
      to.set_name(results[i], {});
      map[static_cast<size_t>(node.results[i].id)] = results[i];
    }
  }
  for (const Output& o : g.outputs())
    to.add_output("r" + std::to_string(to.outputs().size()), map[static_cast<size_t>(o.value.id)]);
  return to;
}

}  // namespace

std::string print(const Graph& graph, const PrintOptions& options) {
  return Printer(options).graph(graph);
}

std::string canonical_text(const Graph& graph) {
  return print(canonical_graph(graph), {.types = true, .scopes = false, .locations = false});
}

}  // namespace weft::ir
