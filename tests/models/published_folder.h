// tests/models/published_folder.h -- small folders in a hub's form, with random weights.
#pragma once
#include "frontend/formats/safetensors.h"
#include "models/families/seq2seq.h"
#include "models/published/folder.h"
#include "models/published/weights.h"
#include "tests/formats/temporary_folder.h"

#include <string>

namespace weft::tests {

inline const std::string kSmallT5 = R"({
  "model_type": "t5",
  "vocab_size": 24,
  "d_model": 16,
  "d_kv": 4,
  "d_ff": 32,
  "num_layers": 1,
  "num_heads": 2,
  "feed_forward_proj": "relu",
  "pad_token_id": 0,
  "eos_token_id": 1,
  "decoder_start_token_id": 0
})";

inline const std::string kSmallMarian = R"({
  "model_type": "marian",
  "vocab_size": 24,
  "d_model": 16,
  "encoder_layers": 1,
  "decoder_layers": 1,
  "encoder_attention_heads": 2,
  "decoder_attention_heads": 2,
  "encoder_ffn_dim": 32,
  "decoder_ffn_dim": 32,
  "activation_function": "swish",
  "max_position_embeddings": 32,
  "scale_embedding": true,
  "pad_token_id": 23,
  "eos_token_id": 0,
  "decoder_start_token_id": 23
})";

class PublishedFolder {
 public:
  // Tensors of the names in `held` decide what is tied.
  explicit PublishedFolder(const std::string& config, const ir::NamedArrays& held = {}) {
    write("config.json", config);
    formats::write_safetensors(folder_ / "model.safetensors", held);
    const published::ConfigFile file(folder_ / "config.json");
    const auto checkpoint = formats::open_checkpoint(folder_ / "model.safetensors");
    const published::Imported imported =
        published::architecture_of(file).import(file, published::Inventory(*checkpoint));
    ParameterStore store(7);
    store.prepare(transformer::loss_graph(imported.config, false));
    tensors_ = published::tensors_of(store, imported);
    write_tensors(tensors_);
  }

  std::string path() const { return folder_ / ""; }
  void write(const std::string& name, const std::string& text) const { folder_.file(name, text); }
  void write_tensors(const ir::NamedArrays& tensors) const {
    formats::write_safetensors(folder_ / "model.safetensors", tensors, {{"format", "pt"}});
  }
  const ir::NamedArrays& tensors() const { return tensors_; }
  // All but one.
  ir::NamedArrays without(const std::string& name) const {
    ir::NamedArrays list;
    for (const ir::NamedArray& t : tensors_)
      if (t.name != name) list.add(t.name, t.array);
    return list;
  }

 private:
  TemporaryFolder folder_;
  ir::NamedArrays tensors_;
};

}  // namespace weft::tests
