// models/published/peft.h -- adapters as PEFT keeps them: adapter_config.json and
// adapter_model.safetensors.
//
//   base_model.model.decoder.block.0.layer.0.SelfAttention.q.lora_A.weight    [r,in]
//   base_model.model.decoder.block.0.layer.0.SelfAttention.q.lora_B.weight    [out,r]
//
// adapter_model.bin is read likewise. The metadata of what is written here name the model by the digest of
// its tensors, too ("base_digest"): another model of equal shapes is told.
// Read are LoRA's, whose matrices are products' (models/families/low_rank.h). What would compute
// something else is refused by name: biases, DoRA, whole modules that are saved beside.
#pragma once
#include "models/families/low_rank.h"
#include "models/published/architecture.h"

#include <functional>
#include <string>
#include <vector>

namespace weft::published {

// What a module is called in an adapter's file, without what stands around it: its tensor's name
// without ".weight"; of a model of ours (`imported` null) the path with dots.
std::string module_name(const low_rank::Module& module, const Imported* imported);

class Adapter {
 public:
  // Throws GraphError that begins with the file at fault.
  explicit Adapter(const std::string& folder);

  static bool is_one(const std::string& folder);  // is there an adapter_config.json?

  const std::string& path() const { return path_; }
  const low_rank::Settings& settings() const { return settings_; }
  // The model it is for, as the file has it, found beside the adapter or from where the program runs.
  // GraphError where there is none.
  std::string base() const;
  // Of the model that it was trained on; empty: the file does not say it.
  std::string base_digest() const;

  // Adds A and B to the parameters of the model. GraphError naming tensors that are of no module of the
  // model, or do not go together.
  void add_to(ParameterStore& store, const std::vector<low_rank::Module>& modules,
              const Imported* imported) const;

 private:
  std::string weights() const;  // the file

  std::string path_, base_;
  low_rank::Settings settings_;
};

struct AdapterBase {
  std::string path;    // what base_model_name_or_path says
  std::string digest;  // of the model's tensors
};
// Writes both files; `store` has A and B of these modules. Makes the folder.
void write_adapter(const std::string& folder, const AdapterBase& base,
                   const low_rank::Settings& settings, const std::vector<low_rank::Module>& modules,
                   const ParameterStore& store, const Imported* imported);

}  // namespace weft::published
