// frontend/compile/stages.cpp -- passes and steps, in their order.
#include "frontend/compile/stages.h"

#include "ir/error.h"

#include <chrono>
#include <utility>

namespace weft {
namespace {

class Way {
 public:
  Way(const ir::Graph& built, const StagePlan& plan) : plan_(plan), graph_(built) {}

  Stages gone() {
    reach("built");
    if (done_) return std::move(result_);
    run(ir::recognise_passes());
    reach("fused");
    for (const StageStep& step : plan_.middle) take(step);
    if (done_) return std::move(result_);
    run(ir::optimise_passes());
    run(ir::precision_passes(plan_.precision));
    for (const StageStep& step : plan_.end) take(step);
    reach("optimised");
    return std::move(result_);
  }

 private:
  void reach(const std::string& stage) {
    result_.stages.push_back({stage, graph_});
    done_ = stage == plan_.last;
  }

  void run(std::span<const ir::Pass* const> passes) {
    if (!plan_.optimize) passes = {};
    ir::PassContext context;
    context.passes_run = static_cast<int>(result_.records.size());
    context.evaluate = plan_.evaluate;
    ir::PipelineResult done = ir::run_passes(
        graph_, passes, context, {.disabled = plan_.disabled, .observe = plan_.observe});
    result_.notes.insert(result_.notes.end(), context.notes.begin(), context.notes.end());
    result_.records.insert(result_.records.end(), done.records.begin(), done.records.end());
    graph_ = std::move(done.graph);
  }

  void take(const StageStep& step) {
    if (done_) return;
    const auto start = std::chrono::steady_clock::now();
    ir::Graph after = step.work(graph_);
    const std::chrono::duration<double, std::milli> elapsed =
        std::chrono::steady_clock::now() - start;
    result_.records.push_back(
        {step.name, elapsed.count(), graph_.node_count(), after.node_count(), true});
    if (plan_.observe) plan_.observe(step.name, graph_, after);
    graph_ = std::move(after);
    if (!step.stage.empty()) reach(step.stage);
  }

  const StagePlan& plan_;
  ir::Graph graph_;
  Stages result_;
  bool done_ = false;
};

}  // namespace

Evaluate evaluated_by(std::shared_ptr<backends::Backend> backend, ir::DType real) {
  return [backend = std::move(backend), real](const ir::Graph& graph) {
    std::vector<ir::Array> results;
    for (const ir::Output& output : graph.outputs()) {
      const ir::TensorType& type = graph.type(output.value);
      results.emplace_back(type.dtype == ir::DType::f32 ? real : type.dtype,
                           ir::values(type.shape, {}));
    }
    backend->compile(graph, {})->run({}, results);
    return results;
  };
}

const ir::Graph& Stages::at(std::string_view name) const {
  std::string names;
  for (const Stage& s : stages) {
    if (s.name == name) return s.graph;
    names += (names.empty() ? "" : ", ") + s.name;
  }
  throw ir::GraphError(ir::concat("there is no stage '", name, "'; there are ", names));
}

Stages compile_stages(const ir::Graph& built, const StagePlan& plan) {
  return Way(built, plan).gone();
}

}  // namespace weft
