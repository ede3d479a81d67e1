// backends/onednn/plan/planner.h -- the order of the work and a place for every value, and the
// kernels between them.
//
// One walk over the units (a node, or a group of elementwise nodes) in graph order:
//   - a view (reshape, slice, transpose, broadcast ...) becomes an alias of its operand where all
//   of
//     its readers can follow the strides, else a copy;
//   - unpacked rows that loops run over, in the order of their lengths, are read packed;
//   - a value that leaves the graph is written straight where it has to end (a result's buffer, a
//     carry's next slot, a step of a stacked output), unless another output has claimed it;
//   - an elementwise result takes over the buffer of an operand that nobody reads again;
//   - a result that is read transposed lies so that the transposed one is dense, where its kernel
//     writes any rows (Layout::inner) and its other readers read them so;
//   - what a loop stacks of a carry, before and after its steps, is one list of states;
//   - everything else is taken from the arena (best fit) and given back after its last reader.
// The same walk plans the body of a loop (lower/scan.cpp) with an arena of its own.
#pragma once
#include "backends/backend.h"
#include "backends/onednn/machine/engine.h"
#include "backends/onednn/plan/arena.h"
#include "backends/onednn/plan/lowering.h"
#include "backends/onednn/plan/row_bounds.h"
#include "backends/onednn/plan/row_reads.h"
#include "backends/onednn/run/program.h"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weft::onednn {

struct PlanOptions {
  bool poison = false;     // freed memory is filled with NaN
  bool check_nan = false;  // after every unit; nothing is written in place
  bool keep_all =
      false;  // no memory is used twice at top level, nothing is grouped or written in place
  bool group = true;  // chains of elementwise ops run as one kernel
};

// Bases: the arena, the constants, the arguments, the results, then those that loops move.
inline constexpr int kArenaBase = 0, kConstantsBase = 1, kArgumentBase = 2;

// Who lies where in a block's arena, and when; times are units.
struct Timeline {
  struct Tenancy {
    int64_t offset = 0, bytes = 0;
    int first = 0, last = -1;  // -1: to the end
    ir::Values values;         // none: a workspace
    int loop = -1;             // the timeline of the loop whose arena this is
  };
  std::vector<std::vector<int>> units;  // nodes of each
  std::vector<Tenancy> tenancies;
  int64_t arena_bytes = 0;

  backends::MemoryReport report(const std::deque<Timeline>& all) const;
};

std::string place_text(Ref at);  // "arena+4096", "b3+64"

// What all blocks of an executable share.
struct Plan {
  const Engine* engine = nullptr;
  PlanOptions options;
  int bases = kArgumentBase;
  int loops = 0;  // loop nesting counters
  std::vector<char> constants;
  std::deque<Program> programs;  // [0] is the whole; the others are bodies
  // Made of fixed arguments once, and kept: weights that are packed (Emit::packed).
  struct Packed {
    backends::Shared::Made* made;
    int argument_base, base;  // of what, and where it lies
    int64_t bytes;
    Program make;
  };
  backends::Shared* shared = nullptr;
  std::vector<bool> fixed;  // by base
  std::deque<Packed> packed;
  std::deque<Timeline> timelines;
  int64_t arena_bytes = 0;
  std::string text;  // `weft dump --stage planned`

  int new_base() { return bases++; }
  int new_loop() { return loops++; }
  Ref add_constant(const void* data, int64_t bytes);
};

// Nodes that run as one kernel, executed at the place of the last; single nodes are groups of one.
std::vector<std::vector<int>> group_elementwise(const ir::Graph& graph, bool enabled);

class Block {
 public:
  // `rows`: of a loop's body, those that may end.
  Block(Plan& plan, const ir::Graph& graph, Program& program, int arena_base, int depth,
        const BodyRows* rows = nullptr);

  // The rows of this body end with `lengths`, its step is counted at `counter`.
  void set_lengths(Tensor lengths, int counter) {
    lengths_ = std::move(lengths), counter_ = counter;
  }

  // This is the body of a loop, which `outer` lowers.
  void set_loop(Emit* outer, int64_t steps) { outer_ = outer, steps_ = steps; }

  void place_argument(int argument, Tensor place);
  void target_output(int output, Tensor place);
  // Whether every reader of an argument can read it as it lies.
  bool argument_fits(int argument, const Tensor& place) const;
  bool wants_padding(ir::Value v) const;  // a matrix product reads it
  std::optional<Ref> packed(const Tensor& b, Emit& e);
  void lower();

