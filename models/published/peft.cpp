// models/published/peft.cpp -- reading and writing adapters.
#include "models/published/peft.h"

#include "frontend/formats/atomic_file.h"
#include "frontend/formats/byte_source.h"
#include "frontend/formats/checkpoint.h"
#include "ir/error.h"
#include "models/published/config_file.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

namespace weft::published {
namespace {

namespace fs = std::filesystem;
using ir::concat;
using ir::GraphError;
using low_rank::Module;

constexpr std::string_view kConfig = "adapter_config.json", kWeights = "adapter_model.safetensors",
                           kOtherWeights = "adapter_model.bin", kPrefix = "base_model.model.",
                           kBaseDigest = "base_digest";
constexpr settings::Whole kRanks{1, 1 << 12};

std::string tensor_name(const std::string& module, char part) {
  return concat(kPrefix, module, ".lora_", std::string(1, part), ".weight");
}

// Keys that would change what is computed have the one value that is done here.
void refuse_others(const ConfigFile& f) {
  if (const std::string type = f.text("peft_type"); type != "LORA")
    f.fail("peft_type", concat("\"peft_type\" is \"", type.substr(0, 40), "\", LORA can be read"));
  if (const std::string bias = f.text("bias", "none"); bias != "none")
    f.fail("bias", concat("\"bias\" is \"", bias.substr(0, 40), "\", \"none\" can be read"));
  for (const char* key : {"fan_in_fan_out", "use_dora", "use_qalora", "lora_bias"})
    if (f.flag(key, false))
      f.fail(key, concat("\"", key, "\" is true, which is not supported here"));
  for (const char* key :
       {"modules_to_save", "trainable_token_indices", "target_parameters", "layer_replication",
        "megatron_config", "eva_config", "alora_invocation_tokens"})
    if (const std::string said = f.written(key); said != "null" && said != "[]" && said != "{}")
      f.fail(key, concat("\"", key, "\" is ", said, ", which is not supported here"));
  for (const char* key : {"alpha_pattern", "rank_pattern"})
    if (const std::string said = f.written(key); said != "null" && said != "{}")
      f.fail(key, concat("\"", key, "\" is ", said, ", one rank and scale can be read"));
}

}  // namespace

std::string module_name(const Module& module, const Imported* imported) {
  if (imported == nullptr) {
    std::string name = module.path;
    std::replace(name.begin(), name.end(), '/', '.');
    return name;
  }
  for (const TensorName& t : imported->tensors)
    if (t.path == module.matrix && t.name.ends_with(".weight"))
      return t.name.substr(0, t.name.size() - std::string_view(".weight").size());
  return {};
}

bool Adapter::is_one(const std::string& folder) {
  std::error_code ignored;
  return fs::exists(file_of(folder, kConfig), ignored);
}

Adapter::Adapter(const std::string& folder) : path_(folder) {
  const ConfigFile f(file_of(folder, kConfig));
  refuse_others(f);
  settings_.rank = f.integer("r", kRanks);
  settings_.alpha = f.real("lora_alpha", settings::above_zero(1e6), 8);
  settings_.dropout = f.real("lora_dropout", settings::kShare, 0);
  settings_.rslora = f.flag("use_rslora", false);
  if (f.has("base_model_name_or_path")) base_ = f.text("base_model_name_or_path");
}

std::string Adapter::base() const {
  const fs::path own(path_);
  for (const fs::path& at : {fs::path(base_), own / base_, own / ".." / base_,
                             own.lexically_normal().parent_path() / base_}) {
    std::error_code ignored;
    if (!base_.empty() && fs::is_directory(at, ignored)) return at.lexically_normal().string();
  }
  if (base_.empty())
    throw GraphError(concat(file_of(path_, kConfig), ": error: names no model; MODEL --adapter ",
                            path_, " says which one"));
  throw GraphError(concat(file_of(path_, kConfig), ": error: its model '", base_,
                          "' is no folder here; MODEL --adapter ", path_, " names another one"));
}

std::string Adapter::weights() const {
  std::error_code ignored;
  const std::string file = file_of(path_, kWeights), other = file_of(path_, kOtherWeights);
  return !fs::exists(fs::symlink_status(file, ignored)) && fs::exists(other, ignored) ? other
                                                                                      : file;
}

std::string Adapter::base_digest() const {
  formats::require_regular(weights());
  const formats::Metadata metadata = formats::open_checkpoint(weights())->metadata();
  const auto found = metadata.find(std::string(kBaseDigest));
  return found == metadata.end() ? std::string() : found->second;
}

void Adapter::add_to(ParameterStore& store, const std::vector<Module>& modules,
                     const Imported* imported) const {
  formats::require_regular(weights());
  const auto checkpoint = formats::open_checkpoint(weights());
  const auto fail = [&](const std::string& what) {
    throw GraphError(concat(checkpoint->path(), ": error: ", what));
  };
  std::map<std::string, const Module*> by_name;
  for (const Module& m : modules)
    for (const char part : {'A', 'B'})
      by_name.emplace(tensor_name(module_name(m, imported), part), &m);
  std::set<std::string> there;
  for (const formats::TensorInfo& t : checkpoint->entries()) {
    const auto found = by_name.find(t.name);
    if (found == by_name.end())
      fail(concat("holds '", t.name, "', which adapts no matrix of the model"));
    const Module& m = *found->second;
    const bool first = t.name.ends_with("lora_A.weight");
    const int64_t outer = first ? m.in : m.out;
    const bool fits = ir::is_float(t.dtype) && t.dims.size() == 2 &&
                      t.dims[first ? 1 : 0] == outer && t.dims[first ? 0 : 1] == settings_.rank;
    if (!fits)
      fail(concat("'", t.name, "' is ", ir::name(t.dtype), ir::dims_str(t.dims), ", needed is ",
                  first ? ir::dims_str(ir::Dims{settings_.rank, outer})
                        : ir::dims_str(ir::Dims{outer, settings_.rank})));
    store.set(first ? low_rank::a_path(m) : low_rank::b_path(m), ir::ArgumentKind::parameter,
              checkpoint->read(t.name).transposed());
    there.insert(t.name);
  }
  for (const std::string& name : there) {
    std::string other = name;
    other[other.size() - std::string_view("A.weight").size()] =
        name.ends_with("A.weight") ? 'B' : 'A';
    if (!there.contains(other)) fail(concat("holds '", name, "' and lacks '", other, "'"));
  }
  if (there.empty()) fail("holds no tensors");
}

void write_adapter(const std::string& folder, const AdapterBase& base, const low_rank::Settings& s,
                   const std::vector<Module>& modules, const ParameterStore& store,
                   const Imported* imported) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw ir::RuntimeError(concat(folder, ": cannot be made: ", error.message()));
  ir::NamedArrays tensors;
  std::set<std::string> targets;
  for (const Module& m : modules) {
    const std::string name = module_name(m, imported);
    targets.insert(name);
    tensors.add(tensor_name(name, 'A'), store.transposed(low_rank::a_path(m)));
    tensors.add(tensor_name(name, 'B'), store.transposed(low_rank::b_path(m)));
  }
  const nlohmann::ordered_json config{
      {"peft_type", "LORA"},
      {"task_type", "SEQ_2_SEQ_LM"},
      {"base_model_name_or_path", base.path},
      {"r", s.rank},
      {"lora_alpha", s.alpha > 0 ? s.alpha : 2.0 * static_cast<double>(s.rank)},
      {"lora_dropout", s.dropout},
      {"use_rslora", s.rslora},
      {"target_modules", targets},
      {"bias", "none"},
      {"fan_in_fan_out", false},
      {"inference_mode", true},
      {"modules_to_save", nullptr}};
  formats::write_safetensors(file_of(folder, kWeights), tensors,
                             {{"format", "pt"}, {std::string(kBaseDigest), base.digest}});
  formats::write_file_atomically(file_of(folder, kConfig), config.dump(2) + "\n");
}

}  // namespace weft::published
