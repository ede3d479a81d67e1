// frontend/inspect/report_json.cpp -- what the page shows, as JSON.
//
//   nodes     each as it looks after some pass; a node that a pass changes is here twice, with one
//             number `i`. `k`: node, input, parameter, state, carry, scanned, invariant, live;
//             `o` op, `n` names, `t` types, `a` attributes, `x` operands ([number, result]), `l`
//             their labels, `s` scope, `f` line, `p` part, `g` origins, `u` the node whose region
//             it is in, `r` arguments of its region, `y` what that yields, `c` a constant's text
//   passes    `nodes`: places in the list above as runs, [first, count, first, count, ...]
//   births    by number: [pass, [numbers of what it took the place of]]
//   kernels   of the last graph, bodies of loops behind them, deeper
//   memory    steps and allocations of the arena; loops have their own
#include "frontend/inspect/lineage.h"
#include "frontend/inspect/memory.h"
#include "frontend/inspect/report.h"
#include "ir/ops/all.h"
#include "ir/ops/table.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <unordered_map>

namespace weft::inspect {
namespace {

using ir::Graph;
using ir::Node;
using ir::Value;
using nlohmann::json;

constexpr const char* kParts[] = {"forward", "backward", "optimizer"};
constexpr size_t kLongText = 160;

std::string text_of(const ir::Attr& attr) {
  std::string s = ir::str(attr);
  if (s.size() > kLongText) s = s.substr(0, kLongText) + "...";
  return s;
}

bool is_given(const std::string& name) {
  return !std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c); });
}

json names_of(const Graph& g, const ir::Values& values) {
  json names = json::array();
  bool any = false;
  for (const Value v : values) {
    const std::string& name = g.info(v).name;
    names.push_back(is_given(name) ? "%" + name : "");
    any = any || is_given(name);
  }
  return any ? names : json::array();
}

const char* kind_of(const Place& p, const std::vector<Place>& places) {
  const ir::Argument& a = p.graph->arguments()[static_cast<size_t>(p.argument)];
  if (p.parent < 0)
    return a.kind == ir::ArgumentKind::parameter ? "parameter"
           : a.kind == ir::ArgumentKind::state   ? "state"
                                                 : "input";
  const Place& owner = places[static_cast<size_t>(p.parent)];
  const Node& node = owner.graph->nodes()[static_cast<size_t>(owner.node)];
  if (node.op != &ir::ops::scan) return "invariant";
  const ir::ops::ScanParts parts{ir::OpView(*owner.graph, node)};
  if (p.argument < parts.carries) return "carry";
  if (p.argument < parts.carries + parts.scanned) return "scanned";
  return p.argument < parts.carries + parts.scanned + parts.invariants ? "invariant" : "live";
}

json operand_labels(const Node& node) {
  json labels = json::array();
  for (size_t g = 0; g < node.group_sizes.size(); ++g)
    for (int i = 0; i < node.group_sizes[g]; ++i) labels.push_back(node.op->operands[g].name);
  return labels;
}

// Collects everything that is the same on all graphs of the page.
class Collector {
 public:
  json pass(const std::string& name, const std::string& doc, double milliseconds,
            const std::vector<ir::Note>& notes, const Graph& graph) {
    const std::vector<Place> list = places(graph);
    numbers_ = lineage_.next(list);
    number_of_.clear();
    for (size_t i = 0; i < list.size(); ++i)
      for (const Value v : values_of(list[i])) number_of_[{list[i].graph, v.id}] = numbers_[i];
    json runs = json::array();
    int first = -1, count = 0;
    const auto end_run = [&] {
      if (count > 0) runs.push_back(first), runs.push_back(count);
    };
    for (size_t i = 0; i < list.size(); ++i) {
      const int at = add(node(list, i));
      if (count > 0 && at == first + count) {
        ++count;
        continue;
      }
      end_run();
      first = at, count = 1;
    }
    end_run();
    json told = json::array();
    for (const ir::Note& n : notes)
      told.push_back({n.kind == ir::Note::Kind::done ? "done" : "near miss", n.text});
    json outputs = json::array();
    for (const ir::Output& o : graph.outputs())
      outputs.push_back({o.name, reference(graph, o.value)});
    const bool first_of_all = passes_++ == 0;
    return {{"name", name},
            {"doc", doc},
            {"ms", milliseconds},
            {"notes", std::move(told)},
            {"nodes", std::move(runs)},
            {"count", graph.node_count()},
            {"added", first_of_all ? 0 : lineage_.added()},
            {"removed", lineage_.removed()},
            {"changed", lineage_.changed()},
            {"outputs", std::move(outputs)}};
  }

