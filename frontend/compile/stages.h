// frontend/compile/stages.h -- the one way of a graph through the compiler, stage by stage.
//
//   built           as it was written
//   fused           patterns recognised, loops taken apart
//   ...             what the plan puts between: gradients, an optimiser's update
//   optimised       as it is lowered
//
//   StagePlan plan{.middle = {{"differentiate", by_loss, "differentiated"}}};
//   const Stages stages = compile_stages(built, plan);
//
// Throws GraphError: of a pass to leave out that there is not, and what steps throw.
#pragma once
#include "backends/backend.h"
#include "ir/passes/pipeline.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

struct Stage {
  std::string name;
  ir::Graph graph;
};

// What is no pass but stands among them: recorded and observed like one. Its name must stay: a
// literal.
struct StageStep {
  std::string_view name;
  std::function<ir::Graph(const ir::Graph&)> work;
  std::string stage = {};  // what comes out is the stage of this name; empty: none
};

using Evaluate = std::function<std::vector<ir::Array>(const ir::Graph&)>;
// Folds constants: runs graphs of constants on that backend, float results of dtype `real`.
Evaluate evaluated_by(std::shared_ptr<backends::Backend> backend, ir::DType real);

struct StagePlan {
  std::vector<StageStep> middle = {};            // after recognition
  std::vector<StageStep> end = {};               // after all passes
  std::string last = "optimised";                // goes no further than this stage
  bool optimize = true;                          // off: no passes, the steps alone
  ir::Precision precision = ir::Precision::f32;  // of products
  std::vector<std::string> disabled = {};        // passes left out, by name
  Evaluate evaluate = {};                        // none: constants are not folded
  std::function<void(std::string_view pass, const ir::Graph& before, const ir::Graph& after)>
      observe = {};
};

struct Stages {
  std::vector<Stage> stages;
  std::vector<ir::Note> notes;          // what was fused into what, and what was held back
  std::vector<ir::PassRecord> records;  // of passes and steps, in order

  const ir::Graph& graph() const { return stages.back().graph; }
  const ir::Graph& at(std::string_view name) const;  // GraphError naming those there are
};

Stages compile_stages(const ir::Graph& built, const StagePlan& plan);

}  // namespace weft
