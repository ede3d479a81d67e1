// models/published/folder.h -- a folder as a model hub publishes it, as a model of one of our
// families.
//
//   const published::Folder folder("opus-mt-en-de");
//   ParameterStore store = folder.load();
//   seq2seq::loss_graph(folder.settings()), folder.generation(), ...
//
// Read are config.json, generation_config.json if it is there, and the weights: model.safetensors or
// pytorch_model.bin, or the index of several such files. Errors are GraphErrors that begin with the
// file at fault.
#pragma once
#include "frontend/store/parameter_store.h"
#include "models/data/tokens/special_ids.h"
#include "models/families/family.h"
#include "models/published/architecture.h"
#include "models/published/generation.h"

#include <memory>
#include <string>
#include <vector>

namespace weft::published {

class Folder {
 public:
  explicit Folder(const std::string& path);

  // Is there a config.json, and weights beside it?
  static bool is_one(const std::string& path);

  const std::string& path() const { return path_; }
  const Architecture& architecture() const { return *architecture_; }
  const Imported& imported() const { return imported_; }
  const seq2seq::Settings& settings() const { return settings_; }
  // How the model is asked, unless the user says otherwise.
  const Generation& generation() const { return generation_; }
  // What contradicts itself, and keys of config.json that nobody has read.
  std::vector<std::string> remarks() const;

  // All parameters. They may be views of the file, not to be written to, unless they are asked for as
  // `own`: to be trained. GraphError naming what is missing, what is there beside and what has another
  // shape than is needed.
  ParameterStore load(ir::DType real = ir::DType::f32, bool own = false) const;

  std::string digest() const;  // of its tensors (formats::content_digest)

  // Another folder of this form, with these parameters: model.safetensors with the tensors that are
  // here, and copies of the files beside the weights (configuration, tokeniser, licence). Makes the
  // folder; one of the same path is written over. RuntimeError where it cannot be written.
  void write(const std::string& path, const ParameterStore& parameters) const;
  // Only what may differ: the weights.
  void write_weights(const std::string& path, const ParameterStore& parameters) const;

 private:
  std::string path_;
  ConfigFile config_;
  const Architecture* architecture_;
  std::unique_ptr<formats::Checkpoint> checkpoint_;
  Imported imported_;
  seq2seq::Settings settings_;
  Generation generation_;
  std::vector<std::string> said_elsewhere_;  // keys that generation_config.json has too
};

}  // namespace weft::published
