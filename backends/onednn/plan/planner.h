// backends/onednn/plan/planner.h -- the order of the work and a place for every value, and the
// kernels between them.
//
// One walk over the units (plan/units.h) in graph order:
//   - a view (reshape, slice, transpose, broadcast ...) becomes an alias of its operand where all
//     of its readers can follow the strides, else a copy;
//   - unpacked rows that loops run over, in the order of their lengths, are read packed;
//   - a result is placed by the first of these that can (placement.cpp):
//       at its target    what leaves the graph is written where it has to end (a result's buffer, a
//                        carry's next slot, a step of a stacked output), unless another output has
//                        claimed it;
//       with others      what a loop stacks of a carry, before and after its steps, is one list of
//                        states; a concat's operands may be there before it;
//       in a concat      what only a concat reads is written where the concat wants it;
//       over an operand  that nobody reads again, where the kernel allows it;
//       alone            in the arena (best fit), which it leaves after its last reader.
// The same walk plans the body of a loop (lower/scan.cpp) with an arena of its own.
#pragma once
#include "backends/backend.h"
#include "backends/onednn/machine/engine.h"
#include "backends/onednn/plan/buffers.h"
#include "backends/onednn/plan/lowering.h"
#include "backends/onednn/plan/offsets.h"
#include "backends/onednn/plan/program.h"
#include "backends/onednn/plan/row_bounds.h"
#include "backends/onednn/plan/row_reads.h"
#include "backends/onednn/plan/units.h"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weft::onednn {

struct PlanOptions {
  bool poison = false;     // freed memory is filled with NaN
  bool check_nan = false;  // after every unit; nothing is written in place
  bool keep_all =
      false;  // no memory is used twice at top level, nothing is grouped or written in place
  bool group = true;  // chains of elementwise ops run as one kernel
  backends::EngineChoice engine = backends::EngineChoice::best;
  bool pad_rows = true;  // of what products read (padded_strides)
};

// Bases: the arena, the constants, the arguments, the results, then those that loops move.
inline constexpr int kArenaBase = 0, kConstantsBase = 1, kArgumentBase = 2;

std::string place_text(Ref at);  // "arena+4096", "b3+64"

// What the planners of an executable share.
struct Plan {
  const Engine* engine = nullptr;
  std::span<const Lowering> lowerings;  // sorted by the ops' names
  PlanOptions options;
  int bases = kArgumentBase;
  int loops = 0;  // loop nesting counters
  std::vector<char> constants;
  std::deque<Program> programs;  // [0] is the whole; the others are bodies
  // Made of fixed arguments once, and kept: weights in another layout (Emit::packed).
  struct Packed {
    backends::Shared::Made* made;
    int argument_base, base;  // of the argument, and of its packed copy
    int64_t bytes;
    Program make;
  };
  backends::Shared* shared = nullptr;
  std::vector<bool> fixed;  // by base
  std::deque<Packed> packed;
  std::deque<Timeline> timelines;
  std::optional<Offsets> offsets;  // of the same plan, made before
  int64_t arena_bytes = 0;
  std::string text;  // `weft dump --stage planned`
  // With EngineChoice::onednn, what Weft's code does because oneDNN has no primitive for it: a line
  // for each kind of op and operands.
  std::map<std::string, std::string> refused;

  int new_base() { return bases++; }
  int new_loop() { return loops++; }
  Ref add_constant(const void* data, int64_t bytes);
};

// Places and lowers one graph, or the body of a loop.
class Planner {
 public:
  // `rows`: of a loop's body, those that may end.
  Planner(Plan& plan, const ir::Graph& graph, Program& program, int arena_base, int depth,
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
  bool argument_fits(int argument, const Tensor& place) const {
    return units_.readers_accept(graph_.arguments()[static_cast<size_t>(argument)].value, place);
  }
  bool wants_padding(ir::Value v) const { return units_.wants_padding(v); }
  std::optional<Ref> packed(const Tensor& b, const WeightLayout& layout, Emit& e);
  void lower();

  // Of an argument, the last unit that reads it; of an output, the first that writes its target. An
  // output that is copied last counts as a unit of its own behind all others.
  int last_read(int argument) const;
  int first_write(int output) const { return first_write_[static_cast<size_t>(output)]; }
  // Output written over argument by one unit that reads and writes element by element.
  bool updates_in_place(int argument, int output) const;

  const Tensor& place(ir::Value v) const { return places_[static_cast<size_t>(v.id)]; }
  int64_t arena_bytes() const { return buffers_.peak(); }
  const Arena& arena() const { return buffers_.arena(); }
  int timeline() const { return timeline_; }
  Plan& plan() const { return plan_; }
  const ir::Graph& graph() const { return graph_; }
  int depth() const { return depth_; }
  RowReads& row_reads() { return row_reads_; }

 private:
  friend class Emit;

  // One way to place a result; false: not this way.
  using PlaceResult = bool (*)(Planner&, const Unit&, int result);
  static const PlaceResult kPlaces[];
  static bool place_at_target(Planner& p, const Unit& u, int result);
  static bool placed_with_others(Planner& p, const Unit& u, int result);
  static bool place_in_concat(Planner& p, const Unit& u, int result);
  static bool place_over_operand(Planner& p, const Unit& u, int result);
  static bool place_alone(Planner& p, const Unit& u, int result);

  bool inspected() const;  // values are looked at between kernels
  void claim_targets();
  void materialise_arguments();
  void lower_unit(int index);
  bool lower_view(const Unit& u);
  std::optional<Tensor> view_of_packed(const ir::Node& node);
  std::optional<Tensor> view_of_cast(const ir::Node& node) const;
  void place_results(const Unit& u);
  bool has_place(ir::Value v) const { return place(v).at.base >= 0; }
  void place_in_arena(const Unit& u, ir::Value y);
  void place_states(const ir::Node& scan, int carry);
  Tensor take(ir::Value v, Dims strides);  // for the buffer made next
  int64_t take_bytes(int64_t bytes, ir::Value v, int loop = -1);
  void count_bytes(const Unit& u, size_t first_kernel);
  void give_back(std::optional<Buffers::Room> room);
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
  const int timeline_;
  const Units units_;
  Buffers buffers_;
  std::vector<Tensor> places_;    // by value
  std::vector<Tensor> targets_;   // by output
  std::vector<int> claims_;       // by value: the output whose target it is written to, or -1
  std::vector<int> first_write_;  // by output
  std::vector<int> last_read_;    // by value; its views' readers count
  std::vector<int> alias_of_;     // by value: the value it is a view of, or -1
  RowBounds bounds_;
  RowReads row_reads_;
  std::vector<Ref> count_at_;  // by count of bounds_; base -1: not counted yet
  Tensor lengths_;             // of a body's rows
  int counter_ = -1;
  Emit* outer_ = nullptr;  // of the loop whose body this is
  int64_t steps_ = 0;
  std::vector<LaidOut> packed_;
};

}  // namespace weft::onednn
