// frontend/inspect/drawing/drawing.h -- what a picture of a graph shows: boxes, links, nested groups.
//
// A box is a node of the graph or an argument. What would only tangle the picture is no link but a
// row inside the box that reads it: constants, parameters and state, values read in many places,
// and what the backward pass keeps of the forward pass. The body of a scan is a group of its own:
// carries and scanned inputs stand in it as small boxes, invariants are drawn as what they are
// outside.
//
// Groups are, from outside: the part (forward, backward, optimizer), scopes, loops. Groups beside
// each other that hold the same (the layers of a stack) are drawn once, with their number. Where a
// graph has more boxes than `max_boxes`, the innermost groups with the most boxes become one box
// each.
#pragma once
#include "ir/graph.h"

#include <string>
#include <vector>

namespace weft::inspect {

struct Row {  // inside a box: an operand that is not drawn as a link, or an attribute
  enum class Kind { attribute, constant, parameter, state, input, reference } kind;
  std::string label, text;  // "b", "attention/W"
};

struct Box {
  enum class Kind {
    op,
    fused,
    input,
    parameter,
    state,
    carry,
    scanned,
    output,
    collapsed
  } kind = Kind::op;
  ir::Part part = ir::Part::forward;
  std::string title, name, type;  // "matmul", "%q", "f32[B,A]"
  std::string tooltip;
  std::vector<Row> rows;
  int group = 0;
  int nodes = 1;                    // of the graph, that it stands for
  std::vector<std::string> values;  // names of all values that it makes, "%q"
};

struct Link {
  int from = 0, to = 0;
  std::string type;
  enum class Kind { data, recurrence } kind = Kind::data;
  bool operator==(const Link&) const = default;
};

struct Group {
  enum class Kind { whole, part, scope, loop } kind = Kind::whole;
  std::string title, tooltip;
  ir::Part part = ir::Part::forward;
  int parent = -1;
  int times = 1;  // so many like this one stand in a row
};

struct Drawing {
  std::string title;
  std::vector<Box> boxes;
  std::vector<Link> links;
  std::vector<Group> groups;  // groups[0] is the whole; a parent comes before its children
};

struct DrawOptions {
  std::string title;    // default: the graph's name
  int max_boxes = 220;  // more than this are drawn collapsed
  bool repeats = true;  // equal groups beside each other are drawn once
  // Only what is at most `radius` links from the value (or all of the scope, or all nodes of the
  // op) of this name. GraphError where there is none.
  std::string focus;
  int radius = 2;
};

Drawing draw(const ir::Graph& graph, const DrawOptions& options = {});

}  // namespace weft::inspect
