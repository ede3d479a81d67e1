// frontend/inspect/lineage.h -- which node of a graph is which node of the graph after a pass.
//
// Passes make new graphs and keep no track of nodes. A node counts as the same where op,
// attributes, types and provenance are; else, as changed, where op and provenance are; what is left
// is new, and came from those nodes that are gone and stood for some of the same nodes of the
// user's.
//
// Nothing is thrown.
#pragma once
#include "ir/graph.h"

#include <map>
#include <string>
#include <vector>

namespace weft::inspect {

// A node or an argument of a graph or of a region in it, in order, regions behind their node.
struct Place {
  const ir::Graph* graph = nullptr;
  int node = -1;  // -1: an argument
  int argument = -1;
  int parent = -1;  // the place of the node whose region it is in
  int region = 0;   // which
};
std::vector<Place> places(const ir::Graph& graph);

class Lineage {
 public:
  struct Birth {
    int step = 0;           // the pass that made it; 0: the user
    std::vector<int> from;  // numbers of nodes that it took the place of
  };

  // Numbers for the places of the next graph: old ones for what is still there.
  std::vector<int> next(const std::vector<Place>& places);

  const std::vector<Birth>& births() const { return births_; }  // by number
  // Of the last graph.
  int added() const { return added_; }
  int removed() const { return removed_; }
  int changed() const { return changed_; }

 private:
  struct Known {
    std::string exact, loose;
    ir::Origins origins;
    int number = 0;
    bool is_node = false;
  };

  std::vector<Known> last_;
  std::vector<Birth> births_;
  int step_ = -1, added_ = 0, removed_ = 0, changed_ = 0;
};

}  // namespace weft::inspect
