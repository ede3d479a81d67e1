// models/translator/training_setup.h -- from a task to what trains it.
#pragma once
#include "models/translator/task.h"

#include <vector>

namespace weft {

// How large batches get, or their parts where gradients are accumulated: at most this in each.
struct BatchSizes {
  int64_t rows = 64, source = 25, target = 25;  // padded widths

  ir::Bindings bindings() const { return {{"B", rows}, {"S", source}, {"T", target}}; }
};
BatchSizes largest_batch(const Task& task);

// How the pieces of its examples are drawn.
data::SubwordSampling sampling_of(const Task& task);

// The graph of the loss as a step computes it, the recipe's frozen parameters not trained. Throws
// GraphError "file:line: ..." where a pattern of training.freeze or adapter.targets matches nothing.
ir::Graph training_graph(const Task& task);
// The matrices that are adapted, where some are.
std::vector<low_rank::Module> adapted_modules(const Task& task);

// What trains the task into a folder, on the onednn backend unless `program` names another; the
// memory budget of the recipe is met for the largest batch, unless `program` has one.
training::TrainerSetup trainer_setup(const Task& task, const training::ModelFolder& folder,
                                     ProgramOptions program = {});

}  // namespace weft
