// frontend/inspect/drawing/drawing.cpp -- from a graph to boxes and links.
#include "frontend/inspect/drawing/drawing.h"

#include "frontend/inspect/drawing/collapse.h"
#include "ir/op_def.h"
#include "ir/ops/all.h"

#include <algorithm>
#include <map>
#include <set>

namespace weft::inspect {
namespace {

using ir::Graph;
using ir::Node;
using ir::Value;

constexpr size_t kManyReaders = 5;   // a value read by more boxes is referred to by name
constexpr size_t kManyOperands = 8;  // of one group
constexpr size_t kLongText = 44;

std::string shortened(const std::string& text, size_t limit = kLongText) {
  if (text.size() <= limit) return text;
  size_t end = limit - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

// Names as `print` gives them: those given where they are unique, numbers elsewhere.
std::vector<std::string> printed_names(const Graph& g) {
  std::vector<std::string> names(static_cast<size_t>(g.value_count()));
  std::set<std::string> taken;
  int next = 0;
  const auto assign = [&](Value v) {
    std::string n = g.info(v).name;
    const bool digits =
        std::all_of(n.begin(), n.end(), [](unsigned char c) { return std::isdigit(c); });
    if (digits || taken.contains(n)) n = std::to_string(next++);
    taken.insert(n);
    names[static_cast<size_t>(v.id)] = "%" + n;
  };
  for (const ir::Argument& a : g.arguments()) assign(a.value);
  for (const Node& node : g.nodes())
    for (const Value v : node.results) assign(v);
  return names;
}

// Where a value comes from, as the picture has it: a box, or what a row says of it.
struct Source {
  int box = -1;
  Row::Kind kind = Row::Kind::reference;
  std::string text;
  ir::Part part = ir::Part::forward;
};

bool is_layout(const ir::OpDef& op) {
  return &op == &ir::ops::reshape || &op == &ir::ops::transpose || &op == &ir::ops::broadcast ||
         &op == &ir::ops::cast;
}

// Does carry i do nothing but add up? Then it is drawn as a row of the addition.
bool only_adds_up(const Graph& body, int i) {
  const auto readers = ir::uses(body);
  const auto& list =
      readers[static_cast<size_t>(body.arguments()[static_cast<size_t>(i)].value.id)];
  if (list.size() != 1 || list[0] < 0) return false;
  const Node& add = body.nodes()[static_cast<size_t>(list[0])];
  const Value sum = add.results[0];
  return add.op == &ir::ops::add && body.outputs()[static_cast<size_t>(i)].value == sum &&
         readers[static_cast<size_t>(sum.id)].size() == 1;
}

// "b", or "x1" for the second of a group.
std::string operand_label(const Node& node, size_t position) {
  size_t at = 0;
  for (size_t g = 0; g < node.group_sizes.size(); ++g) {
    const auto n = static_cast<size_t>(node.group_sizes[g]);
    if (position < at + n)
      return std::string(node.op->operands[g].name) + (n > 1 ? std::to_string(position - at) : "");
    at += n;
  }
  return {};
}

std::string constant_text(const Graph& g, const Node& node) {
  const ir::OpView op(g, node);
  const ir::Reals& values = op.reals("values");
  const std::string shape =
      g.type(node.results[0]).rank() == 0 ? "" : " " + g.type(node.results[0]).str();
  const ir::Integers& exact = op.exact_integers("values");
  return (values.size() == 1  ? ir::str(ir::Attr(values.front()))
          : exact.size() == 1 ? ir::str(ir::Attr(exact.front()))
                              : "constant") +
         shape;
}

std::string tooltip_of(const Graph& g, const Node& node, const std::vector<std::string>& names) {
  std::string s;
  for (const Value v : node.results)
    s += (s.empty() ? "" : ", ") + names[static_cast<size_t>(v.id)] + ": " + g.type(v).str();
  s += " = " + std::string(node.op->name) + "(";
  for (size_t i = 0; i < node.operands.size(); ++i)
    s += (i ? ", " : "") + names[static_cast<size_t>(node.operands[i].id)];
  s += ")";
  for (const auto& [name, value] : node.attrs)
    s += "\n" + name + " = " + shortened(ir::str(value), 200);
  if (!node.from.scope.empty()) s += "\nin " + node.from.scope;
  if (node.from.loc.known()) s += "\nmade at " + node.from.loc.str();
  if (node.from.origins.size() > 1) {
    s += "\nstands for";
    for (size_t i = 0; i < node.from.origins.size() && i < 12; ++i)
      s += " " + node.from.origins[i]->op;
    if (node.from.origins.size() > 12)
      s += " and " + std::to_string(node.from.origins.size() - 12) + " more";
  }
  return s;
}

class Drawer {
 public:
  explicit Drawer(const Graph& graph, const DrawOptions& options) : graph_(graph) {
    drawing_.title = options.title.empty() ? "@" + graph.name : options.title;
    drawing_.groups.push_back({});
    const auto training = [](const Node& n) { return n.from.part != ir::Part::forward; };
    has_parts_ = std::any_of(graph.nodes().begin(), graph.nodes().end(), training);
  }

  Drawing drawing() {
    Sources sources(static_cast<size_t>(graph_.value_count()));
    const auto names = printed_names(graph_);
    for (const ir::Argument& a : graph_.arguments())
      sources[static_cast<size_t>(a.value.id)] = argument(a, names);
    body(graph_, sources, names, -1, {});
    outputs(sources, names);
    return std::move(drawing_);
  }

 private:
  using Sources = std::vector<Source>;

  int add_box(Box box) {
    drawing_.boxes.push_back(std::move(box));
    return static_cast<int>(drawing_.boxes.size()) - 1;
  }

  int group(Group::Kind kind, const std::string& title, ir::Part part, int parent) {
    auto [it, is_new] =
        groups_.try_emplace({parent, kind, title, part}, static_cast<int>(drawing_.groups.size()));
    if (is_new) drawing_.groups.push_back({kind, title, title, part, parent});
    return it->second;
  }

  // The group of a scope; `inside`: the loop it is in and that loop's own scope.
  int group_of(const std::string& scope, ir::Part part, int loop, const std::string& loop_scope) {
    int at = loop >= 0 ? loop : 0;
    if (loop < 0 && has_parts_) {
      static constexpr const char* names[] = {"forward", "backward", "optimizer"};
      at = group(Group::Kind::part, names[static_cast<int>(part)], part, 0);
    }
    if (loop >= 0) part = drawing_.groups[static_cast<size_t>(loop)].part;
    std::string rest = scope;
    if (loop >= 0 && (rest == loop_scope || rest.starts_with(loop_scope + "/")))
      rest = rest.substr(loop_scope.size());
    while (!rest.empty()) {
      const size_t slash = rest.find('/');
      const std::string piece = rest.substr(0, slash);
      if (!piece.empty()) at = group(Group::Kind::scope, piece, part, at);
      rest = slash == rest.npos ? "" : rest.substr(slash + 1);
    }
    return at;
  }

  Source argument(const ir::Argument& a, const std::vector<std::string>& names) {
    const std::string& name = names[static_cast<size_t>(a.value.id)];
    const std::string text = (a.path.empty() ? name : a.path) + "  " + graph_.type(a.value).str();
    if (a.kind == ir::ArgumentKind::parameter) return {-1, Row::Kind::parameter, text};
    if (a.kind == ir::ArgumentKind::state) return {-1, Row::Kind::state, text};
    const auto readers = ir::uses(graph_)[static_cast<size_t>(a.value.id)];
    if (std::set<int>(readers.begin(), readers.end()).size() > kManyReaders)
      return {-1, Row::Kind::input, name};
    Box box;
    box.kind = Box::Kind::input;
    box.title = name, box.type = graph_.type(a.value).str();
    box.values = {name};
    box.group = group_of("", ir::Part::forward, -1, "");
    box.tooltip = "input " + name + ": " + box.type;
    return {add_box(std::move(box)), Row::Kind::input, name};
  }

  // `loop`: the group of the loop whose body this is, -1 at the top; `scope` is that loop's.
  void body(const Graph& g, Sources& sources, const std::vector<std::string>& names, int loop,
            const std::string& scope) {
    const auto readers = ir::uses(g);
    for (const Node& node : g.nodes()) {
      if (node.op == &ir::ops::constant) {
        sources[static_cast<size_t>(node.results[0].id)] = {-1, Row::Kind::constant,
                                                            constant_text(g, node), node.from.part};
      } else if (!node.regions.empty()) {
        loop_node(g, node, sources, names, loop, scope);
      } else {
        op_node(g, node, sources, names, loop, scope, readers);
      }
      for (const Value v : node.results) {
        const auto& list = readers[static_cast<size_t>(v.id)];
        if (std::set<int>(list.begin(), list.end()).size() > kManyReaders)
          often_read_.insert({&g, v.id});
      }
    }
  }

  // A change of layout (or of dtype) is a row of the box that makes its operand, where nothing else
  // reads that.
  bool follows(const Graph& g, const Node& node, Sources& sources,
               const std::vector<std::string>& names, int group,
               const std::vector<std::vector<int>>& readers) {
    if (!is_layout(*node.op) || node.operands.size() != 1 || node.results.size() != 1) return false;
    const Value x = node.operands[0], y = node.results[0];
    const Node* producer = g.producer(x);
    const Source source = sources[static_cast<size_t>(x.id)];
    if (producer == nullptr || producer->results.size() != 1 || source.box < 0) return false;
    if (readers[static_cast<size_t>(x.id)].size() != 1 || !producer->regions.empty()) return false;
    Box& box = drawing_.boxes[static_cast<size_t>(source.box)];
    if (box.group != group || (box.kind != Box::Kind::op && box.kind != Box::Kind::fused))
      return false;
    box.rows.push_back({Row::Kind::attribute, "", "then " + std::string(node.op->name)});
    box.values.push_back(names[static_cast<size_t>(y.id)]);
    box.name = names[static_cast<size_t>(y.id)], box.type = shortened(g.type(y).str(), 64);
    box.tooltip += "\n\n" + tooltip_of(g, node, names);
    ++box.nodes;
    sources[static_cast<size_t>(y.id)] = {source.box, Row::Kind::reference,
                                          names[static_cast<size_t>(y.id)], source.part};
    return true;
  }

  void op_node(const Graph& g, const Node& node, Sources& sources,
               const std::vector<std::string>& names, int loop, const std::string& scope,
               const std::vector<std::vector<int>>& readers) {
    const int group = group_of(node.from.scope, node.from.part, loop, scope);
    if (follows(g, node, sources, names, group, readers)) return;
    Box box;
    box.kind = node.op->expand != nullptr ? Box::Kind::fused : Box::Kind::op;
    box.part = node.from.part;
    box.title = std::string(node.op->name);
    for (const Value v : node.results) {
      box.values.push_back(names[static_cast<size_t>(v.id)]);
      box.name += (box.name.empty() ? "" : ", ") + box.values.back();
      box.type += (box.type.empty() ? "" : ", ") + g.type(v).str();
    }
    box.name = shortened(box.name), box.type = shortened(box.type, 64);
    box.tooltip = tooltip_of(g, node, names);
    for (const auto& [name, value] : node.attrs)
      box.rows.push_back({Row::Kind::attribute, name, shortened(ir::str(value))});
    box.group = group;
    const int index = add_box(std::move(box));
    size_t at = 0;
    for (size_t group_index = 0; group_index < node.group_sizes.size(); ++group_index) {
      const auto n = static_cast<size_t>(node.group_sizes[group_index]);
      if (n > kManyOperands)
        connect_many(g, node, group_index, at, sources, index);
      else
        for (size_t i = at; i < at + n; ++i)
          connect(g, node.operands[i], operand_label(node, i), sources, index);
      at += n;
    }
    for (const Value v : node.results)
      sources[static_cast<size_t>(v.id)] = {index, Row::Kind::reference,
                                            names[static_cast<size_t>(v.id)], node.from.part};
  }

  // A link or a row that says where operand `v` of box `to` comes from.
  void connect(const Graph& g, Value v, const std::string& label, const Sources& sources, int to) {
    const Source& source = sources[static_cast<size_t>(v.id)];
    Box& box = drawing_.boxes[static_cast<size_t>(to)];
    const bool kept =
        source.box >= 0 &&
        drawing_.boxes[static_cast<size_t>(source.box)].kind != Box::Kind::input &&
        source.part == ir::Part::forward && box.part != ir::Part::forward &&
        g.type(v).rank() > 0;  // the loss itself is the link from one part to the next
    if (source.box < 0 || kept || often_read_.contains({&g, v.id}))
      box.rows.push_back({source.kind, label, source.text});
    else
      drawing_.links.push_back({source.box, to, g.type(v).str()});
  }

  // A long group of operands (all parameters, all gradients) is one row, and one link where they
  // come from boxes.
  void connect_many(const Graph& g, const Node& node, size_t group_index, size_t at,
                    const Sources& sources, int to) {
    const auto n = static_cast<size_t>(node.group_sizes[group_index]);
    const Source& first = sources[static_cast<size_t>(node.operands[at].id)];
    const std::string what = first.kind == Row::Kind::parameter ? " parameters"
                             : first.kind == Row::Kind::state   ? " states"
                                                                : " values";
    drawing_.boxes[static_cast<size_t>(to)].rows.push_back(
        {first.kind, std::string(node.op->operands[group_index].name), std::to_string(n) + what});
    for (size_t i = at; i < at + n; ++i) {
      const Source& source = sources[static_cast<size_t>(node.operands[i].id)];
      if (source.box < 0) continue;
      drawing_.links.push_back({source.box, to, std::to_string(n) + what});
      return;
    }
  }

  // A node with a region: its body in a group of its own; its results are what the body yields.
  void loop_node(const Graph& g, const Node& node, Sources& sources,
                 const std::vector<std::string>& names, int loop, const std::string& scope) {
    const Graph& inner = node.regions[0];
    const bool is_scan = node.op == &ir::ops::scan;
    const int parent = group_of(node.from.scope, node.from.part, loop, scope);
    drawing_.groups.push_back({Group::Kind::loop, std::string(node.op->name),
                               tooltip_of(g, node, names), node.from.part, parent});
    const int own = static_cast<int>(drawing_.groups.size()) - 1;
    const auto inner_names = printed_names(inner);
    Sources inner_sources(static_cast<size_t>(inner.value_count()));
    int carries = 0;
    std::vector<int> carry_boxes;
    if (is_scan) {
      const ir::ops::ScanParts parts{ir::OpView(g, node)};
      carries = parts.carries;
      drawing_.groups[static_cast<size_t>(own)].title =
          std::string(parts.reverse ? "scan backwards, t = " : "scan, t = ") +
          (parts.reverse ? parts.steps.str() + "-1 ... 0" : "0 ... " + parts.steps.str() + "-1") +
          (parts.has_lengths ? ", rows end at their lengths" : "");
      carry_boxes = scan_arguments(g, node, parts, sources, inner, inner_sources, inner_names, own);
    } else {
      for (size_t i = 0; i < inner.arguments().size() && i < node.operands.size(); ++i)
        inner_sources[static_cast<size_t>(inner.arguments()[i].value.id)] =
            sources[static_cast<size_t>(node.operands[i].id)];
    }
    body(inner, inner_sources, inner_names, own, node.from.scope);
    for (size_t i = 0; i < node.results.size() && i < inner.outputs().size(); ++i) {
      const Value yielded = inner.outputs()[i].value;
      Source result = inner_sources[static_cast<size_t>(yielded.id)];
      if (static_cast<int>(i) < carries && result.box >= 0 && carry_boxes[i] >= 0 &&
          result.box != carry_boxes[i])
        drawing_.links.push_back(
            {result.box, carry_boxes[i], inner.type(yielded).str(), Link::Kind::recurrence});
      result.part = node.from.part;
      if (result.box >= 0) result.text = names[static_cast<size_t>(node.results[i].id)];
      sources[static_cast<size_t>(node.results[i].id)] = result;
      if (result.box >= 0)
        named_result(result.box, names[static_cast<size_t>(node.results[i].id)],
                     g.type(node.results[i]).str());
    }
  }

  // What a box yields bears its name outside too, since rows may refer to it.
  void named_result(int index, const std::string& name, const std::string& type) {
    Box& box = drawing_.boxes[static_cast<size_t>(index)];
    box.values.push_back(name);
    box.tooltip += "\nyielded as " + name + ": " + type;
    if (box.name.find(" > ") == box.name.npos && box.kind != Box::Kind::carry)
      box.name += " > " + name;
  }

  std::vector<int> scan_arguments(const Graph& g, const Node& node, const ir::ops::ScanParts& parts,
                                  const Sources& sources, const Graph& inner,
                                  Sources& inner_sources,
                                  const std::vector<std::string>& inner_names, int own) {
    std::vector<int> carry_boxes;
    const int invariants_at = parts.carries + parts.scanned;
    for (size_t i = 0; i < inner.arguments().size(); ++i) {
      const Value v = inner.arguments()[i].value;
      const std::string& name = inner_names[static_cast<size_t>(v.id)];
      Source& to = inner_sources[static_cast<size_t>(v.id)];
      if (static_cast<int>(i) >= invariants_at + parts.invariants) {  // %live
        to = {-1, Row::Kind::input, name, node.from.part};
      } else if (static_cast<int>(i) >= invariants_at) {
        to = sources[static_cast<size_t>(node.operands[i].id)];
        if (often_read_.contains({&g, node.operands[i].id})) often_read_.insert({&inner, v.id});
      } else if (static_cast<int>(i) < parts.carries && only_adds_up(inner, static_cast<int>(i))) {
        to = {-1, Row::Kind::reference, "the sum so far", node.from.part};
        carry_boxes.push_back(-1);
      } else {
        const bool carry = static_cast<int>(i) < parts.carries;
        Box box;
        box.kind = carry ? Box::Kind::carry : Box::Kind::scanned;
        box.part = node.from.part;
        box.title = carry ? "carry " + name : name + " at t";
        box.values = {name};
        box.type = inner.type(v).str();
        box.tooltip = (carry ? "carry " : "scanned ") + name + ": " + box.type;
        box.group = own;
        const int index = add_box(std::move(box));
        if (carry) carry_boxes.push_back(index);
        connect(g, node.operands[i], carry ? "starts as" : "of", sources, index);
        to = {index, Row::Kind::reference, name, node.from.part};
      }
    }
    return carry_boxes;
  }

  void outputs(const Sources& sources, const std::vector<std::string>& names) {
    for (const ir::Output& output : graph_.outputs()) {
      const Source& source = sources[static_cast<size_t>(output.value.id)];
      if (source.box >= 0 && has_parts_) {  // a training graph has hundreds: one line in the box
        Box& box = drawing_.boxes[static_cast<size_t>(source.box)];
        if (box.rows.size() < 12)
          box.rows.push_back({Row::Kind::reference, "result", shortened(output.name)});
        continue;
      }
      Box box;
      box.kind = Box::Kind::output;
      box.title = output.name, box.type = graph_.type(output.value).str();
      box.tooltip = "result " + output.name + ": " + box.type;
      const int index = add_box(std::move(box));
      connect(graph_, output.value, "is", sources, index);
    }
  }

  const Graph& graph_;
  Drawing drawing_;
  bool has_parts_ = false;
  std::map<std::tuple<int, Group::Kind, std::string, ir::Part>, int> groups_;
  std::set<std::pair<const Graph*, int>> often_read_;
};

}  // namespace

Drawing draw(const Graph& graph, const DrawOptions& options) {
  Drawing drawing = Drawer(graph, options).drawing();
  if (!options.focus.empty()) focus_on(drawing, options.focus, options.radius);
  if (options.repeats && options.focus.empty()) fold_repeats(drawing);
  collapse(drawing, options.max_boxes);
  return drawing;
}

}  // namespace weft::inspect
