// models/data/published/unicode.h -- what published tokenisers ask of Unicode, answered by ICU.
//
// Text is UTF-8; a byte that is none counts as U+FFFD.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::data::published {

// The code point at `at`, which moves behind it.
char32_t next_code_point(std::string_view text, size_t& at);
// The one that ends at `end`, which moves before it.
char32_t previous_code_point(std::string_view text, size_t& end);
std::string utf8(char32_t point);
std::string well_formed(std::string_view text);  // bytes that are no UTF-8 become U+FFFD

bool is_space(char32_t c);            // White_Space
bool is_letter(char32_t c);           // L
bool is_number(char32_t c);           // N
bool is_nonspacing_mark(char32_t c);  // Mn
bool is_word(char32_t c);             // what \w is: letters, marks, digits, connectors
std::string_view stripped(std::string_view text, bool left, bool right);  // of white space

enum class NormalForm { nfc, nfd, nfkc, nfkd };
std::string normalized(std::string_view text, NormalForm form);
std::string lower_case(std::string_view text);  // each code point by itself
// Extended grapheme clusters (UAX 29).
std::vector<std::string_view> graphemes(std::string_view text);

// Stretches of a text, ascending, [begin, end) in bytes.
using Stretches = std::vector<std::pair<size_t, size_t>>;

// A regular expression. Patterns that would take too long to match are GraphErrors when they do.
class Pattern {
 public:
  // `where` stands in errors.
  Pattern(const std::string& expression, const std::string& where);
  Stretches matches(std::string_view text) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace weft::data::published
