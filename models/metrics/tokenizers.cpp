// models/metrics/tokenizers.cpp -- rewriting rules of mteval, one after the other over the line.
#include "models/metrics/tokenizers.h"

#include "ir/error.h"
#include "models/metrics/unicode.h"

#include <array>
#include <utility>

namespace weft::metrics {
namespace {

using Words = std::vector<std::string>;

bool is_digit(char32_t c) { return c >= U'0' && c <= U'9'; }
bool is_stop(char32_t c) { return c == U'.' || c == U','; }

// The ASCII marks that 13a always sets apart: all but ' , - . and letters and digits.
bool is_mark(char32_t c) {
  return (c >= U'{' && c <= U'~') || (c >= U'[' && c <= U'`') || (c >= U' ' && c <= U'&') ||
         (c >= U'(' && c <= U'+') || (c >= U':' && c <= U'@') || c == U'/';
}

// Spaces around every character that `apart` picks.
template <typename Apart>
std::u32string set_apart(std::u32string_view line, Apart apart) {
  std::u32string out;
  for (const char32_t c : line) {
    if (!apart(c)) {
      out += c;
      continue;
    }
    out += U' ';
    out += c;
    out += U' ';
  }
  return out;
}

// Pairs of neighbours, left to right and without overlap: `ab` that matches becomes "a b " where
// the second is set apart, " a b" where the first is.
enum class Apart { first, second };
template <typename First, typename Second>
std::u32string split_pairs(std::u32string_view line, First first, Second second, Apart which) {
  std::u32string out;
  size_t i = 0;
  for (; i + 1 < line.size(); ++i) {
    if (!first(line[i]) || !second(line[i + 1])) {
      out += line[i];
      continue;
    }
    if (which == Apart::first) out += U' ';
    out += line[i];
    out += U' ';
    out += line[i + 1];
    if (which == Apart::second) out += U' ';
    ++i;
  }
  if (i < line.size()) out += line[i];
  return out;
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

// Latin scripts: marks apart; stops and commas apart unless between digits; a dash after a digit.
Words split_latin(std::u32string line) {
  const auto no_digit = [](char32_t c) { return !is_digit(c); };
  line = set_apart(line, is_mark);
  line = split_pairs(line, no_digit, is_stop, Apart::second);
  line = split_pairs(line, is_stop, no_digit, Apart::first);
  line = split_pairs(
      line, is_digit, [](char32_t c) { return c == U'-'; }, Apart::second);
  return split_words(utf8(line));
}

Words words_13a(std::string_view line) {
  std::string text(line);
  replace_all(text, "<skipped>", "");
  replace_all(text, "-\n", "");
  replace_all(text, "\n", " ");
  replace_all(text, "&quot;", "\"");
  replace_all(text, "&amp;", "&");
  replace_all(text, "&lt;", "<");
  replace_all(text, "&gt;", ">");
  return split_latin(code_points(" " + text + " "));
}

Words words_intl(std::string_view line) {
  const auto no_number = [](char32_t c) { return !is_number(c); };
  std::u32string text = code_points(line);
  text = split_pairs(text, no_number, is_punctuation, Apart::second);
  text = split_pairs(text, is_punctuation, no_number, Apart::first);
  text = set_apart(text, is_symbol);
  return split_words(utf8(text));
}

// What sacreBLEU takes for Chinese. Its two ranges of the supplementary planes are written with
// four digits too few, and so mean U+2001..U+2A6D and U+2F81..U+2FA1: kept, since scores are to be
// comparable.
constexpr std::array<std::pair<char32_t, char32_t>, 22> kChinese{{
    {0x2001, 0x2a6d}, {0x2600, 0x26ff}, {0x2700, 0x27bf}, {0x2e80, 0x2eff}, {0x2f00, 0x2fdf},
    {0x2f81, 0x2fa1}, {0x2ff0, 0x2fff}, {0x3000, 0x303f}, {0x3100, 0x312f}, {0x31a0, 0x31bf},
    {0x31c0, 0x31ef}, {0x3200, 0x32ff}, {0x3300, 0x33ff}, {0x3400, 0x4db5}, {0x4e00, 0x9fa5},
    {0x9fa6, 0x9fbb}, {0xf900, 0xfa2d}, {0xfa30, 0xfa6a}, {0xfa70, 0xfad9}, {0xfe10, 0xfe1f},
    {0xfe30, 0xfe4f}, {0xff00, 0xffef},
}};

bool is_chinese(char32_t c) {
  for (const auto& [first, last] : kChinese)
    if (c >= first && c <= last) return true;
  return false;
}

Words words_zh(std::string_view line) {
  return split_latin(set_apart(code_points(line), is_chinese));
}

Words words_char(std::string_view line) {
  Words words;
  for (const char32_t c : code_points(line))
    if (!is_space(c)) words.push_back(utf8(c));
  return words;
}

constexpr std::array<Tokenizer, 5> kTokenizers{{
    {"none", "at white space", split_words},
    {"13a", "as mteval-v13a (WMT; Latin scripts)", words_13a},
    {"intl", "as mteval-v14 (punctuation and symbols of all scripts)", words_intl},
    {"zh", "Chinese characters apart, the rest as 13a", words_zh},
    {"char", "every character", words_char},
}};

}  // namespace

std::span<const Tokenizer> tokenizers() { return kTokenizers; }

const Tokenizer& tokenizer(std::string_view name) {
  std::string names;
  for (const Tokenizer& t : kTokenizers) {
    if (t.name == name) return t;
    names += names.empty() ? "" : ", ";
    names += t.name;
  }
  throw ir::GraphError(ir::concat("there is no tokenizer '", name, "' (there are: ", names, ")"));
}

}  // namespace weft::metrics
