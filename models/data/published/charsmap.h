// models/data/published/charsmap.h -- the table of replacements that SentencePiece compiles its
// normalisation into: a double-array trie (Aoe 1989, as darts-clone lays it out) of what is replaced,
// and what by.
//
//   u32 bytes of the trie | the trie, u32 a unit | texts, each ended by 0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::data::published {

class Charsmap {
 public:
  // GraphError where it is cut short. `where` stands in errors.
  Charsmap(std::string_view bytes, const std::string& where);

  // As the hub's library applies it: to grapheme clusters of less than 6 bytes as a whole, else to
  // their characters; what is replaced is the cluster whose beginning is the shortest known.
  std::string apply(std::string_view text) const;

 private:
  std::optional<std::string_view> replacement(std::string_view chunk) const;

  std::vector<uint32_t> units_;
  std::string texts_;
};

}  // namespace weft::data::published
