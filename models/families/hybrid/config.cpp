// models/families/hybrid/config.cpp -- the fields of recipes, and which go together.
#include "ir/error.h"
#include "models/families/hybrid/hybrid.h"

namespace weft::hybrid {
namespace {

using settings::kShare;

constexpr settings::Whole kWidths{1, 1 << 16}, kLayers{1, 64};

}  // namespace

constinit const seq2seq::Family kFamily = seq2seq::make_family<Config>(
    "hybrid", "transformer encoders with recurrent decoders (Chen et al. 2018)");

void fields(Config& c, settings::Fields& f) {
  f.integer("width", c.width, kWidths, "of the encoder's embeddings and layers, even");
  f.integer("heads", c.heads, {1, 1024}, "of the encoder's attention; they divide `width`");
  f.integer("feed_forward", c.feed_forward, kWidths, "width inside the encoder's networks");
  f.integer("encoder_layers", c.encoder_layers, kLayers, "layers of self-attention");
  f.flag("pre_norm", c.pre_norm, "norms before the encoder's sublayers, not behind");
  f.integer("embedding", c.embedding, kWidths, "width of the target's embeddings");
  f.integer("hidden", c.hidden, kWidths, "width of the decoder's states, and of its readout");
  f.integer("decoder_layers", c.decoder_layers, kLayers, "layers of GRUs");
  f.integer("attention_width", c.attention_width, kWidths, "width of the additive scores");
  f.real("dropout", c.dropout, kShare,
         "of embeddings, in the encoder's layers, between the decoder's and of the readout");
  f.real("source_word_dropout", c.source_word_dropout, kShare,
         "of whole words of the source: their embeddings become zeros");
  f.real("target_word_dropout", c.target_word_dropout, kShare,
         "likewise of the words that the decoder is given");
  f.real("label_smoothing", c.label_smoothing, kShare,
         "share of the probability spread over the vocabulary, in training");
  fields(c.guided, f);
  fields(c.spec_augment, f);
  fields(c.image, f);
}

void check(const Config& c) {
  data::check(c.source);
  seq2seq::check_target_vocabulary(c.target_vocabulary);
  seq2seq::check(c.spec_augment, c.source);
  seq2seq::check(c.image, c.source);
  settings::check_ranges(settings::fields_of(c));
  if (c.width % 2 != 0)
    throw ir::GraphError(ir::concat("width is ", c.width, ", needed is an even number"));
  if (c.width % c.heads != 0)
    throw ir::GraphError(
        ir::concat("width is ", c.width, ", needed is a multiple of the ", c.heads, " heads"));
  if (c.guided.on() && c.source.kind != data::SourceKind::tokens)
    throw ir::GraphError("guided_alignment needs a source of tokens");
}

}  // namespace weft::hybrid