  // Numbers of nodes of the last graph.
  json numbers_at(const Graph& graph, const std::vector<int>& nodes) const {
    json list = json::array();
    for (const int n : nodes) {
      const auto it =
          number_of_.find({&graph, graph.nodes()[static_cast<size_t>(n)].results[0].id});
      if (it != number_of_.end()) list.push_back(it->second);
    }
    return list;
  }

  json take_nodes() { return std::move(nodes_); }
  json take_origins() { return std::move(origins_); }
  json births() const {
    json list = json::array();
    for (const Lineage::Birth& b : lineage_.births()) list.push_back({b.step, b.from});
    return list;
  }

 private:
  static ir::Values values_of(const Place& p) {
    if (p.node >= 0) return p.graph->nodes()[static_cast<size_t>(p.node)].results;
    return {p.graph->arguments()[static_cast<size_t>(p.argument)].value};
  }

  json reference(const Graph& g, Value v) const {
    const auto it = number_of_.find({&g, v.id});
    return {it == number_of_.end() ? -1 : it->second, g.info(v).node < 0 ? 0 : g.info(v).index};
  }

  json node(const std::vector<Place>& list, size_t i) {
    const Place& p = list[i];
    json j{{"i", numbers_[i]}};
    if (p.parent >= 0) j["u"] = numbers_[static_cast<size_t>(p.parent)];
    if (p.parent >= 0 && p.region > 0) j["v"] = p.region;
    if (p.node < 0) {
      const ir::Argument& a = p.graph->arguments()[static_cast<size_t>(p.argument)];
      j["k"] = kind_of(p, list);
      j["o"] = a.path.empty() ? p.graph->display_name(a.value) : a.path;
      if (json names = names_of(*p.graph, {a.value}); !names.empty()) j["n"] = std::move(names);
      j["t"] = json::array({p.graph->type(a.value).str()});
      return j;
    }
    const Graph& g = *p.graph;
    const Node& n = g.nodes()[static_cast<size_t>(p.node)];
    j["k"] = "node";
    j["o"] = n.op->name;
    if (json names = names_of(g, n.results); !names.empty()) j["n"] = std::move(names);
    json types = json::array(), operands = json::array();
    for (const Value v : n.results) types.push_back(g.type(v).str());
    for (const Value v : n.operands) operands.push_back(reference(g, v));
    j["t"] = std::move(types);
    j["x"] = std::move(operands);
    j["l"] = operand_labels(n);
    json attrs = json::object();
    for (const auto& [name, value] : n.attrs) attrs[name] = text_of(value);
    if (!attrs.empty()) j["a"] = std::move(attrs);
    if (!n.from.scope.empty()) j["s"] = n.from.scope;
    if (n.from.loc.known()) j["f"] = n.from.loc.str();
    if (n.from.part != ir::Part::forward) j["p"] = kParts[static_cast<int>(n.from.part)];
    json origins = json::array();
    for (const auto& o : n.from.origins) origins.push_back(origin(*o));
    if (!origins.empty()) j["g"] = std::move(origins);
    if (n.op->expand != nullptr) j["e"] = 1;
    if (n.op == &ir::ops::constant) j["c"] = constant_text(g, n);
    if (!n.regions.empty()) add_region(j, n.regions[0]);
    return j;
  }

  void add_region(json& j, const Graph& region) const {
    json arguments = json::array(), yields = json::array();
    for (const ir::Argument& a : region.arguments())
      arguments.push_back(reference(region, a.value)[0]);
    for (const ir::Output& o : region.outputs()) yields.push_back(reference(region, o.value));
    j["r"] = std::move(arguments);
    j["y"] = std::move(yields);
  }

  static std::string constant_text(const Graph& g, const Node& n) {
    const ir::OpView op(g, n);
    const ir::Reals& values = op.reals("values");
    const ir::Integers& exact = op.exact_integers("values");
    return values.size() == 1  ? ir::str(ir::Attr(values.front()))
           : exact.size() == 1 ? ir::str(ir::Attr(exact.front()))
                               : "constant";
  }

  int origin(const ir::Origin& o) {
    const auto [it, is_new] =
        origin_at_.try_emplace(ir::concat(o.number, "|", o.op, "|", o.scope, "|", o.loc),
                               static_cast<int>(origins_.size()));
    if (is_new) origins_.push_back({o.op, o.scope, o.loc.str()});
    return it->second;
  }

  int add(json node) {
    const auto [it, is_new] = node_at_.try_emplace(
        node.dump(-1, ' ', false, json::error_handler_t::replace), static_cast<int>(nodes_.size()));
    if (is_new) nodes_.push_back(std::move(node));
    return it->second;
  }

  struct Hash {
    size_t operator()(const std::pair<const Graph*, int>& p) const {
      return std::hash<const void*>()(p.first) * 31 + static_cast<size_t>(p.second);
    }
  };

