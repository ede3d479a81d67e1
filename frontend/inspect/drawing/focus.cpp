// frontend/inspect/drawing/focus.cpp -- a neighbourhood of a drawing.
#include "frontend/inspect/drawing/collapse.h"
#include "ir/error.h"

#include <algorithm>
#include <deque>

namespace weft::inspect {
namespace {

std::vector<std::string> paths(const Drawing& d) {
  std::vector<std::string> path(d.groups.size());
  for (size_t g = 1; g < d.groups.size(); ++g) {
    const Group& group = d.groups[g];
    path[g] = path[static_cast<size_t>(group.parent)];
    if (group.kind == Group::Kind::scope) path[g] += (path[g].empty() ? "" : "/") + group.title;
  }
  return path;
}

std::vector<int> named(const Drawing& d, const std::string& name) {
  const std::string value = name.starts_with("%") ? name : "%" + name;
  std::vector<int> values, scope, op;
  const std::vector<std::string> path = paths(d);
  for (size_t b = 0; b < d.boxes.size(); ++b) {
    const Box& box = d.boxes[b];
    const auto at = static_cast<int>(b);
    const std::string& in = path[static_cast<size_t>(box.group)];
    if (std::find(box.values.begin(), box.values.end(), value) != box.values.end())
      values.push_back(at);
    if (in == name || in.starts_with(name + "/")) scope.push_back(at);
    if (box.title == name) op.push_back(at);
  }
  return !values.empty() ? values : !scope.empty() ? scope : op;
}

[[noreturn]] void no_such_name(const Drawing& d, const std::string& name) {
  std::string some;
  int n = 0;
  for (const Box& box : d.boxes)
    for (const std::string& v : box.values)
      if (++n <= 8) some += (some.empty() ? "" : ", ") + v;
  throw ir::GraphError(ir::concat("no value, scope or op of ", d.title, " is called '", name,
                                  "'; there are ", some, n > 8 ? ", ..." : "",
                                  "; as text the graph shows them all"));
}

}  // namespace

void focus_on(Drawing& d, const std::string& name, int radius) {
  std::vector<int> distance(d.boxes.size(), -1);
  std::deque<int> front;
  for (const int b : named(d, name)) distance[static_cast<size_t>(b)] = 0, front.push_back(b);
  if (front.empty()) no_such_name(d, name);
  std::vector<std::vector<int>> beside(d.boxes.size());
  for (const Link& link : d.links) {
    beside[static_cast<size_t>(link.from)].push_back(link.to);
    beside[static_cast<size_t>(link.to)].push_back(link.from);
  }
  while (!front.empty()) {
    const auto b = static_cast<size_t>(front.front());
    front.pop_front();
    if (distance[b] == radius) continue;
    for (const int other : beside[b])
      if (distance[static_cast<size_t>(other)] < 0)
        distance[static_cast<size_t>(other)] = distance[b] + 1, front.push_back(other);
  }
  std::vector<int> number(d.boxes.size(), -1);
  std::vector<Box> boxes;
  for (size_t b = 0; b < d.boxes.size(); ++b)
    if (distance[b] >= 0) number[b] = static_cast<int>(boxes.size()), boxes.push_back(d.boxes[b]);
  std::vector<Link> links;
  for (Link link : d.links) {
    link.from = number[static_cast<size_t>(link.from)];
    link.to = number[static_cast<size_t>(link.to)];
    if (link.from >= 0 && link.to >= 0) links.push_back(link);
  }
  d.boxes = std::move(boxes), d.links = std::move(links);
  d.title += ", " + std::to_string(radius) + " around " + name;
}

}  // namespace weft::inspect
