// models/training/folder/model_folder.h -- a trained model on disk, and what a run needs to go on.
//
//   model.toml                 configuration
//   source.vocab target.vocab  or source.spm target.spm: tokenizers (models/data/tokens/tokenizer.h)
//   best.safetensors           parameters at the best validation
//   last.safetensors           parameters after the last step saved, step 0 included; its metadata
//                              names the state that belongs to it
//   state-N.safetensors        the optimiser's state after step N
//   good.safetensors           both, of the last checkpoint that was due, where a run that diverges
//                              goes back to it
//   checkpoint-N.safetensors   parameters of the model after step N, where some are kept
//   .lock                      while a run trains into the folder
//
// Every file appears whole or not at all, and last.safetensors after the state it names: a run that
// is killed at any moment leaves a folder in which it goes on, or, as long as nothing was learnt,
// another one begins. The files of parameters know the digests of what they belong to: state,
// tokenizers and configuration.
#pragma once
#include "frontend/formats/file_lock.h"
#include "frontend/store/parameter_store.h"
#include "models/data/tokens/tokenizer.h"
#include "models/families/seq2seq.h"
#include "models/training/folder/checkpoint.h"
#include "models/training/folder/progress.h"

#include <memory>
#include <string>

namespace weft::training {

struct Tokenizers {
  data::Tokenizer source, target;  // source: of nothing where the model reads no tokens

  bool operator==(const Tokenizers&) const = default;
};

// Which parameters of a folder: `either` is the best, or the last where none was validated.
enum class Which { either, best, last };

class ModelFolder {
 public:
  explicit ModelFolder(std::string path) : path_(std::move(path)) {}

  // Is there a model.toml?
  bool has_model() const;
  // Are there parameters that something was learnt for, or of which this cannot be told? A new run
  // does not take their place.
  bool is_trained() const;
  // GraphError where a new run would replace something that was learnt.
  void check_free() const;

  // Nobody else trains into the folder while the result lives; asked for again, and by copies of
  // this, it is the same one. Makes the folder. GraphError where another run has it, RuntimeError
  // where it cannot be made or written to.
  std::shared_ptr<const formats::FileLock> lock() const;

  // Writes what describes the model; a folder in which nothing was learnt yet begins anew.
  // `longest_source`: in tokens, of the examples to train on; 0: not known.
  void create(const seq2seq::Settings& config, const Tokenizers& tokenizers,
              int64_t longest_source = 0) const;
  seq2seq::Settings config() const;
  Tokenizers tokenizers() const;
  int64_t longest_source() const;

  // `score`: the name of the one that is best.
  void save_best(const ParameterStore& store, const Progress& progress,
                 const std::string& score = "loss") const;
  void save_last(const ParameterStore& store, const Progress& progress) const;

  // What a run that diverges goes back to: one file with parameters and state.
  bool has_good() const;
  void save_good(const ParameterStore& store, const Progress& progress) const;
  Progress restore_good(ParameterStore& store, const ir::Graph& graph) const;

  // Keeps the parameters after a step beside the last ones, and of those kept before all but
  // `count - 1`.
  void keep(const ParameterStore& store, int64_t step, int64_t count) const;
  std::vector<std::string> kept() const;  // paths, by step
  // A model that nothing was learnt for here: beside `create`, its parameters.
  void save_model(const ParameterStore& store) const;
  // Another folder's model, with parameters of this one, such as a mean of checkpoints.
  // `step`: they are of.
  void save_model_of(const ModelFolder& other, const ParameterStore& store, int64_t step) const;

  // Parameters for inference; with a moving average, that.
  ParameterStore load(ir::DType real = ir::DType::f32, Which which = Which::either) const;
  // Of a file with all of the model's parameters, and of which step they are.
  ParameterStore load(const std::string& path, int64_t* step = nullptr,
                      ir::DType real = ir::DType::f32) const;
  // Parameters, those of `graph` and no others, and state to go on with.
  Progress resume(ParameterStore& store, const ir::Graph& graph) const;
  const std::string& path() const { return path_; }

 private:
  // What stands in model.toml.
  struct Header {
    seq2seq::Settings config;
    data::TokenizerKind source = data::TokenizerKind::words;  // folders of earlier versions do not
    data::TokenizerKind target = data::TokenizerKind::words;  // say it
    int64_t longest_source = 0;
  };

  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  formats::Metadata belongings() const;
  Header header() const;
  void read_best(Progress& progress) const;
  ir::NamedArrays read(const std::string& path, formats::Metadata& metadata) const;
  void put_average(ParameterStore& store, const formats::Metadata& last) const;

  std::string path_;
  std::shared_ptr<std::weak_ptr<const formats::FileLock>> lock_ =
      std::make_shared<std::weak_ptr<const formats::FileLock>>();
};

}  // namespace weft::training
