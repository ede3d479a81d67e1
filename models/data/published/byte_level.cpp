// models/data/published/byte_level.cpp -- the table of bytes, and GPT-2's pattern by hand.
#include "models/data/published/byte_level.h"

#include <array>
#include <unordered_map>

namespace weft::data::published {
namespace {

struct ByteCharacters {
  std::array<std::string, 256> spelled;
  std::unordered_map<char32_t, char> bytes;

  ByteCharacters() {
    char32_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool seen = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b != 0xAD);
      const char32_t c = seen ? static_cast<char32_t>(b) : next++;
      spelled[static_cast<size_t>(b)] = utf8(c);
      bytes.emplace(c, static_cast<char>(b));
    }
  }
};

const ByteCharacters& byte_characters() {
  static const ByteCharacters table;
  return table;
}

enum class Kind { letter, number, space, other };

Kind kind_of(char32_t c) {
  if (is_letter(c)) return Kind::letter;
  if (is_number(c)) return Kind::number;
  return is_space(c) ? Kind::space : Kind::other;
}

// Behind "'s" and the like at `at`, or 0.
size_t end_of_contraction(std::string_view text, size_t at) {
  for (const std::string_view c : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"})
    if (text.substr(at, c.size()) == c) return at + c.size();
  return 0;
}

}  // namespace

std::string to_byte_characters(std::string_view bytes) {
  std::string text;
  for (const char b : bytes) text += byte_characters().spelled[static_cast<unsigned char>(b)];
  return text;
}

std::string from_byte_characters(std::string_view text) {
  std::string bytes;
  for (size_t at = 0; at < text.size();) {
    const auto found = byte_characters().bytes.find(next_code_point(text, at));
    if (found == byte_characters().bytes.end()) return std::string(text);
    bytes += found->second;
  }
  return bytes;
}

Stretches byte_level_words(std::string_view text) {
  Stretches words;
  // Behind a run of one kind from `at` on.
  const auto end_of_run = [&](size_t at, Kind kind) {
    while (at < text.size()) {
      size_t next = at;
      if (kind_of(next_code_point(text, next)) != kind) break;
      at = next;
    }
    return at;
  };
  for (size_t at = 0, end = 0; at < text.size(); at = end) {
    end = end_of_contraction(text, at);
    if (end == 0) {
      size_t first = at, behind = 0;
      if (text[at] == ' ' && at + 1 < text.size()) first = at + 1;
      behind = first;
      Kind kind = kind_of(next_code_point(text, behind));
      if (kind == Kind::space) {
        // All white space but the last where a word follows, which may take a space to itself.
        end = end_of_run(at, Kind::space);
        size_t last = end;
        (void)previous_code_point(text, last);
        if (end < text.size() && last > at) end = last;
      } else {
        end = end_of_run(first, kind);
      }
    }
    words.emplace_back(at, end);
  }
  return words;
}

}  // namespace weft::data::published
