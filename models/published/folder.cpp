// models/published/folder.cpp -- opening a folder and reading its weights.
#include "models/published/folder.h"

#include "frontend/formats/atomic_file.h"
#include "frontend/formats/byte_source.h"
#include "frontend/formats/input_file.h"
#include "ir/error.h"
#include "models/families/seq2seq.h"
#include "models/published/config_file.h"
#include "models/published/weights.h"

#include <algorithm>
#include <filesystem>
#include <set>

namespace weft::published {
namespace {

namespace fs = std::filesystem;
using ir::concat;
using ir::GraphError;

constexpr int64_t kMostCopied = int64_t{256} << 20;  // bytes of a file beside the weights
constexpr std::string_view kWeights[] = {"model.safetensors", "model.safetensors.index.json",
                                         "pytorch_model.bin", "pytorch_model.bin.index.json"};

// The file of weights; empty where there is none.
std::string weights_in(const std::string& folder) {
  std::error_code ignored;
  for (const std::string_view name : kWeights)
    if (std::string file = file_of(folder, name); fs::exists(fs::symlink_status(file, ignored)))
      return file;
  return {};
}

std::unique_ptr<formats::Checkpoint> open_weights(const std::string& folder) {
  if (const std::string file = weights_in(folder); !file.empty()) {
    formats::require_regular(file);
    return formats::open_checkpoint(file);
  }
  std::string names;
  for (const std::string_view name : kWeights) names += concat(names.empty() ? "" : ", ", name);
  throw GraphError(concat(folder, ": error: holds no weights; looked for ", names));
}

std::optional<ConfigFile> generation_file(const std::string& folder) {
  const std::string file = file_of(folder, "generation_config.json");
  if (!fs::exists(file)) return std::nullopt;
  return std::optional<ConfigFile>(std::in_place, file);
}

// Does a file of a folder describe the model, without being its weights? What a run keeps in the
// folder is its own.
bool describes(const std::string& name) {
  constexpr std::string_view kEndings[] = {".json", ".spm", ".model", ".txt", ".jinja", ".md"};
  if (name.starts_with('.') || name.ends_with(".index.json") || name.starts_with("adapter_"))
    return false;
  constexpr std::string_view kLegal[] = {"LICENSE", "LICENCE", "license",
                                         "licence", "COPYING", "NOTICE"};
  return std::any_of(std::begin(kLegal), std::end(kLegal),
                     [&](std::string_view beginning) { return name.starts_with(beginning); }) ||
         std::any_of(std::begin(kEndings), std::end(kEndings),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

// Keys that say nothing of what a model computes when it is asked; some of them contradict what
// transformers does with a model, which nobody notices there either.
const std::set<std::string, std::less<>> kOfNoEffect{"_name_or_path",
                                                     "_num_labels",
                                                     "add_bias_logits",
                                                     "add_final_layer_norm",
                                                     "architectures",
                                                     "bos_token_id",
                                                     "classif_dropout",
                                                     "classifier_dropout",
                                                     "dense_act_fn",
                                                     "dtype",
                                                     "extra_pos_embeddings",
                                                     "finetuning_task",
                                                     "force_bos_token_to_be_generated",
                                                     "gradient_checkpointing",
                                                     "id2label",
                                                     "init_std",
                                                     "initializer_factor",
                                                     "is_encoder_decoder",
                                                     "is_gated_act",
                                                     "label2id",
                                                     "model_type",
                                                     "n_positions",
                                                     "normalize_before",
                                                     "normalize_embedding",
                                                     "num_hidden_layers",
                                                     "num_labels",
                                                     "output_attentions",
                                                     "output_hidden_states",
                                                     "output_past",
                                                     "prefix",
                                                     "problem_type",
                                                     "return_dict",
                                                     "share_encoder_decoder_embeddings",
                                                     "static_position_embeddings",
                                                     "task_specific_params",
                                                     "tokenizer_class",
                                                     "torch_dtype",
                                                     "transformers_version",
                                                     "use_cache"};

}  // namespace

bool Folder::is_one(const std::string& path) {
  std::error_code ignored;
  return fs::exists(file_of(path, "config.json"), ignored) &&
         (!fs::exists(file_of(path, "model.toml"), ignored) || !weights_in(path).empty());
}

Folder::Folder(const std::string& path)
    : path_(path),
      config_(file_of(path, "config.json")),
      architecture_(&architecture_of(config_)),
      checkpoint_(open_weights(path)),
      imported_(architecture_->import(config_, Inventory(*checkpoint_))) {
  try {
    transformer::check(imported_.config);
  } catch (const GraphError& e) {
    throw GraphError(concat(config_.path(), ": error: ", e.what()));
  }
  settings_ = imported_.config;
  const std::optional<ConfigFile> generation = generation_file(path);
  generation_ = read_generation(config_, generation ? &*generation : nullptr,
                                imported_.config.target_vocabulary);
  if (generation) said_elsewhere_ = generation->keys();
}

std::vector<std::string> Folder::remarks() const {
  std::vector<std::string> remarks = imported_.remarks;
  for (const std::string& key : config_.unread())
    if (!kOfNoEffect.contains(key) &&
        std::find(said_elsewhere_.begin(), said_elsewhere_.end(), key) == said_elsewhere_.end())
      remarks.push_back(concat(config_.path(), ": \"", key, "\": ", config_.written(key),
                               " is not understood and changes nothing"));
  return remarks;
}

ParameterStore Folder::load(ir::DType real, bool own) const {
  return load_weights(*checkpoint_, imported_, real, own);
}

std::string Folder::digest() const { return formats::content_digest(*checkpoint_); }

void Folder::write(const std::string& path, const ParameterStore& parameters) const {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw ir::RuntimeError(concat(path, ": cannot be made: ", error.message()));
  if (!fs::equivalent(path, path_, error)) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path_))
      if (entry.is_regular_file() && describes(entry.path().filename().string()))
        names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      const formats::InputFile file(file_of(path_, name));
      if (file.size() > kMostCopied)
        throw GraphError(concat(file.path(), ": error: has ", file.size(), " bytes, at most ",
                                kMostCopied, " are copied"));
      formats::write_file_atomically(file_of(path, name), file.read_text(0, file.size()));
    }
  }
  write_weights(path, parameters);
}

void Folder::write_weights(const std::string& path, const ParameterStore& parameters) const {
  published::write_weights(file_of(path, kWeights[0]), *checkpoint_, imported_, parameters);
}

}  // namespace weft::published
