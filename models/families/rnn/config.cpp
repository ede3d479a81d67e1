// models/families/rnn/config.cpp -- the fields of recipes, and which go together.
#include "ir/error.h"
#include "models/families/rnn/rnn.h"

namespace weft::rnn {
namespace {

using settings::Choices;

constexpr Choices<CellKind, 3> kCells{
    {{"gru", CellKind::gru}, {"gru_after", CellKind::gru_after}, {"lstm", CellKind::lstm}}};
constexpr Choices<AttentionKind, 6> kAttentions{{{"none", AttentionKind::none},
                                                 {"additive", AttentionKind::additive},
                                                 {"dot", AttentionKind::dot},
                                                 {"general", AttentionKind::general},
                                                 {"concat", AttentionKind::concat},
                                                 {"monotonic", AttentionKind::monotonic}}};
constexpr Choices<Readout, 3> kReadouts{
    {{"plain", Readout::plain}, {"tanh", Readout::tanh}, {"maxout", Readout::maxout}}};

constexpr Choices<Start, 2> kStarts{{{"last", Start::last}, {"mean", Start::mean}}};
constexpr Choices<Coverage, 3> kCoverages{
    {{"none", Coverage::none}, {"sum", Coverage::sum}, {"fertility", Coverage::fertility}}};

constexpr settings::Whole kWidths{1, 1 << 16}, kWidthsOrNone{0, 1 << 16};

}  // namespace

constinit const seq2seq::Family kFamily = seq2seq::make_family<Config>(
    "rnn",
    "recurrent encoder-decoders, with attention (Bahdanau et al. 2015, Luong et al. 2015) or "
    "without (Sutskever et al. 2014)");

void fields(Config& c, settings::Fields& f) {
  f.choice("cell", c.cell, kCells,
           "the recurrent cells; gru resets the state before its product, gru_after behind it");
  f.choice(
      "attention", c.attention, kAttentions,
      "the score: additive is Bahdanau's, dot, general and concat are Luong's; monotonic moves "
      "through the source once (Raffel et al. 2017)");
  f.choice("readout", c.readout, kReadouts,
           "what the vocabulary's scores are computed from: the state, or a layer over it");
  f.integer("embedding", c.embedding, kWidths, "width of the embeddings");
  f.integer("hidden", c.hidden, kWidths, "width of each direction, and of the decoder");
  f.integer("attention_width", c.attention_width, kWidthsOrNone,
            "width of attention additive, concat and monotonic; 0: as hidden");
  f.integer("chunk_width", c.monotonic.chunk, {1, 64},
            "attention monotonic: positions that are read, up to where it stops (MoChA: Chiu and "
            "Raffel 2018)");
  f.real("monotonic_bias", c.monotonic.bias, {.least = -100, .most = 100},
         "attention monotonic: of its energies before training; below 0 it moves on rather than "
         "stops");
  f.real("monotonic_noise", c.monotonic.noise, settings::up_to(100),
         "attention monotonic: deviation of noise on its energies in training, which teaches it to "
         "decide");
  f.integer("readout_width", c.readout_width, kWidthsOrNone,
            "width of readout tanh and maxout (twice that before the maximum); 0: as hidden");
  f.integer("layers", c.layers, {1, 64}, "of the encoder, and of the decoder");
  f.flag("bidirectional", c.bidirectional, "the encoder reads in both directions");
  f.flag("input_feeding", c.input_feeding,
         "the decoder's output enters its next step (Luong et al. 2015, section 3.3)");
  f.flag("residual", c.residual,
         "layers above the first add what they read to their output (Wu et al. 2016)");
  f.integer(
      "pyramid", c.pyramid, {0, 8},
      "frames: of so many layers of the encoder, from the second on, each reads two positions "
      "as one (Listen, Attend and Spell: Chan et al. 2016)");
  f.integer("encoder_transitions", c.encoder_transitions, {0, 16},
            "further cells without input that each step of the encoder goes through (deep "
            "transition: Miceli Barone et al. 2017)");
  f.integer("decoder_transitions", c.decoder_transitions, {0, 16}, "of the decoder likewise");
  f.flag("conditional", c.conditional,
         "attention additive stands between two cells of a step: the first reads the word, the "
         "second the context (the conditional GRU of Nematus)");
  f.choice("start", c.start, kStarts,
           "the decoder's first state: of the encoder's last ones, or of the mean of all");
  f.integer("local_window", c.local_window, {0, 1 << 16},
            "attention only to so many positions on either side of a predicted one (local-p: Luong "
            "et al. 2015, section 3.2); 0: to all");
  f.choice("coverage", c.coverage, kCoverages,
           "attention additive or concat knows where it looked: the sum of its weights (See et al. "
           "2017), or that divided by fertility (Tu et al. 2016)");
  f.real("most_fertility", c.most_fertility, settings::above_zero(1000),
         "coverage = fertility: target words that a source word is worth at most");
  f.real("coverage_loss", c.coverage_loss, settings::up_to(1000),
         "weight of a loss of looking again where attention was (See et al. 2017); 0: none");
  f.flag("copy", c.copy,
         "the source's tokens may be copied: attention's weights are probabilities of them (See et "
         "al. 2017); needs a shared vocabulary");
  f.flag("cell_bias", c.cell_bias, "biases in the decoder's cells");
  f.flag("output_bias", c.output_bias,
         "biases between encoder and decoder, of the readout and of the vocabulary's scores");
  f.real("dropout", c.dropout, settings::kShare,
         "of embeddings, between layers and of the readout");
  f.flag("variational_dropout", c.variational_dropout,
         "its masks are the same at all positions of a sentence (Gal and Ghahramani 2016)");
  f.real("source_word_dropout", c.source_word_dropout, settings::kShare,
         "of whole words of the source: their embeddings become zeros");
  f.real("target_word_dropout", c.target_word_dropout, settings::kShare,
         "likewise of the words that the decoder is given");
  f.real("label_smoothing", c.label_smoothing, settings::kShare,
         "share of the probability spread over the vocabulary, in training");
  f.real(
      "scheduled_sampling", c.scheduled_sampling, settings::up_to(1),
      "probability that the decoder is given its own last word in training (Bengio et al. 2015)");
  f.integer("scheduled_sampling_steps", c.scheduled_sampling_steps, {0, int64_t{1} << 40},
            "steps over which that rises from 0");
  fields(c.guided, f);
  fields(c.spec_augment, f);
  fields(c.image, f);
}

CellKind cell_named(std::string_view name) { return settings::named(kCells, "cell", name); }
AttentionKind attention_named(std::string_view name) {
  return settings::named(kAttentions, "attention", name);
}
std::string_view name(CellKind kind) { return settings::name_of(kCells, kind); }
std::string_view name(AttentionKind kind) { return settings::name_of(kAttentions, kind); }

bool has_attention(const Config& c) { return c.attention != AttentionKind::none; }

void check(const Config& c) {
  data::check(c.source);
  seq2seq::check_target_vocabulary(c.target_vocabulary);
  seq2seq::check(c.spec_augment, c.source);
  seq2seq::check(c.image, c.source);
  settings::check_ranges(settings::fields_of(c));
  const bool luong = c.attention == AttentionKind::dot || c.attention == AttentionKind::general ||
                     c.attention == AttentionKind::concat;
  if (c.input_feeding && !luong)
    throw ir::GraphError(ir::concat(
        "input_feeding goes with attention dot, general or concat, not with ", name(c.attention)));
  if (c.guided.on() && (!has_attention(c) || c.source.kind != data::SourceKind::tokens))
    throw ir::GraphError("guided_alignment needs attention to a source of tokens");
  const auto refuse = [&](std::string_view key, std::string_view needed) {
    throw ir::GraphError(
        ir::concat(key, " goes with ", needed, ", not with attention ", name(c.attention)));
  };
  if (c.conditional && c.attention != AttentionKind::additive)
    refuse("conditional", "attention additive");
  if (c.local_window > 0 && !luong) refuse("local_window", "attention dot, general or concat");
  if (c.coverage != Coverage::none && c.attention != AttentionKind::additive &&
      c.attention != AttentionKind::concat)
    refuse("coverage", "attention additive or concat");
  if (c.coverage_loss > 0 && c.coverage == Coverage::none)
    throw ir::GraphError("coverage_loss needs coverage, sum or fertility");
  if (c.copy && (!has_attention(c) || c.attention == AttentionKind::monotonic))
    refuse("copy", "attention whose weights add up to 1");
  if (c.copy &&
      (c.source.kind != data::SourceKind::tokens || c.source.vocabulary != c.target_vocabulary))
    throw ir::GraphError(c.source.kind != data::SourceKind::tokens
                             ? "copy needs a source of tokens"
                             : ir::concat("copy needs one vocabulary for both sides, found ",
                                          c.source.vocabulary, " and ", c.target_vocabulary,
                                          " tokens"));
  if (c.copy && (c.label_smoothing > 0 || c.scheduled_sampling > 0))
    throw ir::GraphError("copy has neither label_smoothing nor scheduled_sampling");
  if (c.pyramid >= c.layers && c.pyramid > 0)
    throw ir::GraphError(ir::concat("pyramid is ", c.pyramid, " with ", c.layers,
                                    c.layers == 1 ? " layer" : " layers",
                                    ", needed is less: the first one reads every position"));
  if (c.pyramid > 0 && (c.source.kind != data::SourceKind::frames || c.residual))
    throw ir::GraphError(c.residual ? "pyramid does not go with residual: widths differ"
                                    : "pyramid needs a source of frames");
  if (c.attention == AttentionKind::dot && c.bidirectional)
    throw ir::GraphError(
        "attention dot compares a state of the decoder with an annotation of two directions, twice "
        "as wide; take general, or bidirectional = false");
}

}  // namespace weft::rnn
