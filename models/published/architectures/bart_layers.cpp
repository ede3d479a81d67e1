// models/published/architectures/bart_layers.cpp -- BART's modules.
#include "models/published/architectures/bart_layers.h"

#include "ir/error.h"

#include <cmath>

namespace weft::published {
namespace {

using ir::concat;
using transformer::Config;

// LED's self-attention, with projections of global tokens.
void name_longformer(Names& names, const Config& c, const std::string& path,
                     const std::string& name) {
  const std::string inner = name + ".longformer_self_attn.";
  for (const auto& [here, there] : {std::pair{"q", "query"}, {"k", "key"}, {"v", "value"}}) {
    names.linear(concat(path, "/", here), inner + there, c.bias);
    names.linear(concat(path, "/global/", here), inner + there + "_global", c.bias);
  }
  names.linear(path + "/o", name + ".output", c.bias);
}

void name_stack(std::vector<TensorName>& tensors, const Config& c, const std::string& body,
                bool decoder) {
  Names names(tensors);
  const std::string side = decoder ? "decoder" : "encoder", there = body + side,
                    embedding = decoder ? "target" : "source";
  const auto attention = [&](const std::string& path, const std::string& name) {
    for (const char* part : {"q", "k", "v"})
      names.linear(concat(path, "/", part), concat(name, ".", part, "_proj"), c.bias);
    names.linear(path + "/o", name + ".out_proj", c.bias);
  };
  const int64_t layers = decoder ? c.decoder_layers : c.encoder_layers;
  for (int64_t i = 0; i < layers; ++i) {
    const std::string path = concat(side, "/", i), layer = concat(there, ".layers.", i, ".");
    if (!decoder && c.global_first)
      name_longformer(names, c, path + "/self", layer + "self_attn");
    else
      attention(path + "/self", layer + "self_attn");
    names.norm(path + "/self_norm", layer + "self_attn_layer_norm", c.norm);
    if (decoder) {
      attention(path + "/cross", layer + "encoder_attn");
      names.norm(path + "/cross_norm", layer + "encoder_attn_layer_norm", c.norm);
    }
    names.linear(path + "/feed_forward/in", layer + "fc1", c.bias);
    names.linear(path + "/feed_forward/out", layer + "fc2", c.bias);
    names.norm(path + "/feed_forward_norm", layer + "final_layer_norm", c.norm);
  }
  if (c.final_norm) names.norm(side + "/norm", there + ".layer_norm", c.norm);
  if (c.embedding_norm)
    names.norm(embedding + "_embedding_norm", there + ".layernorm_embedding", c.norm);
  if (c.positions == transformer::PositionKind::learned)
    names.table(embedding + "_positions", there + ".embed_positions.weight");
}

}  // namespace

Config bart_config(const ConfigFile& f) {
  Config c;
  c.source.vocabulary = f.integer("vocab_size", kVocabularies);
  c.target_vocabulary = f.integer("decoder_vocab_size", kVocabularies, c.source.vocabulary);
  c.width = f.integer("d_model", kWidths);
  c.heads = f.integer("encoder_attention_heads", kHeads);
  c.decoder_heads = f.integer("decoder_attention_heads", kHeads);
  c.feed_forward = f.integer("encoder_ffn_dim", kWidths);
  c.decoder_feed_forward = f.integer("decoder_ffn_dim", kWidths);
  c.encoder_layers = f.integer("encoder_layers", kLayers);
  c.decoder_layers = f.integer("decoder_layers", kLayers);
  c.activation =
      activation_of(f, "activation_function", f.text("activation_function", "gelu"), false);
  c.dropout = f.real("dropout", settings::kShare, 0);
  c.attention_dropout = f.real("attention_dropout", settings::kShare, 0);
  c.activation_dropout = f.real("activation_dropout", settings::kShare, 0);
  c.encoder_layer_dropout = f.real("encoder_layerdrop", settings::kShare, 0);
  c.decoder_layer_dropout = f.real("decoder_layerdrop", settings::kShare, 0);
  c.embedding_scale =
      f.flag("scale_embedding", false) ? std::sqrt(static_cast<double>(c.width)) : 1;
  const bool by_side = f.has("max_encoder_position_embeddings");
  c.max_positions = f.integer(
      by_side ? "max_encoder_position_embeddings" : "max_position_embeddings", {1, 1 << 20});
  if (by_side) c.target_positions = f.integer("max_decoder_position_embeddings", {1, 1 << 20});
  return c;
}

Imported import_bart_layers(const Config& config, const ConfigFile& f, const Inventory& tensors,
                            const std::string& body) {
  Imported imported;
  imported.config = config;
  Config& c = imported.config;
  const bool base = tensors.has("shared.weight") && !tensors.has(body + "shared.weight");
  const std::string in = base ? "" : body;
  c.output_bias = tensors.has("final_logits_bias");
  import_tables(imported,
                {in + "shared.weight", in + "encoder.embed_tokens.weight",
                 in + "decoder.embed_tokens.weight", "lm_head.weight"},
                f.flag("tie_word_embeddings", true), tensors);
  name_stack(imported.tensors, c, in, false);
  name_stack(imported.tensors, c, in, true);
  if (c.output_bias) {
    imported.tensors.push_back({"output/b", "final_logits_bias", Layout::row});
    imported.untrained.emplace_back("output/b");  // a buffer there
  }
  for (const char* side : {"encoder", "decoder"}) {
    imported.unneeded.push_back(concat(in, side, ".version"));
    if (c.positions == transformer::PositionKind::sinusoidal)
      for (const char* spelled : {".embed_positions.weight", ".embed_positions.weights"})
        imported.sinusoids.push_back({concat(in, side, spelled), c.first_position - 1});
  }
  return imported;
}

void fix_padding(Imported& imported, const ConfigFile& f) {
  const int64_t pad = f.integer("pad_token_id", kIds, -1);
  if (pad == f.integer("decoder_start_token_id", kIds, -1)) imported.config.fixed_token = pad;
}

}  // namespace weft::published
