// models/training/model_folder.h -- a trained model on disk, and what a run needs to go on.
//
//   model.toml               configuration
//   source.vocab target.vocab
//   best.safetensors         parameters at the best validation
//   last.safetensors         parameters after the last step saved; its metadata names the state's
//   file state-N.safetensors      the optimiser's state after step N
//
// Every file appears whole or not at all, and last.safetensors after the state it names: a run that
// is killed at any moment leaves a folder from which it goes on.
#pragma once
#include "frontend/store/parameter_store.h"
#include "models/data/batching.h"
#include "models/data/vocabulary.h"
#include "models/families/seq2seq.h"

#include <string>

namespace weft::training {

struct Progress {
  int64_t step = 0;
  data::BatchStream::Position position;  // of the next batch
  double best_loss = 0;                  // of validation
  int64_t best_step = 0;                 // 0: none yet
  int64_t since_best = 0;                // validations after the best
  int64_t shrinks = 0;                   // of the learning rate
  uint64_t seed = 1;

  bool operator==(const Progress&) const = default;
};

struct Vocabularies {
  data::Vocabulary source, target;
};

class ModelFolder {
 public:
  explicit ModelFolder(std::string path) : path_(std::move(path)) {}

  // Makes the folder; GraphError where one with a model is there already.
  void create(const seq2seq::Config& config, const Vocabularies& vocabularies) const;
  bool has_model() const;  // is there a model.toml
  seq2seq::Config config() const;
  Vocabularies vocabularies() const;

  void save_best(const ParameterStore& store, const Progress& progress) const;
  void save_last(const ParameterStore& store, const Progress& progress) const;

  // Parameters for inference: the best, or the last where none was validated.
  ParameterStore load(ir::DType real = ir::DType::f32) const;
  // Parameters and state to go on with.
  Progress resume(ParameterStore& store) const;
  const std::string& path() const { return path_; }

 private:
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  std::string path_;
};

}  // namespace weft::training
