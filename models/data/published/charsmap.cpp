// models/data/published/charsmap.cpp -- walking the trie, every step within bounds.
#include "models/data/published/charsmap.h"

#include "ir/error.h"
#include "models/data/published/unicode.h"

#include <cstring>

namespace weft::data::published {
namespace {

// The parts of a unit.
bool has_leaf(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t value(uint32_t unit) { return unit & 0x7FFFFFFF; }
uint32_t label(uint32_t unit) { return unit & 0x800000FF; }
uint32_t offset(uint32_t unit) { return (unit >> 10) << ((unit & 0x200) >> 6); }

}  // namespace

Charsmap::Charsmap(std::string_view bytes, const std::string& where) {
  uint32_t size = 0;
  if (bytes.size() > sizeof size) std::memcpy(&size, bytes.data(), sizeof size);
  if (bytes.size() <= sizeof size || size % sizeof(uint32_t) != 0 || size == 0 ||
      size >= bytes.size() - sizeof size)
    throw ir::GraphError(where + ": is cut short");
  units_.resize(size / sizeof(uint32_t));
  std::memcpy(units_.data(), bytes.data() + sizeof size, size);
  texts_ = bytes.substr(sizeof size + size);
}

std::optional<std::string_view> Charsmap::replacement(std::string_view chunk) const {
  uint32_t at = offset(units_[0]);
  for (const char c : chunk) {
    const auto byte = static_cast<unsigned char>(c);
    at ^= byte;
    if (byte == 0 || at >= units_.size() || label(units_[at]) != byte) return std::nullopt;
    const bool ends = has_leaf(units_[at]);
    at ^= offset(units_[at]);
    if (at >= units_.size()) return std::nullopt;
    if (!ends) continue;
    const uint32_t text = value(units_[at]);
    if (text >= texts_.size()) return std::nullopt;
    const std::string_view rest = std::string_view(texts_).substr(text);
    return rest.substr(0, rest.find('\0'));
  }
  return std::nullopt;
}

std::string Charsmap::apply(std::string_view text) const {
  constexpr size_t kLongest = 6;
  std::string result;
  for (const std::string_view cluster : graphemes(text)) {
    if (cluster.size() < kLongest)
      if (const auto other = replacement(cluster)) {
        result += *other;
        continue;
      }
    for (size_t at = 0; at < cluster.size();) {
      const size_t from = at;
      (void)next_code_point(cluster, at);
      const std::string_view character = cluster.substr(from, at - from);
      result += replacement(character).value_or(character);
    }
  }
  return result;
}

}  // namespace weft::data::published