  Lineage lineage_;
  std::vector<int> numbers_;
  std::unordered_map<std::pair<const Graph*, int>, int, Hash> number_of_;
  std::unordered_map<std::string, int> node_at_, origin_at_;
  json nodes_ = json::array(), origins_ = json::array();
  int passes_ = 0;
};

double body_seconds(const backends::KernelReport& k) {
  double sum = 0;
  for (const backends::KernelReport& b : k.body) sum += b.seconds;
  return sum;
}

void add_kernels(const Collector& c, const Graph& graph,
                 const std::vector<backends::KernelReport>& kernels, int depth, double runs,
                 json& list) {
  for (const backends::KernelReport& k : kernels) {
    json j{{"name", k.kernel},
           {"op", k.op},
           {"nodes", c.numbers_at(graph, k.nodes)},
           {"calls", static_cast<double>(k.calls) / runs},
           {"ms", (k.seconds - body_seconds(k)) / runs * 1e3},
           {"total", k.seconds / runs * 1e3},
           {"depth", depth}};
    if (!k.implementation.empty()) j["impl"] = k.implementation;
    if (!k.scope.empty()) j["scope"] = k.scope;
    if (k.loc.known()) j["line"] = k.loc.str();
    if (k.flops > 0) j["flops"] = k.flops;
    if (k.bytes > 0) j["bytes"] = k.bytes;
    if (!k.places.empty()) j["places"] = k.places;
    list.push_back(std::move(j));
    if (!k.body.empty())
      add_kernels(c, graph.nodes()[static_cast<size_t>(k.nodes.back())].regions[0], k.body,
                  depth + 1, runs, list);
  }
}

json memory_json(const Collector& c, const Graph& graph, const backends::MemoryReport& m) {
  json steps = json::array(), allocations = json::array(), loops = json::array();
  for (const backends::MemoryReport::Step& s : m.steps)
    steps.push_back({s.live, c.numbers_at(graph, s.nodes)});
  for (const backends::Allocation& a : m.allocations) {
    const int maker = m.steps[static_cast<size_t>(a.first)].nodes.back();
    allocations.push_back(
        {{"offset", a.offset},
         {"bytes", a.bytes},
         {"first", a.first},
         {"last", a.last},
         {"kind", a.kind == backends::Allocation::Kind::value       ? "value"
                  : a.kind == backends::Allocation::Kind::workspace ? "workspace"
                                                                    : "loop"},
         {"part", kParts[static_cast<int>(graph.nodes()[static_cast<size_t>(maker)].from.part)]},
         {"text", contents_of(graph, a)},
         {"node", c.numbers_at(graph, {maker})}});
  }
  for (const backends::MemoryReport::Loop& l : m.loops)
    loops.push_back(
        {{"node", c.numbers_at(graph, {l.node})},
         {"memory",
          memory_json(c, graph.nodes()[static_cast<size_t>(l.node)].regions[0], l.memory)}});
  const WithoutReuse without = without_reuse(m);
  return {{"arena", m.arena_bytes},
          {"steps", std::move(steps)},
          {"allocations", std::move(allocations)},
          {"loops", std::move(loops)},
          {"without_reuse", without.bytes},
          {"written_over", without.written_over}};
}

}  // namespace

std::string report_json(const Inspection& inspection) {
  Collector c;
  json passes = json::array();
  passes.push_back(c.pass("built", "the graph as the user wrote it", 0, {}, inspection.built));
  for (const PassStep& s : inspection.steps)
    passes.push_back(c.pass(s.name, s.doc, s.milliseconds, s.notes, s.graph));
  json page{{"title", inspection.title},
            {"subtitle", inspection.subtitle},
            {"peak", inspection.peak_gflops},
            {"bandwidth", inspection.peak_bandwidth}};
  if (inspection.report) {
    const backends::Report& r = *inspection.report;
    passes.push_back(c.pass(
        "plan", "bound to sizes; ops without a kernel replaced by what they mean", 0, {}, r.graph));
    const double runs = static_cast<double>(std::max<int64_t>(r.runs, 1));
    json kernels = json::array();
    add_kernels(c, r.graph, r.kernels, 0, runs, kernels);
    page["kernels"] = std::move(kernels);
    page["ms"] = r.seconds / runs * 1e3;
    page["runs"] = r.runs;
    page["memory"] = memory_json(c, r.graph, r.memory);
  }
  json docs = json::object();
  for (const ir::OpDef* op : ir::ops::table()) docs[std::string(op->name)] = op->doc;
  page["docs"] = std::move(docs);
  page["passes"] = std::move(passes);
  page["nodes"] = c.take_nodes();
  page["origins"] = c.take_origins();
  page["births"] = c.births();
  return page.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace weft::inspect
