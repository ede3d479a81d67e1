// frontend/inspect/json.cpp -- a drawing as JSON; dot.h says what is in it.
#include "frontend/inspect/drawing/dot.h"

#include <nlohmann/json.hpp>

namespace weft::inspect {
namespace {

constexpr const char* kParts[] = {"forward", "backward", "optimizer"};
constexpr const char* kRows[] = {"attribute", "constant", "parameter",
                                 "state",     "input",    "reference"};
constexpr const char* kBoxes[] = {"op",    "fused",   "input",  "parameter", "state",
                                  "carry", "scanned", "output", "collapsed"};
constexpr const char* kGroups[] = {"whole", "part", "scope", "loop"};

template <typename Names, typename Kind>
const char* name_in(const Names& names, Kind kind) {
  return names[static_cast<int>(kind)];
}

}  // namespace

std::string json(const Drawing& drawing) {
  using Json = nlohmann::ordered_json;
  Json groups = Json::array(), boxes = Json::array(), links = Json::array();
  for (const Group& g : drawing.groups)
    groups.push_back({{"kind", name_in(kGroups, g.kind)},
                      {"title", g.title},
                      {"part", name_in(kParts, g.part)},
                      {"parent", g.parent},
                      {"times", g.times}});
  for (const Box& b : drawing.boxes) {
    Json rows = Json::array();
    for (const Row& r : b.rows)
      rows.push_back({{"kind", name_in(kRows, r.kind)}, {"label", r.label}, {"text", r.text}});
    boxes.push_back({{"kind", name_in(kBoxes, b.kind)},
                     {"title", b.title},
                     {"values", b.values},
                     {"type", b.type},
                     {"part", name_in(kParts, b.part)},
                     {"group", b.group},
                     {"nodes", b.nodes},
                     {"rows", std::move(rows)},
                     {"tooltip", b.tooltip}});
  }
  for (const Link& l : drawing.links)
    links.push_back({{"from", l.from},
                     {"to", l.to},
                     {"type", l.type},
                     {"kind", l.kind == Link::Kind::data ? "data" : "recurrence"}});
  return Json{{"title", drawing.title}, {"groups", groups}, {"boxes", boxes}, {"links", links}}
             .dump(1, ' ', false, Json::error_handler_t::replace) +
         "\n";
}

}  // namespace weft::inspect
