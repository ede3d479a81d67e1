// models/translator/publication.h -- what a run leaves behind for other tools.
//
// A published model that is trained is a folder of its form at any time: as it came when the run
// begins, then with what validated best, or with the last parameters where nothing is validated. An
// adapter is written as PEFT has it. Files of the run itself lie beside (models/training/folder/model_folder.h).
#pragma once
#include "models/translator/task.h"

#include <string>

namespace weft {

class Publication {
 public:
  Publication(const Task& task, std::string folder);

  // Is there anything to write: a published model, or an adapter?
  bool on() const { return task_->recipe.published != nullptr || task_->recipe.adapter.on(); }
  // The files beside the weights, and the weights that the run begins with.
  void begin(const ParameterStore& store) const;
  void write(const ParameterStore& model) const;
  // Of a run that goes on: GraphError where its adapter was begun on another model.
  void check_base() const;

 private:
  const Task* task_;
  std::string folder_;
  std::vector<low_rank::Module> modules_;
  std::string base_digest_;  // of the model that is adapted
};

}  // namespace weft
