// models/families/transformer/config.cpp -- the fields of recipes, and which go together.
#include "ir/error.h"
#include "models/families/transformer/transformer.h"

namespace weft::transformer {
namespace {

using settings::Choices;
using settings::kShare;

constexpr Choices<FeedForwardKind, 6> kActivations{{{"relu", FeedForwardKind::relu},
                                                    {"gelu", FeedForwardKind::gelu},
                                                    {"gelu_tanh", FeedForwardKind::gelu_tanh},
                                                    {"silu", FeedForwardKind::silu},
                                                    {"geglu", FeedForwardKind::geglu},
                                                    {"swiglu", FeedForwardKind::swiglu}}};
constexpr Choices<NormKind, 2> kNorms{{{"layer", NormKind::layer}, {"rms", NormKind::rms}}};
constexpr Choices<PositionKind, 3> kPositions{{{"sinusoidal", PositionKind::sinusoidal},
                                               {"learned", PositionKind::learned},
                                               {"relative", PositionKind::relative}}};

constexpr settings::Whole kWidths{1, 1 << 16}, kLayers{1, 64};

}  // namespace

constinit const seq2seq::Family kFamily = seq2seq::make_family<Config>(
    "transformer", "encoder-decoder transformers (Vaswani et al. 2017)");

void fields(Config& c, settings::Fields& f) {
  f.integer("width", c.width, kWidths, "of embeddings and of all layers");
  f.integer("heads", c.heads, {1, 1024}, "of attention; they share out the width");
  f.integer("feed_forward", c.feed_forward, kWidths, "width within the feed-forward networks");
  f.integer("encoder_layers", c.encoder_layers, kLayers, "layers of the encoder");
  f.integer("decoder_layers", c.decoder_layers, kLayers, "layers of the decoder");
  f.choice("activation", c.activation, kActivations,
           "of the feed-forward networks; geglu and swiglu are gated");
  f.choice("norm", c.norm, kNorms, "layer norm, or RMS norm");
  f.choice("positions", c.positions, kPositions,
           "how positions are told: added to embeddings, or as a bias of self-attention");
  f.integer("max_positions", c.max_positions, {1, 1 << 20},
            "how many there are where they are learned");
  f.integer("window", c.window, {0, 1 << 20},
            "of self-attention: how many tokens up to its own a token sees (in the encoder from "
            "its own on as well); 0: all");
  f.flag("pre_norm", c.pre_norm, "norms stand before sublayers, not behind them");
  f.flag("final_norm", c.final_norm, "a norm behind each stack");
  f.flag("bias", c.bias, "biases of all projections");
  f.flag("tied_output", c.tied_output,
         "the vocabulary's scores are products with the target embedding");
  f.flag("output_bias", c.output_bias, "a bias of the vocabulary's scores");
  f.flag("shared_embedding", c.shared_embedding,
         "one table for both vocabularies, which must be of one size");
  f.real("dropout", c.dropout, kShare, "of embeddings, sublayers and feed-forward networks");
  f.real("attention_dropout", c.attention_dropout, kShare, "of attention weights");
  f.real("source_word_dropout", c.source_word_dropout, kShare,
         "of whole words of the source: their embeddings become zeros");
  f.real("target_word_dropout", c.target_word_dropout, kShare,
         "likewise of the words that the decoder is given");
  f.real("label_smoothing", c.label_smoothing, kShare,
         "share of the probability spread over the vocabulary, in training");
  fields(c.guided, f);
}

std::string_view name(PositionKind kind) { return settings::name_of(kPositions, kind); }

int64_t most_positions(const Config& c) {
  return c.positions == PositionKind::learned ? c.max_positions : 0;
}

void check(const Config& c) {
  data::check(c.source);
  seq2seq::check_target_vocabulary(c.target_vocabulary);
  settings::check_ranges(settings::fields_of(c));
  if (c.width % c.heads != 0)
    throw ir::GraphError(
        ir::concat("a width of ", c.width, " is not divided by ", c.heads, " heads"));
  if (c.positions == PositionKind::sinusoidal && c.width % 2 != 0)
    throw ir::GraphError(ir::concat("sinusoidal positions need an even width, found ", c.width));
  if (c.guided.on() && c.source.kind != data::SourceKind::tokens)
    throw ir::GraphError("guided_alignment needs a source of tokens");
  if (!c.shared_embedding) return;
  if (c.source.kind != data::SourceKind::tokens)
    throw ir::GraphError(ir::concat("a shared embedding needs a source of tokens, found ",
                                    data::name(c.source.kind)));
  if (c.source.vocabulary != c.target_vocabulary)
    throw ir::GraphError(ir::concat("a shared embedding needs vocabularies of one size, found ",
                                    c.source.vocabulary, " and ", c.target_vocabulary));
}

}  // namespace weft::transformer
