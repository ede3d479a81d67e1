// ir/passes/clean/drop_unused_results.cpp -- optional results that nobody reads are not computed.
#include "ir/passes/clean/drop_unused_results.h"

#include "ir/rewrite/rewrite.h"

namespace weft::ir {
namespace {

// The flags that give an op one more result each, in the order of these results.
struct OptionalResults {
  const OpDef* op;
  int always;  // results it has in any case
  List<const char*, 2> flags;
};

constexpr OptionalResults kOptional[] = {
    {&ops::attention, 1, {"weights", "lse"}},
    {&ops::gru_cell, 1, {"gates"}},
    {&ops::lstm_cell, 2, {"gates"}},
};

// The attributes with which the node has only the results that are read; keeps[i]: result i stays.
std::optional<Attrs> trimmed(const OpView& op, const std::vector<bool>& read,
                             std::vector<bool>& keeps) {
  const Node& node = op.node();
  keeps.assign(node.results.size(), true);
  Attrs attrs = node.attrs;
  bool changed = false;
  if (node.op == &ops::attention_grad) {
    Texts wanted;
    for (size_t i = 0; i < read.size(); ++i) {
      keeps[i] = read[i];
      changed = changed || !read[i];
      if (read[i]) wanted.push_back(op.texts("wanted")[i]);
    }
    attrs.set("wanted", wanted);
  }
  for (const OptionalResults& entry : kOptional) {
    if (entry.op != node.op) continue;
    size_t result = static_cast<size_t>(entry.always);
    for (const char* flag : entry.flags) {
      if (!op.flag(flag)) continue;
      if (!read[result]) {
        attrs.erase(flag);
        keeps[result] = false;
        changed = true;
      }
      ++result;
    }
  }
  return changed ? std::optional(attrs) : std::nullopt;
}

}  // namespace

Graph drop_unused_results(const Graph& graph) {
  const auto readers = uses(graph);
  bool any = false;
  for (const Node& node : graph.nodes())
    any = any || node.results.size() > 1 || node.op == &ops::attention_grad;
  if (!any) return graph;
  Rewriter r(graph);
  for (const Node& node : graph.nodes()) {
    std::vector<bool> read, keeps;
    for (const Value v : node.results) read.push_back(!readers[static_cast<size_t>(v.id)].empty());
    const auto attrs = trimmed(OpView(graph, node), read, keeps);
    if (!attrs) {
      r.copy(node);
      continue;
    }
    OperandGroups groups;
    size_t at = 0;
    for (const int n : node.group_sizes) {
      groups.emplace_back();
      for (int i = 0; i < n; ++i) groups.back().push_back(r(node.operands[at++]));
    }
    r.at(node);
    const Values made = r.builder.emit_all(*node.op, groups, *attrs);
    size_t next = 0;
    for (size_t i = 0; i < node.results.size(); ++i)
      if (keeps[i]) r.replace(node.results[i], made[next++]);
  }
  return r.finish();
}

}  // namespace weft::ir
