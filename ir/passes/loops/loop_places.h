// ir/passes/loops/loop_places.h -- which nodes of a loop recur, and where the others may go (an
// analysis).
//
// The first half of split_scan, which moves them. A node is hoisted when it depends on invariants
// only; done before the loop when it depends on what is scanned; after it when no carry that stays
// needs it. A carry that only adds up what does not recur is an accumulator: its sum is made
// outside.
#pragma once
#include "ir/ops/scan.h"
#include "ir/passes/padding/ended_rows.h"
#include "ir/rules/batching.h"

namespace weft::ir {

enum class Place : uint8_t { loop, hoisted, before, after };

// How the sum over all steps of a body value can be made outside: by the op's batching rule, by
// sums of what is added, through what is linear, or of the value of each step.
enum class SumStep : uint8_t { none, rule, add, linear, each };

class LoopPlaces {
 public:
  LoopPlaces(const Graph& graph, const Node& scan);

  const Graph& body;
  const ops::ScanParts parts;
  Dim batch;                     // rows, where there are lengths
  Value live;                    // the body's argument, or invalid
  std::vector<bool> invariant;   // per value: from invariants only
  std::vector<int> accumulator;  // per carry: node that adds, or -1
  std::vector<Place> place;      // per node
  EndedRows ended;

  bool worthwhile() const;  // does anything leave the loop?
  // The live mask in some shape is made anew where it is needed; it never crosses the loop's
  // border.
  bool is_mask(Value v) const { return live.valid() && is_live_mask(body, v, live); }
  // Is it known in the loop only, so that what moves out must have it stacked?
  bool of_loop(Value v) const;
  Place place_of(Value v) const;  // of the node that makes it
  bool is_accumulating_add(size_t node) const;
  Value contribution(size_t carry) const;  // what an accumulator adds up
  // each for results that something outside an accumulation reads, nothing for the others.
  Wants each_wants(const Node& node) const;
  SumStep sum_step(const Node& node, size_t result) const;
  // May the loop stack the value: is it no larger than the state, and led by the rows?
  bool stackable(Value v) const;
  // Could the node be done for all steps at once, were its operands stacked?
  bool can_batch_each(const Node& node) const {
    return can_batch(node, Wants(node.results.size(), Want::each));
  }

 private:
  void analyse(const OpView& scan);
  void mark_forward();
  void mark_recurring();
  void measure_state();
  void place_nodes();
  void place_before();
  void place_after();
  bool keep_unstackable();  // in the loop what would stack too much; true if any
  bool is_invariant_argument(Value v) const;
  bool is_accumulator_carry(Value v) const;
  bool read_in_loop_only(const Node& node) const;
  bool moves_after(const Node& node) const;
  bool can_batch(const Node& node, const Wants& wants) const;
  bool can_batch_some(const Node& node) const;
  bool can_sum(Value v, int depth) const;
  bool size_allows(const Node& node, const Flags& lifted) const;
  Flags lifted_flags(const Node& node) const;

  std::vector<std::vector<int>> readers_;
  std::vector<bool> forward_;  // per value: from no carry
  std::vector<bool> recurs_;   // per value: some kept carry needs it
  size_t state_ = 0;           // symbols in the largest carry, slice or stacked output
};

// Contractions, look-ups and what stands for several ops: worth doing for all steps at once.
bool is_heavy(const Node& node);

// Constants and iotas: made anew wherever they are read.
inline bool is_trivial(const Node& node) { return node.operands.empty(); }

}  // namespace weft::ir
