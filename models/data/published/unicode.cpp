// models/data/published/unicode.cpp -- classes, forms, graphemes and regular expressions through ICU.
#include "models/data/published/unicode.h"

#include "ir/error.h"

#include <unicode/brkiter.h>
#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/regex.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utext.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>

namespace weft::data::published {
namespace {

using ir::concat;
using ir::GraphError;

// ICU's steps (10000 choices each) that one match may take, so that no pattern makes a program hang,
// and bytes that it may remember. A pattern that is meant for tokens takes a few choices a character.
constexpr int32_t kMostSteps = 5'000, kMostStack = 1 << 26;

const uint8_t* bytes(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

bool has_category(char32_t c, uint32_t mask) {
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & mask) != 0;
}

icu::UnicodeString utf16(std::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
}

bool is_ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; });
}

}  // namespace

char32_t next_code_point(std::string_view text, size_t& at) {
  UChar32 c = 0;
  auto i = static_cast<int64_t>(at);
  U8_NEXT_OR_FFFD(bytes(text), i, static_cast<int64_t>(text.size()), c);
  at = static_cast<size_t>(i);
  return static_cast<char32_t>(c);
}

char32_t previous_code_point(std::string_view text, size_t& end) {
  UChar32 c = 0;
  const size_t from = end - std::min<size_t>(end, U8_MAX_LENGTH);
  auto i = static_cast<int32_t>(end - from);
  U8_PREV_OR_FFFD(bytes(text) + from, 0, i, c);
  end = from + static_cast<size_t>(i);
  return static_cast<char32_t>(c);
}

std::string utf8(char32_t point) {
  uint8_t text[U8_MAX_LENGTH];
  int32_t n = 0;
  U8_APPEND_UNSAFE(text, n, static_cast<UChar32>(point));
  return {reinterpret_cast<const char*>(text), static_cast<size_t>(n)};
}

std::string well_formed(std::string_view text) {
  if (is_ascii(text)) return std::string(text);
  std::string clean;
  for (size_t at = 0; at < text.size();) clean += utf8(next_code_point(text, at));
  return clean;
}

bool is_space(char32_t c) { return u_isUWhiteSpace(static_cast<UChar32>(c)) != 0; }
bool is_letter(char32_t c) { return has_category(c, U_GC_L_MASK); }
bool is_number(char32_t c) { return has_category(c, U_GC_N_MASK); }
bool is_nonspacing_mark(char32_t c) { return has_category(c, U_GC_MN_MASK); }
bool is_word(char32_t c) {
  return u_isUAlphabetic(static_cast<UChar32>(c)) != 0 ||
         has_category(c, U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK) || c == 0x200C || c == 0x200D;
}

std::string_view stripped(std::string_view text, bool left, bool right) {
  while (left && !text.empty()) {
    size_t at = 0;
    if (!is_space(next_code_point(text, at))) break;
    text.remove_prefix(at);
  }
  while (right && !text.empty()) {
    size_t end = text.size();
    if (!is_space(previous_code_point(text, end))) break;
    text = text.substr(0, end);
  }
  return text;
}

std::string normalized(std::string_view text, NormalForm form) {
  if (is_ascii(text)) return std::string(text);
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* n = form == NormalForm::nfc   ? icu::Normalizer2::getNFCInstance(status)
                              : form == NormalForm::nfd ? icu::Normalizer2::getNFDInstance(status)
                              : form == NormalForm::nfkc
                                  ? icu::Normalizer2::getNFKCInstance(status)
                                  : icu::Normalizer2::getNFKDInstance(status);
  std::string result;
  if (U_SUCCESS(status)) n->normalize(utf16(text), status).toUTF8String(result);
  if (U_FAILURE(status))
    throw ir::RuntimeError(concat("ICU cannot normalise text: ", u_errorName(status)));
  return result;
}

std::string lower_case(std::string_view text) {
  std::string lower;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (c < 0x80)
      lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
    else
      icu::UnicodeString(static_cast<UChar32>(c))
          .toLower(icu::Locale::getRoot())
          .toUTF8String(lower);
  }
  return lower;
}

std::vector<std::string_view> graphemes(std::string_view text) {
  std::vector<std::string_view> clusters;
  if (is_ascii(text) && text.find('\r') == text.npos) {
    for (size_t i = 0; i < text.size(); ++i) clusters.push_back(text.substr(i, 1));
    return clusters;
  }
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<icu::BreakIterator> breaks(
      icu::BreakIterator::createCharacterInstance(icu::Locale::getRoot(), status));
  UText* u = utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &status);
  if (U_SUCCESS(status)) breaks->setText(u, status);
  if (U_SUCCESS(status))
    for (int32_t from = breaks->first(), to = breaks->next(); to != icu::BreakIterator::DONE;
         from = to, to = breaks->next())
      clusters.push_back(text.substr(static_cast<size_t>(from), static_cast<size_t>(to - from)));
  utext_close(u);
  if (U_FAILURE(status))
    throw ir::RuntimeError(concat("ICU cannot find characters: ", u_errorName(status)));
  return clusters;
}

struct Pattern::Compiled {
  std::unique_ptr<icu::RegexPattern> pattern;
  std::string where;
};

Pattern::Pattern(const std::string& expression, const std::string& where) {
  UErrorCode status = U_ZERO_ERROR;
  UParseError place{};
  auto compiled = std::make_shared<Compiled>();
  compiled->where = where;
  compiled->pattern.reset(icu::RegexPattern::compile(utf16(expression), 0, place, status));
  if (U_FAILURE(status))
    throw GraphError(concat(where, ": is a regular expression that cannot be read at character ",
                            place.offset, " (", u_errorName(status), ")"));
  compiled_ = std::move(compiled);
}

Stretches Pattern::matches(std::string_view text) const {
  UErrorCode status = U_ZERO_ERROR;
  const icu::UnicodeString wide = utf16(text);
  const std::unique_ptr<icu::RegexMatcher> matcher(compiled_->pattern->matcher(wide, status));
  Stretches found;
  size_t at = 0;        // in `text`
  int32_t wide_at = 0;  // the same place in `wide`
  const auto place = [&](int32_t wanted) {
    while (wide_at < wanted) wide_at += next_code_point(text, at) > 0xFFFF ? 2 : 1;
    return at;
  };
  if (U_SUCCESS(status)) matcher->setTimeLimit(kMostSteps, status);
  if (U_SUCCESS(status)) matcher->setStackLimit(kMostStack, status);
  while (U_SUCCESS(status) && matcher->find(status) && U_SUCCESS(status)) {
    const size_t begin = place(matcher->start(status));
    const size_t end = place(matcher->end(status));
    if (begin < end) found.emplace_back(begin, end);
  }
  if (U_FAILURE(status))
    throw GraphError(concat(compiled_->where, ": is a regular expression that cannot be matched (",
                            u_errorName(status), ")"));
  return found;
}

}  // namespace weft::data::published
