// models/families/transformer/config.cpp -- the fields of recipes, and which go together.
#include "ir/error.h"
#include "models/families/transformer/transformer.h"

namespace weft::transformer {
namespace {

using settings::Choices;
using settings::kShare;

constexpr Choices<FeedForwardKind, 8> kActivations{{{"relu", FeedForwardKind::relu},
                                                    {"gelu", FeedForwardKind::gelu},
                                                    {"gelu_tanh", FeedForwardKind::gelu_tanh},
                                                    {"silu", FeedForwardKind::silu},
                                                    {"reglu", FeedForwardKind::reglu},
                                                    {"geglu", FeedForwardKind::geglu},
                                                    {"geglu_tanh", FeedForwardKind::geglu_tanh},
                                                    {"swiglu", FeedForwardKind::swiglu}}};
constexpr Choices<NormKind, 2> kNorms{{{"layer", NormKind::layer}, {"rms", NormKind::rms}}};
constexpr Choices<Mixing, 3> kEncoderMixing{
    {{"attention", Mixing::attention}, {"light", Mixing::light}, {"dynamic", Mixing::dynamic}}};
constexpr Choices<Mixing, 4> kDecoderMixing{{{"attention", Mixing::attention},
                                             {"light", Mixing::light},
                                             {"dynamic", Mixing::dynamic},
                                             {"ssru", Mixing::ssru}}};
constexpr Choices<PositionKind, 5> kPositions{{{"sinusoidal", PositionKind::sinusoidal},
                                               {"learned", PositionKind::learned},
                                               {"relative", PositionKind::relative},
                                               {"rotary", PositionKind::rotary},
                                               {"alibi", PositionKind::alibi}}};
constexpr Choices<Sinusoids, 3> kSinusoids{{{"interleaved", Sinusoids::interleaved},
                                            {"halves", Sinusoids::halves},
                                            {"tensor2tensor", Sinusoids::tensor2tensor}}};

bool convolves(Mixing m) { return m == Mixing::light || m == Mixing::dynamic; }

void check_kernels(const Config& c, Mixing self, const std::vector<int64_t>& kernels,
                   int64_t layers, std::string_view side) {
  if (!kernels.empty() && std::ssize(kernels) != layers)
    throw ir::GraphError(
        ir::concat(side, "_kernels has ", kernels.size(), " numbers for ", layers, " layers"));
  if (!convolves(self)) return;
  const int64_t heads = side == "encoder" ? c.heads : decoder_heads(c);
  if (c.width % heads != 0)
    throw ir::GraphError(
        ir::concat("a width of ", c.width, " is not divided by ", heads, " heads"));
  const std::vector<int64_t> sizes = kernels.empty() ? std::vector<int64_t>{c.kernel} : kernels;
  for (const int64_t k : sizes)
    if (k < 2 || k > 255 || (side == "encoder" && k % 2 == 0))
      throw ir::GraphError(ir::concat("a kernel of the ", side, " has ", k,
                                      " positions, needed is ",
                                      side == "encoder" ? "an odd number from 3" : "2", " to 255"));
}

constexpr settings::Whole kWidths{1, 1 << 16}, kLayers{1, 64};
constexpr settings::Interval kScales = settings::up_to(1e6);

}  // namespace

constinit const seq2seq::Family kFamily = seq2seq::make_family<Config>(
    "transformer", "encoder-decoder transformers (Vaswani et al. 2017)");

void fields(Config& c, settings::Fields& f) {
  f.integer("width", c.width, kWidths, "of embeddings and of all layers");
  f.integer("heads", c.heads, {1, 1024}, "of attention; they share out the width");
  f.integer("head_width", c.head_width, {0, 1 << 16}, "of each head; 0: the width shared out");
  f.integer("feed_forward", c.feed_forward, kWidths, "width within the feed-forward networks");
  f.integer("encoder_layers", c.encoder_layers, kLayers, "layers of the encoder");
  f.integer("decoder_layers", c.decoder_layers, kLayers, "layers of the decoder");
  f.integer("decoder_heads", c.decoder_heads, {0, 1024}, "of the decoder; 0: as the encoder's");
  f.integer("decoder_feed_forward", c.decoder_feed_forward, {0, 1 << 16},
            "width within the decoder's feed-forward networks; 0: as the encoder's");
  f.choice("activation", c.activation, kActivations,
           "of the feed-forward networks; reglu, geglu, geglu_tanh and swiglu are gated");
  f.choice("norm", c.norm, kNorms, "layer norm, or RMS norm");
  f.real("norm_eps", c.norm_eps, settings::up_to(1),
         "added to variances under the root; 0: 1e-5, of RMS norm 1e-6");
  f.choice("encoder_self", c.encoder_self, kEncoderMixing,
           "self-attention of the encoder, or what stands in its place: light or dynamic "
           "convolutions (Wu et al. 2019)");
  f.choice("decoder_self", c.decoder_self, kDecoderMixing,
           "of the decoder likewise; ssru: a simple recurrent unit (Kim et al. 2019)");
  f.integer("kernel", c.kernel, {2, 255},
            "positions of a convolution's window, the last or (encoder) middle one its own");
  f.integers("encoder_kernels", c.encoder_kernels, {2, 255},
             "of the encoder's layers one by one, as [3, 7, 15, 31]; empty: all have kernel");
  f.integers("decoder_kernels", c.decoder_kernels, {2, 255}, "of the decoder's layers likewise");
  f.choice("positions", c.positions, kPositions,
           "how positions are told: added to embeddings (sinusoidal, learned), as a bias of "
           "self-attention (relative: T5's; alibi), or by turning its queries and keys (rotary)");
  f.choice(
      "sinusoids", c.sinusoids, kSinusoids,
      "of sinusoidal positions: sines and cosines in turns, as in the paper; halves: all sines, "
      "then all cosines; tensor2tensor: likewise, wavelengths up to 10000 itself (fairseq)");
  f.integer("max_positions", c.max_positions, {1, 1 << 20},
            "how many there are where they are learned");
  f.integer("target_positions", c.target_positions, {0, 1 << 20},
            "how many there are of a target; 0: as max_positions");
  f.integer("first_position", c.first_position, {0, 1 << 20},
            "the number of the first position, sinusoidal or learned; learned ones below it are "
            "there and never read");
  f.integer("position_buckets", c.position_buckets, {4, 1 << 16},
            "relative positions: how many distances are told apart");
  f.integer("position_distance", c.position_distance, {2, 1 << 20},
            "relative positions: from here on all distances are one");
  f.integer("window", c.window, {0, 1 << 20},
            "of self-attention: how many tokens up to its own a token sees (in the encoder from "
            "its own on as well); 0: all");
  f.integer("encoder_window", c.encoder_window, {0, 1 << 20},
            "likewise, of the encoder alone; 0: as window");
  f.integer(
      "global_block", c.global_block, {0, 1 << 16},
      "with a window of the encoder: each token sees the sums of all blocks of so many tokens "
      "too (LongT5's transient global attention); 0: none");
  f.integers(
      "layer_windows", c.layer_windows, {1, 1 << 20},
      "of the encoder's layers one by one, as [33, 65, 129]; empty: all have encoder_window");
  f.flag(
      "global_first", c.global_first,
      "with a window of the encoder: the first token of a source sees all and is seen by all, by "
      "projections of its own (Longformer, LED)");
  f.flag("pre_norm", c.pre_norm, "norms stand before sublayers, not behind them");
  f.flag("final_norm", c.final_norm, "a norm behind each stack");
  f.flag("embedding_norm", c.embedding_norm, "a norm of embeddings with their positions");
  f.real("embedding_scale", c.embedding_scale, kScales,
         "what embeddings are multiplied by; 0: the root of the width, 1 where positions are "
         "relative");
  f.real("attention_scale", c.attention_scale, kScales,
         "what attention's scores are multiplied by; 0: 1 by the root of a head's width");
  f.real("output_scale", c.output_scale, settings::above_zero(1e6),
         "what the decoder's output is multiplied by before the vocabulary's scores");
  f.flag("bias", c.bias, "biases of all projections");
  f.flag("tied_output", c.tied_output,
         "the vocabulary's scores are products with the target embedding");
  f.flag("output_bias", c.output_bias, "a bias of the vocabulary's scores");
  f.flag("shared_embedding", c.shared_embedding,
         "one table for both vocabularies, which must be of one size");
  f.integer("fixed_token", c.fixed_token, {-1, 1 << 24},
            "an id whose embedding is not trained where it is looked up, as PyTorch's padding_idx; "
            "-1: none");
  f.real("dropout", c.dropout, kShare, "of embeddings, sublayers and feed-forward networks");
  f.real("attention_dropout", c.attention_dropout, kShare, "of attention weights");
  f.real("activation_dropout", c.activation_dropout, {.least = -1, .most = 1, .open_above = true},
         "within feed-forward networks, behind the activation; -1: as dropout");
  f.real("encoder_layer_dropout", c.encoder_layer_dropout, kShare,
         "of whole layers of the encoder: one is left out of a step so often (LayerDrop)");
  f.real("decoder_layer_dropout", c.decoder_layer_dropout, kShare, "of the decoder likewise");
  f.flag("final_dropout", c.final_dropout, "dropout of what each stack gives, too, as in T5");
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

std::string_view name(PositionKind kind) { return settings::name_of(kPositions, kind); }

int64_t most_positions(const Config& c) {
  return c.positions == PositionKind::learned ? c.max_positions : 0;
}

void check(const Config& c) {
  data::check(c.source);
  seq2seq::check_target_vocabulary(c.target_vocabulary);
  seq2seq::check(c.spec_augment, c.source);
  seq2seq::check(c.image, c.source);
  settings::check_ranges(settings::fields_of(c));
  if (c.activation_dropout < 0 && c.activation_dropout != -1)
    throw ir::GraphError(ir::concat("activation_dropout is ", c.activation_dropout,
                                    ", needed is -1 or a share from 0 to below 1"));
  for (const int64_t heads : {c.heads, decoder_heads(c)})
    if (c.head_width == 0 && c.width % heads != 0)
      throw ir::GraphError(
          ir::concat("a width of ", c.width, " is not divided by ", heads, " heads"));
  if (c.positions == PositionKind::relative &&
      (c.position_buckets % 2 != 0 || c.position_distance <= c.position_buckets / 2))
    throw ir::GraphError(ir::concat("position_buckets is ", c.position_buckets,
                                    " and position_distance ", c.position_distance,
                                    ", needed are an even number and more than half of it"));
  check_kernels(c, c.encoder_self, c.encoder_kernels, c.encoder_layers, "encoder");
  check_kernels(c, c.decoder_self, c.decoder_kernels, c.decoder_layers, "decoder");
  if (c.positions == PositionKind::rotary)
    for (const int64_t heads : {c.heads, decoder_heads(c)})
      if (const int64_t d = c.head_width > 0 ? c.head_width : c.width / heads; d % 2 != 0)
        throw ir::GraphError(ir::concat("rotary positions need heads of an even width, found ", d));
  if (c.encoder_self != Mixing::attention && (c.global_block > 0 || c.global_first))
    throw ir::GraphError("global_block and global_first need encoder_self = \"attention\"");
  if (c.positions == PositionKind::sinusoidal && c.width % 2 != 0)
    throw ir::GraphError(ir::concat("sinusoidal positions need an even width, found ", c.width));
  if (c.global_block > 0 && (c.positions != PositionKind::relative || !c.pre_norm ||
                             (c.window == 0 && c.encoder_window == 0)))
    throw ir::GraphError(
        "global_block needs relative positions, pre_norm and a window of the encoder");
  if (!c.layer_windows.empty() && std::ssize(c.layer_windows) != c.encoder_layers)
    throw ir::GraphError(ir::concat("layer_windows has ", c.layer_windows.size(), " numbers for ",
                                    c.encoder_layers, " layers"));
  const bool added =
      c.positions == PositionKind::sinusoidal || c.positions == PositionKind::learned;
  if (c.global_first && (!added || c.global_block > 0 ||
                         (c.window == 0 && c.encoder_window == 0 && c.layer_windows.empty())))
    throw ir::GraphError(
        "global_first needs a window of the encoder, and sinusoidal or learned positions");
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
