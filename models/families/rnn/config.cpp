// models/families/rnn/config.cpp -- names of the choices, and which go together.
#include "models/families/rnn/rnn.h"

#include <array>
#include <utility>

namespace weft::rnn {
namespace {

template <typename T, size_t N>
using Names = std::array<std::pair<std::string_view, T>, N>;

constexpr Names<CellKind, 3> kCells{
    {{"gru", CellKind::gru}, {"gru_after", CellKind::gru_after}, {"lstm", CellKind::lstm}}};
constexpr Names<AttentionKind, 5> kAttentions{{{"none", AttentionKind::none},
                                               {"additive", AttentionKind::additive},
                                               {"dot", AttentionKind::dot},
                                               {"general", AttentionKind::general},
                                               {"concat", AttentionKind::concat}}};
constexpr Names<Readout, 3> kReadouts{
    {{"plain", Readout::plain}, {"tanh", Readout::tanh}, {"maxout", Readout::maxout}}};

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

}  // namespace

CellKind cell_named(std::string_view name) { return named(kCells, "cell", name); }
AttentionKind attention_named(std::string_view name) {
  return named(kAttentions, "attention", name);
}
Readout readout_named(std::string_view name) { return named(kReadouts, "readout", name); }
std::string_view name(CellKind kind) { return name_of(kCells, kind); }
std::string_view name(AttentionKind kind) { return name_of(kAttentions, kind); }
std::string_view name(Readout readout) { return name_of(kReadouts, readout); }

void check(const Config& c) {
  constexpr int64_t kMostWidth = 1 << 16, kMostTokens = 1 << 24;
  in_range("source_vocabulary", c.source_vocabulary, 1, kMostTokens);
  in_range("target_vocabulary", c.target_vocabulary, 1, kMostTokens);
  in_range("embedding", c.embedding, 1, kMostWidth);
  in_range("hidden", c.hidden, 1, kMostWidth);
  in_range("attention_width", c.attention_width, 0, kMostWidth);
  in_range("readout_width", c.readout_width, 0, kMostWidth);
  in_range("layers", c.layers, 1, 64);
  if (!(c.dropout >= 0 && c.dropout < 1))
    throw ir::GraphError(ir::concat("dropout is ", c.dropout, ", needed is 0 or more and below 1"));
  const bool luong = c.attention != AttentionKind::none && c.attention != AttentionKind::additive;
  if (c.input_feeding && !luong)
    throw ir::GraphError(ir::concat(
        "input_feeding goes with attention dot, general or concat, not with ", name(c.attention)));
  if (c.attention == AttentionKind::dot && c.bidirectional)
    throw ir::GraphError(
        "attention dot compares a state of the decoder with an annotation of two directions, twice "
        "as wide; "
        "take general, or bidirectional = false");
}

}  // namespace weft::rnn
