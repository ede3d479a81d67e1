// frontend/inspect/drawing/collapse.cpp -- groups that become boxes.
#include "frontend/inspect/drawing/collapse.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace weft::inspect {
namespace {

std::vector<int> depths(const Drawing& d) {
  std::vector<int> depth(d.groups.size());
  for (size_t g = 1; g < d.groups.size(); ++g)
    depth[g] = depth[static_cast<size_t>(d.groups[g].parent)] + 1;
  return depth;
}

// "3 matmul, 2 add, tanh": what is in it, the most frequent first.
std::string contents(const std::map<std::string, int>& titles) {
  std::vector<std::pair<int, std::string>> order;
  for (const auto& [title, n] : titles) order.emplace_back(-n, title);
  std::sort(order.begin(), order.end());
  std::string s;
  for (size_t i = 0; i < order.size() && i < 6; ++i)
    s += (i ? ", " : "") + (order[i].first < -1 ? std::to_string(-order[i].first) + " " : "") +
         order[i].second;
  return order.size() > 6 ? s + ", ..." : s;
}

class Collapser {
 public:
  explicit Collapser(Drawing& d) : d_(d), stands_for_(d.boxes.size()) {
    std::iota(stands_for_.begin(), stands_for_.end(), 0);
  }

  int visible() const { return static_cast<int>(d_.boxes.size()) - hidden_; }

  // One box for `members` (at least two), in `group`.
  void put_together(const std::vector<int>& members, int group, const std::string& title,
                    const std::string& tooltip) {
    Box box;
    box.kind = Box::Kind::collapsed;
    box.title = title, box.tooltip = tooltip, box.group = group;
    box.part = d_.boxes[static_cast<size_t>(members.front())].part;
    box.nodes = 0;
    std::map<std::string, int> titles, parameters;
    for (const int m : members) {
      const Box& b = d_.boxes[static_cast<size_t>(m)];
      box.nodes += b.nodes;
      if (b.kind == Box::Kind::op || b.kind == Box::Kind::fused) ++titles[b.title];
      for (const auto& [inner_title, n] : titles_[m]) titles[inner_title] += n;
      for (const Row& row : b.rows)
        if (row.kind == Row::Kind::parameter) parameters[row.text] = 1;
    }
    box.rows.push_back({Row::Kind::attribute, "", std::to_string(box.nodes) + " nodes"});
    if (!titles.empty()) box.rows.push_back({Row::Kind::attribute, "", contents(titles)});
    size_t shown = 0;
    for (const auto& [text, one] : parameters)
      if (++shown <= 4) box.rows.push_back({Row::Kind::parameter, "", text});
    if (shown > 4)
      box.rows.push_back({Row::Kind::parameter, "", "and " + std::to_string(shown - 4) + " more"});
    const int index = static_cast<int>(d_.boxes.size());
    d_.boxes.push_back(std::move(box));
    stands_for_.push_back(index);
    titles_[index] = std::move(titles);
    for (const int m : members) stands_for_[static_cast<size_t>(m)] = index;
    hidden_ += static_cast<int>(members.size());
  }

  bool is_visible(int box) const { return stands_for_[static_cast<size_t>(box)] == box; }

  // Drops what is hidden; links lead to what stands for their ends, each pair once.
  void finish() {
    std::vector<int> number(d_.boxes.size(), -1);
    std::vector<Box> boxes;
    for (size_t b = 0; b < d_.boxes.size(); ++b)
      if (is_visible(static_cast<int>(b)))
        number[b] = static_cast<int>(boxes.size()), boxes.push_back(d_.boxes[b]);
    std::map<std::tuple<int, int, Link::Kind>, size_t> seen;
    std::vector<Link> links;
    for (Link link : d_.links) {
      link.from = number[static_cast<size_t>(root(link.from))],
      link.to = number[static_cast<size_t>(root(link.to))];
      if (link.from == link.to) continue;
      const auto [it, is_new] = seen.try_emplace({link.from, link.to, link.kind}, links.size());
      if (is_new)
        links.push_back(link);
      else if (links[it->second].type != link.type)
        links[it->second].type = "several";
    }
    d_.boxes = std::move(boxes), d_.links = std::move(links);
  }

 private:
  int root(int box) const {
    while (!is_visible(box)) box = stands_for_[static_cast<size_t>(box)];
    return box;
  }

  Drawing& d_;
  std::vector<int> stands_for_;
  std::map<int, std::map<std::string, int>> titles_;
  int hidden_ = 0;
};

}  // namespace

void collapse(Drawing& d, int max_boxes) {
  if (static_cast<int>(d.boxes.size()) <= max_boxes) return;
  Collapser collapser(d);
  const std::vector<int> depth = depths(d);
  for (int level = *std::max_element(depth.begin(), depth.end());
       level > 0 && collapser.visible() > max_boxes; --level) {
    std::map<int, std::vector<int>> members;  // of the groups of this level
    for (size_t b = 0; b < d.boxes.size(); ++b)
      if (collapser.is_visible(static_cast<int>(b)) &&
          depth[static_cast<size_t>(d.boxes[b].group)] == level)
        members[d.boxes[b].group].push_back(static_cast<int>(b));
    std::vector<std::pair<int, int>> order;  // the largest first
    for (const auto& [group, list] : members)
      if (d.groups[static_cast<size_t>(group)].kind != Group::Kind::part && list.size() > 1)
        order.emplace_back(-static_cast<int>(list.size()), group);
    std::sort(order.begin(), order.end());
    for (const auto& [size, group] : order) {
      if (collapser.visible() <= max_boxes) break;
      const Group& g = d.groups[static_cast<size_t>(group)];
      collapser.put_together(members[group], g.parent, g.title, g.tooltip);
    }
  }
  // What is left stands in the parts themselves.
  const int excess = collapser.visible();
  if (excess > 2 * max_boxes) {
    const auto run = static_cast<size_t>(excess / max_boxes + 1);
    std::map<std::pair<int, ir::Part>, std::vector<int>> loose;
    for (size_t b = 0; b < d.boxes.size(); ++b)
      if (collapser.is_visible(static_cast<int>(b)))
        loose[{d.boxes[b].group, d.boxes[b].part}].push_back(static_cast<int>(b));
    for (const auto& [key, list] : loose)
      for (size_t i = 0; i + 1 < list.size(); i += run)
        collapser.put_together(
            {list.begin() + static_cast<std::ptrdiff_t>(i),
             list.begin() + static_cast<std::ptrdiff_t>(std::min(i + run, list.size()))},
            key.first, "a run of nodes", "");
  }
  collapser.finish();
}

}  // namespace weft::inspect
