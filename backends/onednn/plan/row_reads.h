// backends/onednn/plan/row_reads.h -- which readers see rows that have ended.
//
// By its meaning a loop with lengths keeps a carry's row once its sequence has ended, and stacks
// zeros for it. Where no reader can tell, neither is done:
//   - a stacked result's ended rows may hold anything if it is read by `pack` within the same
//     lengths, by loops with these lengths, and by elementwise ops of whose results the same holds;
//   - a carry's ended rows may hold anything in the body if nothing that counts depends on them
//     (ir/passes/padding/ended_rows.h); what the loop returns is put aside when the row ends.
// Then a carry needs no slots of its own where the loop stacks it.
#pragma once
#include "ir/graph.h"

#include <map>
#include <utility>
#include <vector>

namespace weft::onednn {

class RowReads {
 public:
  // `all_read`: every value is inspected.
  explicit RowReads(const ir::Graph& graph, bool all_read = true);

  // Is v scanned by this loop, which has these lengths, and are its ended rows ignored there?
  bool scans_live_rows(const ir::Node& loop, ir::Value v, ir::Value lengths);
  bool stacked_are_read(const ir::Node& scan, int result);
  bool carried_are_read(const ir::Node& scan, int carry);

  // Which stacked results (by number, -1: none) hold a carry as each step finds it, and as it
  // leaves it. Both together are one list of steps + 1 states, if they are laid out so.
  struct States {
    int before = -1, after = -1;
  };
  States states_of(const ir::Node& scan, int carry);

 private:
  bool counts(const ir::Node& scan, size_t argument);
  bool are_read(ir::Value v, ir::Value lengths);
  bool find_reader(ir::Value v, ir::Value lengths);

  const ir::Graph* graph_;
  std::vector<std::vector<int>> readers_;  // by value
  bool all_read_;
  // What was found.
  std::map<const ir::Node*, std::vector<bool>> counts_;
  std::map<std::pair<int, int>, bool> read_;
};

}  // namespace weft::onednn