  // Of an argument, the last unit that reads it; of an output, the first that writes its target. An
  // output that is copied last counts as a unit of its own behind all others.
  int last_read(int argument) const;
  int first_write(int output) const { return first_write_[static_cast<size_t>(output)]; }
  // Output written over argument by one unit that reads and writes element by element.
  bool updates_in_place(int argument, int output) const;

  const Tensor& place(ir::Value v) const { return places_[static_cast<size_t>(v.id)]; }
  int64_t arena_bytes() const { return arena_.peak(); }
  const Arena& arena() const { return arena_; }
  int timeline() const { return timeline_; }
  Plan& plan() const { return plan_; }
  const ir::Graph& graph() const { return graph_; }
  int depth() const { return depth_; }
  EndedRows& ended_rows() { return ended_rows_; }

 private:
  friend class Emit;
  struct Unit {
    std::vector<int> nodes;
    const Lowering* lowering;
    ir::Values inputs;  // from outside the unit, each once
  };
  struct Buffer {
    int64_t offset, bytes;
    int readers;  // units and outputs that have still to read it or a view of it
    int tenancy;  // of the timeline
  };

  const ir::Node& node_of(const Unit& u) const {
    return graph_.nodes()[static_cast<size_t>(u.nodes.back())];
  }
  Layout layout_of(const Unit& u, ir::Value operand) const;
  bool all_readers_accept(ir::Value v, const Tensor& place) const;
  void claim_targets();
  void materialise_arguments();
  void lower_unit(int index);
  bool lower_view(const Unit& u);
  std::optional<Tensor> view_of_packed(const ir::Node& node);
  void place_results(int index);
  Dims result_strides(const Unit& u, ir::Value y) const;
  bool has_place(ir::Value v) const { return places_[static_cast<size_t>(v.id)].at.base >= 0; }
  void place_alone(const Unit& u, ir::Value y);
  void place_states(const ir::Node& scan);
  bool bodies_accept(ir::Value v, const Tensor& place) const;
  bool place_in_concat(const Unit& u, ir::Value y);
  bool place_over_operand(const Unit& u, int result);
  Tensor take(ir::Value v, Dims strides);  // for the buffer made next
  // Of the arena, for a value or (not valid) as a workspace.
  int64_t take_bytes(int64_t bytes, ir::Value v, int loop = -1);
  int add_buffer(const Tensor& place, int readers);
  void count_bytes(const Unit& u, size_t first_kernel);
  void release(ir::Value v);
  void free_buffer(int64_t offset, int64_t bytes);
  void copy_outputs();
  void find_last_reads();
  void count_rows(int count);
  void check_for_nan(const Unit& u);
  void describe(Kernel& kernel, Emit& e) const;
  std::string operands_and_results(const Emit& e) const;
  void set_place(ir::Value v, Tensor place, int buffer);

  Plan& plan_;
  const ir::Graph& graph_;
  Program* program_;
  const int arena_base_, depth_;
  Arena arena_;
  std::vector<Unit> units_;
  std::vector<std::vector<int>> readers_;  // by value: units, and -1 for each output
  std::vector<int> unit_of_;               // by node
  std::vector<Tensor> places_;             // by value
  std::vector<int> buffer_;                // by value; -1: not in this block's arena
  std::vector<Buffer> buffers_;
  std::vector<Tensor> targets_;   // by output
  std::vector<int> claims_;       // by value: the output whose target it is written to, or -1
  std::vector<int> first_write_;  // by output
  std::vector<int> last_read_;    // by value; its views' readers count
  std::vector<int> alias_of_;     // by value: the value it is a view of, or -1
  RowBounds bounds_;
  EndedRows ended_rows_;
  std::vector<Ref> count_at_;  // by count of bounds_; base -1: not counted yet
  Tensor lengths_;             // of a body's rows
  Emit* outer_ = nullptr;      // of the loop whose body this is
  int64_t steps_ = 0;
  std::vector<std::pair<Tensor, Ref>> packed_;  // matrices, and where they lie packed
  int counter_ = -1;
  int timeline_ = 0, now_ = 0;   // now: the unit being lowered
  std::map<int64_t, int> open_;  // tenancies that have not ended, by offset
};

}  // namespace weft::onednn
