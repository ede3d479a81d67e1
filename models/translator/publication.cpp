// models/translator/publication.cpp -- weights in the form they came in, or an adapter's.
#include "models/translator/publication.h"

#include "models/published/folder.h"
#include "models/published/peft.h"

#include <filesystem>

namespace weft {

Publication::Publication(const Task& task, std::string folder)
    : task_(&task), folder_(std::move(folder)), modules_(adapted_modules(task)) {}

void Publication::begin(const ParameterStore& store) const {
  if (task_->recipe.adapter.on())
    write(store);
  else if (on())
    task_->recipe.published->write(folder_, store);
}

void Publication::write(const ParameterStore& model) const {
  if (!on()) return;
  const training::Recipe& recipe = task_->recipe;
  if (!recipe.adapter.on()) {
    recipe.published->write_weights(folder_, model);
    return;
  }
  published::write_adapter(
      folder_, std::filesystem::absolute(recipe.from).lexically_normal().string(), recipe.adapter,
      modules_, model, recipe.published ? &recipe.published->imported() : nullptr);
}

}  // namespace weft
