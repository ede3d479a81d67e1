// frontend/inspect/drawing/repeats.cpp -- layers of a stack are drawn once.
//
// Two groups hold the same when their boxes, in order, have the same titles, types and rows but for
// names, and their inner groups hold the same. Box i of one then stands for box i of the other.
#include "frontend/inspect/drawing/collapse.h"

#include <algorithm>
#include <map>
#include <set>

namespace weft::inspect {
namespace {

// What a row says apart from names: of a parameter its type; streams of random numbers are names.
std::string without_names(const Row& row) {
  if (row.kind == Row::Kind::attribute && row.label == "stream") return {};
  const std::string head = std::to_string(static_cast<int>(row.kind)) + row.label + "=";
  if (row.kind == Row::Kind::attribute || row.kind == Row::Kind::constant) return head + row.text;
  const size_t type = row.text.find("  ");
  return type == row.text.npos ? head : head + row.text.substr(type);
}

class Folder {
 public:
  explicit Folder(Drawing& d)
      : d_(d), members_(d.groups.size()), children_(d.groups.size()), signature_(d.groups.size()) {
    for (size_t b = 0; b < d.boxes.size(); ++b)
      members_[static_cast<size_t>(d.boxes[b].group)].push_back(static_cast<int>(b));
    for (size_t g = 1; g < d.groups.size(); ++g)
      children_[static_cast<size_t>(d.groups[g].parent)].push_back(static_cast<int>(g));
    for (size_t g = d.groups.size(); g-- > 0;) signature_[g] = signature(static_cast<int>(g));
    for (size_t b = 0; b < d.boxes.size(); ++b) stands_for_.push_back(static_cast<int>(b));
    dropped_.resize(d.groups.size());
  }

  void run() {
    bool any = false;
    for (size_t g = 0; g < children_.size(); ++g)
      if (!dropped_[g]) any = fold(children_[g]) || any;
    if (any) finish();
  }

 private:
  std::string signature(int group) const {
    std::string s = "{";
    for (const int b : members_[static_cast<size_t>(group)]) {
      const Box& box = d_.boxes[static_cast<size_t>(b)];
      s += std::to_string(static_cast<int>(box.kind)) + box.title + ":" + box.type;
      for (const Row& row : box.rows) s += "," + without_names(row);
      s += ";";
    }
    for (const int c : children_[static_cast<size_t>(group)])
      s += d_.groups[static_cast<size_t>(c)].title + signature_[static_cast<size_t>(c)];
    return s + "}";
  }

  int boxes_in(int group) const {
    auto n = static_cast<int>(members_[static_cast<size_t>(group)].size());
    for (const int c : children_[static_cast<size_t>(group)]) n += boxes_in(c);
    return n;
  }

  bool fold(const std::vector<int>& siblings) {
    std::map<std::string, std::vector<int>> equal;
    for (const int g : siblings)
      if (d_.groups[static_cast<size_t>(g)].kind != Group::Kind::part && boxes_in(g) > 1)
        equal[signature_[static_cast<size_t>(g)]].push_back(g);
    bool any = false;
    for (const auto& [signature, groups] : equal) {
      if (groups.size() < 2) continue;
      any = true;
      Group& first = d_.groups[static_cast<size_t>(groups.front())];
      first.times = static_cast<int>(groups.size());
      first.tooltip = first.title + " ... " + d_.groups[static_cast<size_t>(groups.back())].title;
      for (size_t i = 1; i < groups.size(); ++i) merge(groups.front(), groups[i]);
    }
    return any;
  }

  void merge(int into, int from) {
    dropped_[static_cast<size_t>(from)] = true;
    const auto &a = members_[static_cast<size_t>(into)], &b = members_[static_cast<size_t>(from)];
    for (size_t i = 0; i < a.size(); ++i) {
      stands_for_[static_cast<size_t>(b[i])] = a[i];
      d_.boxes[static_cast<size_t>(a[i])].nodes += d_.boxes[static_cast<size_t>(b[i])].nodes;
    }
    const auto &c = children_[static_cast<size_t>(into)], &d = children_[static_cast<size_t>(from)];
    for (size_t i = 0; i < c.size(); ++i) merge(c[i], d[i]);
  }

  // The box that is drawn: what one stands for may stand for another, of an equal group within.
  int root(int box) const {
    while (stands_for_[static_cast<size_t>(box)] != box)
      box = stands_for_[static_cast<size_t>(box)];
    return box;
  }

  void finish() {
    std::vector<int> number(d_.boxes.size(), -1), group_number(d_.groups.size(), -1);
    std::vector<Group> groups;
    for (size_t g = 0; g < d_.groups.size(); ++g) {
      if (dropped_[g]) continue;
      group_number[g] = static_cast<int>(groups.size());
      groups.push_back(d_.groups[g]);
      if (groups.back().parent >= 0)
        groups.back().parent = group_number[static_cast<size_t>(groups.back().parent)];
    }
    std::vector<Box> boxes;
    for (size_t b = 0; b < d_.boxes.size(); ++b) {
      if (stands_for_[b] != static_cast<int>(b)) continue;
      number[b] = static_cast<int>(boxes.size());
      boxes.push_back(d_.boxes[b]);
      boxes.back().group = group_number[static_cast<size_t>(boxes.back().group)];
    }
    std::vector<Link> links;
    std::set<std::tuple<int, int, Link::Kind>> seen;
    for (Link link : d_.links) {
      const bool folded = root(link.from) != link.from || root(link.to) != link.to;
      const bool both = d_.boxes[static_cast<size_t>(link.from)].group !=
                        d_.boxes[static_cast<size_t>(link.to)].group;
      link.from = root(link.from), link.to = root(link.to);
      // From one layer to the next: against the order of the boxes.
      if (folded && both && link.from >= link.to) link.kind = Link::Kind::recurrence;
      link.from = number[static_cast<size_t>(link.from)];
      link.to = number[static_cast<size_t>(link.to)];
      if (seen.insert({link.from, link.to, link.kind}).second) links.push_back(link);
    }
    d_.groups = std::move(groups), d_.boxes = std::move(boxes), d_.links = std::move(links);
  }

  Drawing& d_;
  std::vector<std::vector<int>> members_, children_;  // by group
  std::vector<std::string> signature_;
  std::vector<int> stands_for_;  // by box
  std::vector<bool> dropped_;    // by group
};

}  // namespace

void fold_repeats(Drawing& drawing) { Folder(drawing).run(); }

}  // namespace weft::inspect
