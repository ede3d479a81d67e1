// models/families/transformer/config.cpp -- names of the choices, and which go together.
#include "models/families/transformer/transformer.h"

#include <array>
#include <utility>

namespace weft::transformer {
namespace {

template <typename T, size_t N>
using Names = std::array<std::pair<std::string_view, T>, N>;

constexpr Names<FeedForwardKind, 6> kActivations{{{"relu", FeedForwardKind::relu},
                                                  {"gelu", FeedForwardKind::gelu},
                                                  {"gelu_tanh", FeedForwardKind::gelu_tanh},
                                                  {"silu", FeedForwardKind::silu},
                                                  {"geglu", FeedForwardKind::geglu},
                                                  {"swiglu", FeedForwardKind::swiglu}}};
constexpr Names<NormKind, 2> kNorms{{{"layer", NormKind::layer}, {"rms", NormKind::rms}}};
constexpr Names<PositionKind, 3> kPositions{{{"sinusoidal", PositionKind::sinusoidal},
                                             {"learned", PositionKind::learned},
                                             {"relative", PositionKind::relative}}};

template <typename T, size_t N>
T named(const Names<T, N>& names, std::string_view what, std::string_view wanted) {
  std::string all;
  for (const auto& [name, value] : names) {
    if (name == wanted) return value;
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  throw ir::GraphError(ir::concat("there is no ", what, " '", wanted, "'; there are ", all));
}

template <typename T, size_t N>
std::string_view name_of(const Names<T, N>& names, T wanted) {
  for (const auto& [name, value] : names)
    if (value == wanted) return name;
  return {};
}

void in_range(std::string_view name, int64_t value, int64_t least, int64_t most) {
  if (value < least || value > most)
    throw ir::GraphError(ir::concat(name, " is ", value, ", needed is ", least, " to ", most));
}

void rate_in_range(std::string_view name, double value) {
  if (!(value >= 0 && value < 1))
    throw ir::GraphError(ir::concat(name, " is ", value, ", needed is 0 or more and below 1"));
}

}  // namespace

FeedForwardKind activation_named(std::string_view name) {
  return named(kActivations, "activation", name);
}
NormKind norm_named(std::string_view name) { return named(kNorms, "norm", name); }
PositionKind positions_named(std::string_view name) { return named(kPositions, "positions", name); }
std::string_view name(FeedForwardKind kind) { return name_of(kActivations, kind); }
std::string_view name(NormKind kind) { return name_of(kNorms, kind); }
std::string_view name(PositionKind kind) { return name_of(kPositions, kind); }

void check(const Config& c) {
  constexpr int64_t kMostWidth = 1 << 16, kMostTokens = 1 << 24;
  in_range("source_vocabulary", c.source_vocabulary, 1, kMostTokens);
  in_range("target_vocabulary", c.target_vocabulary, 1, kMostTokens);
  in_range("width", c.width, 1, kMostWidth);
  in_range("heads", c.heads, 1, 1024);
  in_range("feed_forward", c.feed_forward, 1, kMostWidth);
  in_range("encoder_layers", c.encoder_layers, 1, 64);
  in_range("decoder_layers", c.decoder_layers, 1, 64);
  in_range("max_positions", c.max_positions, 1, 1 << 20);
  in_range("window", c.window, 0, 1 << 20);
  rate_in_range("dropout", c.dropout);
  rate_in_range("attention_dropout", c.attention_dropout);
  rate_in_range("label_smoothing", c.label_smoothing);
  if (c.width % c.heads != 0)
    throw ir::GraphError(
        ir::concat("a width of ", c.width, " is not divided by ", c.heads, " heads"));
  if (c.positions == PositionKind::sinusoidal && c.width % 2 != 0)
    throw ir::GraphError(ir::concat("sinusoidal positions need an even width, found ", c.width));
  if (c.shared_embedding && c.source_vocabulary != c.target_vocabulary)
    throw ir::GraphError(ir::concat("a shared embedding needs vocabularies of one size, found ",
                                    c.source_vocabulary, " and ", c.target_vocabulary));
}

}  // namespace weft::transformer
