// models/published/architectures/t5_layers.cpp -- T5's modules.
#include "models/published/architectures/t5_layers.h"

#include "ir/error.h"

#include <cmath>

namespace weft::published {
namespace {

using ir::concat;
using transformer::Config;

// "relu", "gated-gelu": T5's gated gelu is the one with tanh.
FeedForwardKind feed_forward_of(const ConfigFile& f) {
  std::string name = f.text("feed_forward_proj", "relu");
  const bool gated = name.starts_with("gated-");
  if (gated) name = name.substr(6);
  if (gated && name == "gelu") name = "gelu_new";
  return activation_of(f, "feed_forward_proj", name, gated);
}

void name_layers(std::vector<TensorName>& tensors, const Config& c, bool decoder,
                 std::string_view self_attention) {
  Names names(tensors);
  const std::string side = decoder ? "decoder" : "encoder";
  const auto attention = [&](const std::string& path, const std::string& name) {
    for (const char* part : {"q", "k", "v", "o"})
      names.linear(concat(path, "/", part), concat(name, ".", part), false);
  };
  const int64_t layers = decoder ? c.decoder_layers : c.encoder_layers;
  for (int64_t i = 0; i < layers; ++i) {
    const std::string path = concat(side, "/", i), block = concat(side, ".block.", i, ".layer.");
    const auto norm = [&](const char* sublayer, int number) {
      names.norm(concat(path, "/", sublayer, "_norm"), concat(block, number, ".layer_norm"),
                 c.norm);
    };
    const std::string self = concat(block, "0.", self_attention);
    attention(path + "/self", self);
    if (!decoder && c.global_block > 0)
      names.norm(path + "/self/global_norm", self + ".global_input_layer_norm", c.norm);
    norm("self", 0);
    if (decoder) {
      attention(path + "/cross", block + "1.EncDecAttention");
      norm("cross", 1);
    }
    const int last = decoder ? 2 : 1;
    const std::string dense = concat(block, last, ".DenseReluDense."),
                      inner = path + "/feed_forward/";
    const bool gated = is_gated(c.activation);
    names.linear(inner + "in", dense + (gated ? "wi_0" : "wi"), false);
    if (gated) names.linear(inner + "gate", dense + "wi_1", false);
    names.linear(inner + "out", dense + "wo", false);
    norm("feed_forward", last);
  }
  const std::string first = concat(side, ".block.0.layer.0.", self_attention);
  names.table(side + "/position_bias", first + ".relative_attention_bias.weight");
  if (!decoder && c.global_block > 0)
    names.table(side + "/global_position_bias", first + ".global_relative_attention_bias.weight");
  names.norm(side + "/norm", side + ".final_layer_norm", c.norm);
}

}  // namespace

Config t5_config(const ConfigFile& f) {
  Config c;
  c.source.vocabulary = c.target_vocabulary = f.integer("vocab_size", kVocabularies);
  c.width = f.integer("d_model", kWidths);
  c.heads = f.integer("num_heads", kHeads);
  c.head_width = f.integer("d_kv", kWidths);
  c.feed_forward = f.integer("d_ff", kWidths);
  c.encoder_layers = f.integer("num_layers", kLayers);
  c.decoder_layers = f.integer("num_decoder_layers", kLayers, c.encoder_layers);
  c.activation = feed_forward_of(f);
  c.norm = NormKind::rms;
  c.norm_eps = f.real("layer_norm_epsilon", settings::above_zero(1), 1e-6);
  c.positions = transformer::PositionKind::relative;
  c.position_buckets = f.integer("relative_attention_num_buckets", {4, 1 << 16}, 32);
  c.position_distance = f.integer("relative_attention_max_distance", {2, 1 << 20}, 128);
  c.embedding_scale = c.attention_scale = 1;
  c.bias = c.output_bias = false;
  c.dropout = c.attention_dropout = f.real("dropout_rate", settings::kShare, 0);
  c.final_dropout = true;
  return c;
}

Imported import_t5_layers(const Config& config, const ConfigFile& f, const Inventory& tensors,
                          std::string_view encoder_attention) {
  Imported imported;
  imported.config = config;
  const bool tied = f.flag("tie_word_embeddings", true);
  import_tables(imported,
                {"shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight",
                 "lm_head.weight"},
                tied, tensors);
  // transformers 5 ties always, and says whether it scales.
  Config& c = imported.config;
  if (f.flag("scale_decoder_outputs", tied))
    c.output_scale = 1 / std::sqrt(static_cast<double>(c.width));
  name_layers(imported.tensors, c, false, encoder_attention);
  name_layers(imported.tensors, c, true, "SelfAttention");
  // Attention to the source has no bias; the first checkpoints hold one all the same.
  imported.unneeded.emplace_back(
      "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight");
  return imported;
}

}  // namespace weft::published
