// backends/onednn/plan/row_bounds.h -- rows that need not be computed, and which value says
// at run time how many there are.
//
// What `pack` makes has its real rows first; in a loop with lengths no row lives behind the last
// live one. A node that treats rows one by one then works on the first `count` rows only, if
//   - its kernels can (Lowering::bounded), and
//   - nobody reads the others: every reader is such a node, an `unpack`, attention between packed
//     sequences, or a sum over rows that stops at the same count, which it may where the rows
//     behind are zeros by the meaning of the graph.
// Rows behind the count are then neither written nor read.
#pragma once
#include "backends/onednn/plan/program.h"
#include "ir/graph.h"
#include "ir/rules/row_use.h"

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

namespace weft::onednn {

struct Lowering;

// The first `*count` (an int64_t) of all rows, as seen by `rows` rows from `first` on.
struct RowBound {
  Ref count;
  int64_t rows = 0, first = 0;
  bool live = false;  // of a loop's step

  int64_t operator()(const Run& run) const {
    return std::clamp(*run.at<int64_t>(count) - first, int64_t{0}, rows);
  }
  // For products whose bits depend on the row count: live rows rounded up to a multiple of 8. Those
  // behind the count are computed of whatever they hold.
  int64_t rounded_up(const Run& run) const {
    const int64_t n = (*this)(run);
    return live ? std::min(rows, (n + 7) / 8 * 8) : n;
  }
  // Of `whole` things, as many to each row.
  int64_t of(const Run& run, int64_t whole) const {
    return rows == 0 ? 0 : whole / rows * (*this)(run);
  }
};

// Of `n` of those rows, from the `first` on.
inline std::optional<RowBound> within(const std::optional<RowBound>& bound, int64_t first,
                                      int64_t n) {
  return bound ? std::optional(RowBound{bound->count, n, bound->first + first, bound->live})
               : std::nullopt;
}

// A body's rows: which arguments are led by them, and which outputs need rows that have ended.
struct BodyRows {
  std::vector<bool> arguments, whole_outputs;
};

class RowBounds {
 public:
  // Of real rows (lengths, steps) or, lengths invalid, of a body's live rows.
  struct Count {
    ir::Value lengths;
    int64_t steps = 0, rows = 0;
  };

  RowBounds() = default;
  RowBounds(const ir::Graph& graph, std::span<const Lowering> lowerings, const BodyRows* body);

  const std::vector<Count>& counts() const { return counts_; }
  int of_node(int node) const {
    return node_.empty() ? -1 : node_[static_cast<size_t>(node)];
  }  // -1: none
  bool any() const;

 private:
  void find_led(const BodyRows* body);
  void find_bounded();
  int count_of(const Count& count);    // its number
  int count_of(const ir::Node& node);  // of pack and unpack
  bool find_packed_attention(const ir::Node& node);
  std::vector<bool> led(const ir::Node& node, int count) const;
  ir::RowUse use(const ir::Node& node, int count) const;
  bool adds_nothing(const ir::Node& node, int count) const;

  const ir::Graph* graph_ = nullptr;
  std::span<const Lowering> lowerings_;
  std::vector<Count> counts_;
  std::vector<int> led_by_;         // by value: the count of the rows it is led by; -1: none
  std::vector<bool> zero_, whole_;  // by value: rows behind are zero; somebody reads them
  std::vector<int> node_;           // by node
};

}  // namespace weft::onednn
