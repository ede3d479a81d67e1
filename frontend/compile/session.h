// frontend/compile/session.h -- a graph taken through its stages, and run.
//
//   Program step = Program::training(loss, {.kind = OptimizerKind::adam}, {.backend = backend});
//   ParameterStore store(seed);
//   const auto results = step.run(store, {{"source", ids}, ..., {"lr", rate}});  // updates `store`
//
// Executables belong to sizes; a program keeps those it has made, and drops the least recently used
// first. Updated parameters and states are written back to the store, in place if possible.
#pragma once
#include "autodiff/policy.h"
#include "backends/backend.h"
#include "frontend/compile/optimizer.h"
#include "frontend/compile/stages.h"
#include "frontend/store/parameter_store.h"
#include "ir/host/named_arrays.h"
#include "ir/passes/pipeline.h"

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

struct ProgramOptions {
  std::shared_ptr<backends::Backend> backend;  // needed
  backends::CompileOptions compile = {};
  std::vector<std::string> disabled_passes = {};
  ir::Precision precision = ir::Precision::f32;  // of products; parameters are f32 in any case
  int64_t cache_bytes = int64_t{2} << 30;        // of all executables kept; one is always kept
  ir::DType real = ir::DType::f32;  // of float results: f64 is for the reference backend
  bool optimize = true;             // off: run as built (differentiated as built)
  std::function<void(std::string_view pass, const ir::Graph& before, const ir::Graph& after)>
      observe = {};
  // Of a training step: bytes that parameters, optimiser state and the arena may take together when
  // its symbols have these sizes; 0: no limit. What is kept for the backward pass is computed again
  // instead, by the cheapest policy that fits.
  int64_t memory_budget = 0;
  ir::Bindings budget_sizes = {};
};

// How a memory budget was met.
struct BudgetChoice {
  autodiff::ResidualPolicy policy;
  int64_t bytes = 0, unlimited_bytes = 0;  // with that policy, without a budget
  int64_t stored_bytes = 0;                // of both: parameters and optimiser state
  double flops = 0, unlimited_flops = 0;   // of a step's matrix products

  // "memory budget 200.0 MB: ... needed instead of ...; recomputes ..., 12 % more arithmetic"
  std::string text(int64_t budget) const;
};

struct CacheStatistics {
  int64_t runs = 0, compiled = 0, evicted = 0;
  int64_t entries = 0, bytes = 0;  // now
  double compile_seconds = 0;
};

// A program bound to arguments and results that stay where they are, to be run again and again: a
// run allocates nothing and looks nothing up. An input that has the name and type of a result is
// carried: the result is written over it, and so is what the caller gave. Parameters are those the
// store had when this was made; what depends on them alone is computed once, and so is the layout
// in which products read them, until the store changes.
class RepeatedRun {
 public:
  ir::Array* find_input(std::string_view name);               // null: the graph has none
  ir::Array& input(std::string_view name);                    // GraphError where there is none
  const ir::Array* find_result(std::string_view name) const;  // null: the graph has none
  const ir::Array& result(std::string_view name) const;
  void run();

 private:
  friend class Program;
  std::shared_ptr<backends::Executable> executable_;
  std::vector<ir::Array> arguments_, results_;
  std::vector<std::string> input_names_, result_names_;
  std::vector<size_t> inputs_;  // by name: its argument
};

class Program {
 public:
  // The graph as it is.
  static Program inference(const ir::Graph& built, const ProgramOptions& options);
  // One training step: `loss` differentiated by every trainable parameter, gradients clipped, the
  // parameters updated. One more input, lr: f32[]; one more result, gradient_norm: f32[].
  // Throws GraphError, naming the least that is needed, where a memory budget cannot be met.
  static Program training(const ir::Graph& built, const OptimizerSettings& settings,
                          const ProgramOptions& options, const std::string& loss = "loss");
  // The two halves of a training step whose batch comes in parts (training_program.h). The first
  // one adds the gradients of a part to sums, the second one divides these by all parts' weight
  // and updates. `other_bytes`: what is stored besides, of a memory budget.
  static Program accumulate(const ir::Graph& built, const ProgramOptions& options,
                            const std::string& loss, const std::string& weight,
                            int64_t other_bytes = 0);
  static Program apply(const ir::Graph& built, const OptimizerSettings& settings,
                       const ProgramOptions& options, const std::string& weight);

  // built, fused, differentiated (training only), optimised
  const std::vector<Stage>& stages() const { return stages_.stages; }
  const ir::Graph& stage(std::string_view name) const { return stages_.at(name); }
  const ir::Graph& graph() const { return stages_.graph(); }
  const std::vector<ir::Note>& notes() const { return stages_.notes; }
  // Set where there was a memory budget.
  const std::optional<BudgetChoice>& budget() const { return budget_; }
  // All passes, with `differentiate` and `append_optimizer` between them, as `observe` saw them.
  const std::vector<ir::PassRecord>& passes() const { return stages_.records; }

  // Inputs by name (what the graph does not take is left alone). Results named after
  // a parameter or state (output_name of its path) are stored; the others are returned.
  ir::NamedArrays run(ParameterStore& store, const ir::NamedArrays& inputs);
  // The same inputs and results for many runs. GraphError where a result goes back to the store.
  RepeatedRun repeated(ParameterStore& store, const ir::NamedArrays& inputs);
  // The executable for the sizes of these inputs, made if it is not there.
  backends::Executable& executable(ParameterStore& store, const ir::NamedArrays& inputs);

  // Of all executables kept.
  std::vector<backends::Report> reports() const;
  void reset_timings();  // of the runs so far (backends/backend.h)
  const CacheStatistics& statistics() const { return statistics_; }
  const ProgramOptions& options() const { return options_; }

 private:
  struct Entry {
    ir::Bindings bindings;
    std::shared_ptr<backends::Executable> executable;
    std::vector<ir::Dims> results;
    int64_t bytes = 0;
  };

  struct Repeated;  // the graph in two: what is computed once, and what is run again

  explicit Program(const ProgramOptions& options);
  RepeatedRun bound(ParameterStore& store, const ir::NamedArrays& inputs);
  // What is done with the gradients that a differentiated graph ends with.
  struct Ending {
    std::string_view name;
    std::function<ir::Graph(const ir::Graph&, const std::vector<std::string>& paths)> append;
  };
  static Program step(const ir::Graph& built, const Ending& ending, const ProgramOptions& options,
                      const std::string& loss, const autodiff::ResidualPolicy& policy);
  static Program within_budget(const ir::Graph& built, const Ending& ending,
                               const ProgramOptions& options, const std::string& loss,
                               int64_t other_bytes);
  void go_through_stages(const ir::Graph& built, std::vector<StageStep> middle,
                         std::vector<StageStep> end);
  std::vector<ir::Array> arguments(ParameterStore& store, const ir::NamedArrays& inputs) const;
  Entry& entry_for(const std::vector<ir::Array>& arguments);

  ProgramOptions options_;
  Stages stages_;
  std::optional<BudgetChoice> budget_;
  std::vector<int> stored_;   // for each result: the argument it goes back to, or -1
  std::list<Entry> entries_;  // most recently used first
  std::shared_ptr<Repeated> repeated_;
  CacheStatistics statistics_;
};

}  // namespace weft
