// models/metrics/unicode.cpp -- code points, categories and case through ICU.
#include "models/metrics/unicode.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <cstdint>

namespace weft::metrics {
namespace {

bool has_category(char32_t c, uint32_t mask) {
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & mask) != 0;
}

}  // namespace

std::u32string code_points(std::string_view text) {
  std::u32string points;
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int64_t>(text.size());
  for (int64_t i = 0; i < size;) {
    UChar32 c;
    U8_NEXT_OR_FFFD(bytes, i, size, c);
    points.push_back(static_cast<char32_t>(c));
  }
  return points;
}

std::string utf8(char32_t point) {
  std::string text;
  uint8_t bytes[U8_MAX_LENGTH];
  int32_t n = 0;
  U8_APPEND_UNSAFE(bytes, n, static_cast<UChar32>(point));
  text.assign(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
  return text;
}

std::string utf8(std::u32string_view points) {
  std::string text;
  for (const char32_t c : points) text += utf8(c);
  return text;
}

bool is_space(char32_t c) {
  return (c >= 0x1c && c <= 0x1f) || u_isUWhiteSpace(static_cast<UChar32>(c)) != 0;
}
bool is_number(char32_t c) { return has_category(c, U_GC_N_MASK); }
bool is_punctuation(char32_t c) { return has_category(c, U_GC_P_MASK); }
bool is_symbol(char32_t c) { return has_category(c, U_GC_S_MASK); }

std::string lower_case(std::string_view text) {
  std::string lower;
  icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<int32_t>(text.size())))
      .toLower(icu::Locale::getRoot())
      .toUTF8String(lower);
  return lower;
}

std::string without_space(std::string_view text) {
  std::string kept;
  for (const char32_t c : code_points(text))
    if (!is_space(c)) kept += utf8(c);
  return kept;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  bool in_word = false;
  for (const char32_t c : code_points(text)) {
    if (is_space(c)) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    words.back() += utf8(c);
  }
  return words;
}

}  // namespace weft::metrics
