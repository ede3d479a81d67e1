// tests/models/every_model.h -- small models of all families, with every part that changes what is
// computed.
#pragma once
#include "models/families/convolutional/convolutional.h"
#include "models/families/hybrid/hybrid.h"
#include "tests/models/small_data.h"

#include <string>
#include <utility>
#include <vector>

namespace weft::tests {

inline rnn::Config config_of(rnn::AttentionKind attention, int64_t width = 16) {
  rnn::Config c = small_config(width);
  c.attention = attention;
  const bool luong = attention == rnn::AttentionKind::dot ||
                     attention == rnn::AttentionKind::general ||
                     attention == rnn::AttentionKind::concat;
  c.cell = luong ? CellKind::lstm : CellKind::gru;
  c.bidirectional = !luong;
  c.input_feeding = luong;
  c.readout = luong ? rnn::Readout::plain : rnn::Readout::tanh;
  return c;
}

struct NamedModel {
  std::string first;  // what it is
  seq2seq::Settings second;
};
using NamedModels = std::vector<NamedModel>;

// Parts that stand beside the kind of attention.
inline NamedModels recurrent_variants(int64_t width = 8) {
  using enum rnn::AttentionKind;
  NamedModels all;
  const auto add = [&](const char* what, rnn::AttentionKind kind, const auto& change) {
    rnn::Config c = config_of(kind, width);
    change(c);
    all.push_back({what, c});
  };
  add("residual layers", additive, [](rnn::Config& c) { c.layers = 3, c.residual = true; });
  add("residual layers, general", general,
      [](rnn::Config& c) { c.layers = 2, c.residual = true, c.input_feeding = false; });
  add("conditional GRU", additive, [](rnn::Config& c) {
    c.conditional = true, c.start = rnn::Start::mean, c.cell = CellKind::gru_after;
  });
  add("deep conditional LSTM", additive, [](rnn::Config& c) {
    c.conditional = true, c.cell = CellKind::lstm, c.layers = 2;
    c.encoder_transitions = 1, c.decoder_transitions = 2;
  });
  add("deep transitions", additive,
      [](rnn::Config& c) { c.encoder_transitions = c.decoder_transitions = 1; });
  add("deep transitions of gru_after without biases", dot, [](rnn::Config& c) {
    c.cell = CellKind::gru_after, c.encoder_transitions = c.decoder_transitions = 1;
    c.cell_bias = false;
  });
  add("local attention, general", general, [](rnn::Config& c) { c.local_window = 2; });
  add("local attention, concat without feeding", concat,
      [](rnn::Config& c) { c.local_window = 1, c.input_feeding = false; });
  add("coverage", additive,
      [](rnn::Config& c) { c.coverage = rnn::Coverage::sum, c.coverage_loss = 1; });
  add("coverage by fertility, concat", concat,
      [](rnn::Config& c) { c.coverage = rnn::Coverage::fertility; });
  add("copying", additive, [](rnn::Config& c) { c.copy = true; });
  add("copying with coverage", concat, [](rnn::Config& c) {
    c.copy = true, c.coverage = rnn::Coverage::sum, c.coverage_loss = 0.5;
  });
  // From 0.2 on, attention stops here and there before anything is learnt.
  add("monotonic attention", monotonic, [](rnn::Config& c) { c.monotonic.bias = 0.2; });
  add("monotonic attention to chunks", monotonic, [](rnn::Config& c) {
    c.monotonic.chunk = 3, c.monotonic.bias = 0.2, c.variational_dropout = true;
  });
  return all;
}

inline seq2seq::Settings of_frames(rnn::Config c) {
  c.source = {.kind = data::SourceKind::frames, .features = 3};
  return c;
}

// Of frames, the encoder's output shorter than they are.
inline NamedModels pyramids(int64_t width = 8) {
  using enum rnn::AttentionKind;
  rnn::Config spell = config_of(additive, width), luong = config_of(general, width);
  spell.layers = 3, spell.pyramid = 2;
  luong.layers = 2, luong.pyramid = 1, luong.local_window = 1, luong.bidirectional = true;
  return {{"pyramid", of_frames(spell)}, {"pyramid with local attention", of_frames(luong)}};
}

// Of pictures of 4 by 6 pixels, patches of 2 by 2, through convolutions.
inline NamedModels convolved_images(int64_t width = 8) {
  rnn::Config looks = config_of(rnn::AttentionKind::additive, width);
  looks.source = {
      .kind = data::SourceKind::image, .features = 1, .height = 4, .width = 6, .patch = 2};
  looks.image.channels = 3;
  return {{"convolutions of images", looks}};
}

inline NamedModels transformer_variants(int64_t width = 8) {
  using enum transformer::Mixing;
  NamedModels all;
  const auto add = [&](const char* what, const auto& change) {
    transformer::Config c = small_transformer(width);
    change(c);
    all.push_back({what, c});
  };
  using P = transformer::PositionKind;
  add("rotary positions", [](transformer::Config& c) { c.positions = P::rotary; });
  add("rotary positions and a window",
      [](transformer::Config& c) { c.positions = P::rotary, c.window = 3; });
  add("alibi", [](transformer::Config& c) { c.positions = P::alibi; });
  add("alibi and a window, post-norm",
      [](transformer::Config& c) { c.positions = P::alibi, c.window = 3, c.pre_norm = false; });
  add("ssru decoder", [](transformer::Config& c) {
    c.decoder_self = ssru, c.encoder_layers = 3, c.decoder_layers = 1;
  });
  add("light convolutions", [](transformer::Config& c) {
    c.encoder_self = c.decoder_self = light, c.encoder_kernels = {3, 5}, c.decoder_kernels = {2, 4};
  });
  add("dynamic convolutions",
      [](transformer::Config& c) { c.encoder_self = c.decoder_self = dynamic, c.kernel = 3; });
  return all;
}

inline NamedModels convolutional_variants(int64_t width = 8) {
  convolutional::Config c{.source = {.vocabulary = kSmallVocabulary},
                          .target_vocabulary = kSmallVocabulary,
                          .embedding = width,
                          .hidden = width,
                          .encoder_layers = 2,
                          .decoder_layers = 2};
  convolutional::Config wide = c;
  wide.kernel = 5, wide.positions = convolutional::PositionKind::sinusoidal;
  return {{"convolutional", c}, {"convolutional, wide windows", wide}};
}

inline NamedModels hybrid_variants(int64_t width = 8) {
  hybrid::Config c{.source = {.vocabulary = kSmallVocabulary},
                   .target_vocabulary = kSmallVocabulary,
                   .width = width,
                   .heads = 2,
                   .feed_forward = 2 * width,
                   .encoder_layers = 2,
                   .embedding = width,
                   .hidden = width,
                   .attention_width = width};
  hybrid::Config post_norm = c;
  post_norm.pre_norm = false, post_norm.decoder_layers = 1;
  return {{"hybrid", c}, {"hybrid, post-norm", post_norm}};
}

inline seq2seq::Settings with_dropout(seq2seq::Settings s, double rate) {
  if (&s.family() == &rnn::kFamily)
    s.as<rnn::Config>().dropout = rate;
  else if (&s.family() == &convolutional::kFamily)
    s.as<convolutional::Config>().dropout = rate;
  else if (&s.family() == &hybrid::kFamily)
    s.as<hybrid::Config>().dropout = rate;
  else
    s.as<transformer::Config>().dropout = rate;
  return s;
}

// Every kind of attention.
inline NamedModels recurrent_models() {
  NamedModels all;
  using enum rnn::AttentionKind;
  for (const auto kind : {additive, dot, general, concat, none})
    all.push_back({std::string(rnn::name(kind)), config_of(kind)});
  return all;
}

inline NamedModels transformer_models() {
  NamedModels all;
  using enum transformer::PositionKind;
  for (const auto positions : {sinusoidal, learned, relative})
    for (const bool pre_norm : {true, false}) {
      transformer::Config c = small_transformer(8);
      c.positions = positions;
      c.pre_norm = pre_norm;
      all.push_back({ir::concat(pre_norm ? "pre" : "post", "-norm transformer, ",
                                transformer::name(positions)),
                     c});
    }
  for (const auto positions : {sinusoidal, relative}) {
    transformer::Config c = small_transformer(8);
    c.positions = positions, c.window = 3;
    all.push_back({ir::concat("transformer with a window, ", transformer::name(positions)), c});
  }
  return all;
}

// All but those of frames.
inline NamedModels every_model() {
  NamedModels all;
  for (const NamedModels& some :
       {recurrent_models(), transformer_models(), recurrent_variants(), transformer_variants(),
        convolutional_variants(), hybrid_variants()})
    all.insert(all.end(), some.begin(), some.end());
  return all;
}

}  // namespace weft::tests
