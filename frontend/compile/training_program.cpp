// frontend/compile/training_program.cpp -- one fused step, or sums of gradients and their update.
#include "frontend/compile/training_program.h"

#include "frontend/compile/memory_budget.h"
#include "ir/error.h"

namespace weft {
namespace {

using ir::Array;
using ir::concat;
using ir::GraphError;
using ir::NamedArrays;

std::unique_ptr<Program> apply_program(const ir::Graph& built, const TrainingOptions& t,
                                       const ProgramOptions& options) {
  if (!t.in_parts && !t.conditional) return nullptr;
  return std::make_unique<Program>(Program::apply(built, t.optimizer, options, t.weight));
}

// What the update stores that the first entry does not know of: the optimiser's state.
int64_t state_bytes(const Program& apply) {
  int64_t bytes = 0;
  for (const ir::Argument& a : apply.graph().arguments())
    if (a.kind == ir::ArgumentKind::state && !is_accumulator(a.path)) {
      const ir::TensorType& type = apply.graph().type(a.value);
      bytes += ir::element_count(ir::values(type.shape, {})) * ir::bytes(type.dtype);
    }
  return bytes;
}

}  // namespace

TrainingProgram::TrainingProgram(const ir::Graph& built, const TrainingOptions& t,
                                 const ProgramOptions& options)
    : training_(t),
      step_([&] {
        if (!t.in_parts && !t.conditional)
          return Program::training(built, t.optimizer, options, t.loss);
        int64_t other_bytes = 0;
        if (options.memory_budget > 0) other_bytes = state_bytes(*apply_program(built, t, options));
        return Program::accumulate(built, options, t.loss, t.weight, other_bytes);
      }()),
      apply_(apply_program(built, t, options)) {
  if (t.conditional)
    norm_ = std::make_unique<Program>(Program::inference(
        accumulated_norm(built, trainable_parameters(built), t.weight), options));
}

Array TrainingProgram::scalar(double x) const {
  return Array::of(step_.options().real, {}, std::vector<double>{x});
}

void TrainingProgram::prepare(ParameterStore& store) const {
  store.prepare(step_.graph());
  if (in_parts()) store.prepare(apply_->graph());
}

NamedArrays TrainingProgram::accumulate(ParameterStore& store, const NamedArrays& part,
                                        bool first) {
  if (!in_parts()) throw GraphError("this program was not made for batches in parts");
  NamedArrays inputs = part;
  inputs.add("first", Array::of(ir::DType::pred, {}, std::vector<int64_t>{first ? 1 : 0}));
  return step_.run(store, inputs);
}

NamedArrays TrainingProgram::apply(ParameterStore& store, double weight, double rate) {
  if (!in_parts()) throw GraphError("this program was not made for batches in parts");
  return apply_->run(store, {{training_.weight, scalar(weight)}, {"lr", scalar(rate)}});
}

TrainingProgram::Result TrainingProgram::update(ParameterStore& store,
                                                std::span<const NamedArrays> parts, double rate,
                                                const Accept& accept) {
  Result r;
  if (!in_parts()) {
    if (parts.size() != 1)
      throw GraphError(concat("a batch of ", parts.size(),
                              " parts was given to a program for batches that are whole"));
    NamedArrays inputs = parts.front();
    inputs.add("lr", scalar(rate));
    const NamedArrays results = step_.run(store, inputs);
    r.loss = results.at(training_.loss).at(0);
    r.gradient_norm = results.at("gradient_norm").at(0);
    if (const Array* weight = results.find(training_.weight)) r.weight = weight->at(0);
    return r;
  }
  if (parts.empty()) throw GraphError("a batch needs at least one part");
  for (size_t i = 0; i < parts.size(); ++i) {
    const NamedArrays results = accumulate(store, parts[i], i == 0);
    const double weight = results.at(training_.weight).at(0);
    r.loss += results.at(training_.loss).at(0) * weight;
    r.weight += weight;
  }
  r.loss /= r.weight;
  if (accept && norm_ != nullptr) {
    r.gradient_norm =
        norm_->run(store, {{training_.weight, scalar(r.weight)}}).at("gradient_norm").at(0);
    r.applied = accept(r);
    if (!r.applied) return r;
  }
  r.gradient_norm = apply(store, r.weight, rate).at("gradient_norm").at(0);
  return r;
}

}  // namespace weft
