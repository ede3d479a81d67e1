// models/families/convolutional/config.cpp -- the fields of recipes, and which go together.
#include "ir/error.h"
#include "models/families/convolutional/convolutional.h"

namespace weft::convolutional {
namespace {

using settings::kShare;

constexpr settings::Choices<PositionKind, 2> kPositions{
    {{"learned", PositionKind::learned}, {"sinusoidal", PositionKind::sinusoidal}}};
constexpr settings::Whole kWidths{1, 1 << 16}, kLayers{1, 64};

}  // namespace

constinit const seq2seq::Family kFamily = seq2seq::make_family<Config>(
    "convolutional", "convolutional encoder-decoders (Gehring et al. 2017)");

void fields(Config& c, settings::Fields& f) {
  f.integer("embedding", c.embedding, kWidths, "width of embeddings, and of attention");
  f.integer("hidden", c.hidden, kWidths, "width of the blocks (twice that before the gates)");
  f.integer("kernel", c.kernel, {2, 255},
            "positions of a convolution's window, odd: the middle one is its own, in the decoder "
            "the last");
  f.integer("encoder_layers", c.encoder_layers, kLayers, "blocks of the encoder");
  f.integer("decoder_layers", c.decoder_layers, kLayers, "blocks of the decoder");
  f.choice("positions", c.positions, kPositions, "what is added to embeddings");
  f.integer("max_positions", c.max_positions, {1, 1 << 20},
            "how many there are where they are learned");
  f.real("dropout", c.dropout, kShare,
         "of embeddings, of what convolutions read and before the vocabulary's scores");
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
  if (c.kernel % 2 == 0)
    throw ir::GraphError(ir::concat("kernel is ", c.kernel, ", needed is an odd number"));
  if (c.positions == PositionKind::sinusoidal && c.embedding % 2 != 0)
    throw ir::GraphError(
        ir::concat("sinusoidal positions need an even width, found ", c.embedding));
  if (c.guided.on() && c.source.kind != data::SourceKind::tokens)
    throw ir::GraphError("guided_alignment needs a source of tokens");
}

}  // namespace weft::convolutional
