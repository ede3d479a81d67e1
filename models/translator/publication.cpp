// models/translator/publication.cpp -- weights in the form they came in, or an adapter's.
#include "models/translator/publication.h"

#include "ir/error.h"
#include "models/published/folder.h"
#include "models/published/peft.h"
#include "models/translator/opened_model.h"
#include "models/translator/training_setup.h"

#include <filesystem>

namespace weft {

Publication::Publication(const Task& task, std::string folder)
    : task_(&task),
      folder_(std::move(folder)),
      modules_(adapted_modules(task)),
      base_digest_(task.recipe.adapter.on() ? model_digest(task.recipe.from) : std::string()) {}

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
      folder_, {std::filesystem::absolute(recipe.from).lexically_normal().string(), base_digest_},
      recipe.adapter, modules_, model, recipe.published ? &recipe.published->imported() : nullptr);
}

void Publication::check_base() const {
  if (base_digest_.empty() || !published::Adapter::is_one(folder_)) return;
  const std::string before = published::Adapter(folder_).base_digest();
  if (!before.empty() && before != base_digest_)
    throw ir::GraphError(
        ir::concat(folder_, ": error: its adapter was begun on another model than ",
                   task_->recipe.from, " is now; another folder takes another run"));
}

}  // namespace weft
