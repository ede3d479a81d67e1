// models/metrics/unicode.h -- what text metrics ask of Unicode, answered by ICU.
//
// Text is UTF-8; a byte that is none becomes U+FFFD, as in Python's "replace".
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace weft::metrics {

std::u32string code_points(std::string_view utf8);
std::string utf8(std::u32string_view points);
std::string utf8(char32_t point);

bool is_space(char32_t c);        // white space, and the separators U+001C..U+001F
bool is_number(char32_t c);       // category N
bool is_punctuation(char32_t c);  // category P
bool is_symbol(char32_t c);       // category S

std::string lower_case(std::string_view text);                // full mapping, no locale
std::string without_space(std::string_view text);             // every white space taken out
std::vector<std::string> split_words(std::string_view text);  // at white space; no empty words

}  // namespace weft::metrics
