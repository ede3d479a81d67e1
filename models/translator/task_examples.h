// models/translator/task_examples.h -- a recipe's files as tokens and features.
#pragma once
#include "models/data/features/features.h"
#include "models/translator/task.h"

#include <string>

namespace weft {

inline bool has_tokens(const Task& task) {
  return task.recipe.data.source == data::SourceKind::tokens;
}
// As the first example to train on has it, or of the vocabulary. Throws GraphError at its line.
data::Source source_of(const Task& task, data::FeatureReader& reader);
// Fills file.encoded, from the cache options.cache/NAME.examples where that is of the same data, and
// adds to task.remarks. Throws GraphError that names the line. `name`: "train" or "valid"
void encode(Task& task, TaskFile& file, const std::string& name, data::FeatureReader& reader,
            const TaskOptions& options);

}  // namespace weft
