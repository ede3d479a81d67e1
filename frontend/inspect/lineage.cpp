// frontend/inspect/lineage.cpp -- matching the nodes of two graphs, in order, by what they are.
#include "frontend/inspect/lineage.h"

#include "ir/error.h"

#include <algorithm>
#include <deque>
#include <set>

namespace weft::inspect {
namespace {

using ir::Graph;
using ir::Node;

constexpr size_t kMostSources = 60;

void add_places(const Graph& graph, int parent, int region, std::vector<Place>& list) {
  for (size_t a = 0; a < graph.arguments().size(); ++a)
    list.push_back({&graph, -1, static_cast<int>(a), parent, region});
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    const auto at = static_cast<int>(list.size());
    list.push_back({&graph, static_cast<int>(n), -1, parent, region});
    const Node& node = graph.nodes()[n];
    for (size_t r = 0; r < node.regions.size(); ++r)
      add_places(node.regions[r], at, static_cast<int>(r), list);
  }
}

std::string origin_text(const ir::Origins& origins) {
  std::string s;
  for (const auto& o : origins) s += std::to_string(o->number) + o->op + ",";
  return s;
}

std::string loose_text(const Node& node) {
  return ir::concat(node.op->name, "|", node.from.scope, "|", node.from.loc, "|",
                    static_cast<int>(node.from.part), "|", origin_text(node.from.origins));
}

std::string exact_text(const Graph& graph, const Node& node) {
  std::string s;
  for (const auto& [name, value] : node.attrs) s += name + "=" + ir::str(value) + ",";
  for (const ir::Value v : node.results) s += graph.type(v).str() + ",";
  return s;
}

}  // namespace

std::vector<Place> places(const Graph& graph) {
  std::vector<Place> list;
  add_places(graph, -1, 0, list);
  return list;
}

std::vector<int> Lineage::next(const std::vector<Place>& places) {
  ++step_;
  std::vector<Known> now;
  std::vector<int> numbers(places.size(), -1);
  std::map<std::string, std::deque<size_t>> exact, loose;
  std::vector<bool> taken(last_.size());
  for (size_t i = 0; i < last_.size(); ++i) {
    exact[last_[i].exact].push_back(i);
    loose[last_[i].loose].push_back(i);
  }
  const auto take = [&](std::map<std::string, std::deque<size_t>>& from, const std::string& key) {
    const auto it = from.find(key);
    while (it != from.end() && !it->second.empty()) {
      const size_t i = it->second.front();
      it->second.pop_front();
      if (taken[i]) continue;
      taken[i] = true;
      return last_[i].number;
    }
    return -1;
  };
  for (const Place& p : places) {
    Known k{.is_node = p.node >= 0};
    if (p.node >= 0) {
      const Node& node = p.graph->nodes()[static_cast<size_t>(p.node)];
      k.loose = loose_text(node);
      k.exact = k.loose + "|" + exact_text(*p.graph, node);
      k.origins = node.from.origins;
    } else {
      const ir::Value v = p.graph->arguments()[static_cast<size_t>(p.argument)].value;
      const std::string owner =
          p.parent < 0
              ? ""
              : loose_text(places[static_cast<size_t>(p.parent)].graph->nodes()[static_cast<size_t>(
                    places[static_cast<size_t>(p.parent)].node)]);
      k.loose = ir::concat("argument|", owner, "|", p.graph->info(v).name);
      k.exact = ir::concat(k.loose, "|", p.graph->type(v));
    }
    now.push_back(std::move(k));
  }
  // All exact matches first, so that none is lost to a loose one.
  for (size_t i = 0; i < now.size(); ++i) numbers[i] = take(exact, now[i].exact);
  added_ = changed_ = 0;
  std::vector<size_t> fresh;
  for (size_t i = 0; i < now.size(); ++i) {
    if (numbers[i] >= 0) continue;
    numbers[i] = take(loose, now[i].loose);
    if (numbers[i] >= 0)
      changed_ += now[i].is_node;
    else
      fresh.push_back(i);
  }
  // Who is gone, by the user's nodes they stood for.
  std::map<int, std::vector<int>> gone;
  removed_ = 0;
  for (size_t i = 0; i < last_.size(); ++i) {
    if (taken[i] || !last_[i].is_node) continue;
    ++removed_;
    for (const auto& o : last_[i].origins) gone[o->number].push_back(last_[i].number);
  }
  for (const size_t i : fresh) {
    numbers[i] = static_cast<int>(births_.size());
    Birth birth{.step = step_, .from = {}};
    std::set<int> from;
    for (const auto& o : now[i].origins)
      if (const auto it = gone.find(o->number); it != gone.end())
        from.insert(it->second.begin(), it->second.end());
    for (const int f : from)
      if (birth.from.size() < kMostSources) birth.from.push_back(f);
    births_.push_back(std::move(birth));
    added_ += now[i].is_node;
  }
  for (size_t i = 0; i < now.size(); ++i) now[i].number = numbers[i];
  last_ = std::move(now);
  return numbers;
}

}  // namespace weft::inspect
