// models/data/corpora/debian_descriptions.cpp -- reading the index, aligning, cleaning, splitting.
#include "models/data/corpora/debian_descriptions.h"

#include "ir/error.h"
#include "models/data/random.h"

#include <unicode/brkiter.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <unordered_set>

namespace weft::data {
namespace {

using formats::LineReader;
using ir::concat;
using ir::GraphError;

constexpr size_t kMostBytes = 2000;  // of one side of a pair

// Spaces of any kind become one plain space, those at the ends go; marks of nothing visible go.
std::string clean(std::string_view text) {
  const icu::UnicodeString in =
      icu::UnicodeString::fromUTF8({text.data(), static_cast<int32_t>(text.size())});
  icu::UnicodeString out;
  bool space = false;
  for (int32_t i = 0; i < in.length(); i = in.moveIndex32(i, 1)) {
    const UChar32 c = in.char32At(i);
    constexpr UChar32 kDotOperator = 0x22C5;  // how some translators write a space without break
    if (u_isUWhiteSpace(c) || u_iscntrl(c) || c == kDotOperator) {
      space = !out.isEmpty();
    } else if (u_charType(c) != U_FORMAT_CHAR) {
      if (space) out.append(u' ');
      space = false;
      out.append(c);
    }
  }
  std::string cleaned;
  out.toUTF8String(cleaned);
  return cleaned;
}

std::optional<std::string_view> without_prefix(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

// "* item", "  - item", "3. item": what stands behind the mark.
std::optional<std::string_view> list_item(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  for (const std::string_view mark : {"* ", "- ", "+ ", "o ", "• ", "· ", "– ", "— "})
    if (line.starts_with(mark)) return without_prefix(line, mark);
  const size_t digits = line.find_first_not_of("0123456789");
  if (digits == 0 || digits > 2 || digits == line.npos) return std::nullopt;
  if (line.substr(digits, 2) != ". " && line.substr(digits, 2) != ") ") return std::nullopt;
  return without_prefix(line, line.substr(0, digits + 2));
}

// Paragraphs of items: an item begins with a mark, what stands before the first is one too.
using Paragraph = std::vector<std::string>;

std::vector<Paragraph> paragraphs(std::span<const std::string> lines) {
  std::vector<Paragraph> all(1);
  for (const std::string& line : lines) {
    if (clean(line) == "." || clean(line).empty()) {
      if (!all.back().empty()) all.emplace_back();
    } else if (const auto item = list_item(line)) {
      all.back().emplace_back(*item);
    } else if (all.back().empty()) {
      all.back().push_back(line);
    } else {
      all.back().back() += ' ' + line;
    }
  }
  if (all.back().empty()) all.pop_back();
  for (Paragraph& paragraph : all)
    for (std::string& item : paragraph) item = clean(item);
  return all;
}

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : " ") + item;
  return text;
}

// By Unicode's rules (UAX 29), abbreviations of the language excepted.
class SentenceCutter {
 public:
  explicit SentenceCutter(const std::string& language) {
    UErrorCode status = U_ZERO_ERROR;
    icu::Locale locale(language.c_str());
    locale.setKeywordValue("ss", "standard", status);
    iterator_.reset(icu::BreakIterator::createSentenceInstance(locale, status));
    if (U_FAILURE(status))
      throw ir::RuntimeError(concat("ICU has no rules for sentences: ", u_errorName(status)));
  }

  std::vector<std::string> cut(const std::string& text) {
    const icu::UnicodeString whole = icu::UnicodeString::fromUTF8(text);
    iterator_->setText(whole);
    std::vector<std::string> sentences;
    for (int32_t begin = iterator_->first(), end = iterator_->next(); end != iterator_->DONE;
         begin = end, end = iterator_->next()) {
      std::string sentence;
      whole.tempSubStringBetween(begin, end).toUTF8String(sentence);
      sentences.push_back(clean(sentence));
    }
    return sentences;
  }

 private:
  std::unique_ptr<icu::BreakIterator> iterator_;
};

bool has_letters(const std::string& text) {
  const icu::UnicodeString whole = icu::UnicodeString::fromUTF8(text);
  for (int32_t i = 0; i < whole.length(); i = whole.moveIndex32(i, 1))
    if (u_isalpha(whole.char32At(i))) return true;
  return false;
}

// Neither side is more than `most` times as long as the other, short ones apart.
bool in_proportion(const TextPair& pair, double most) {
  const auto length = [](const std::string& s) {
    return static_cast<double>(
        std::count_if(s.begin(), s.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  };
  const double a = length(pair.source), b = length(pair.target), slack = 15;
  return a <= most * b + slack && b <= most * a + slack;
}

// Pairs of one description. A part is cut further where both sides give equally many pieces, all of
// them in proportion.
class Aligner {
 public:
  Aligner(const std::string& source_language, const std::string& target_language)
      : source_(source_language),
        target_(target_language),
        // Some scripts take fewer characters for the same.
        most_(target_language.starts_with("zh") || target_language.starts_with("ja") ||
                      target_language.starts_with("ko")
                  ? 5
                  : 3) {}

  std::vector<TextPair> align(std::span<const std::string> a, std::span<const std::string> b) {
    std::vector<TextPair> pairs;
    if (a.empty() || b.empty()) return pairs;
    pairs.push_back({clean(a.front()), clean(b.front())});
    const auto source = paragraphs(a.subspan(1)), target = paragraphs(b.subspan(1));
    if (source.size() != target.size()) return pairs;
    for (size_t i = 0; i < source.size(); ++i) add_paragraph(source[i], target[i], pairs);
    return pairs;
  }

 private:
  // Nothing where the pieces do not correspond.
  std::vector<TextPair> zipped(const std::vector<std::string>& a,
                               const std::vector<std::string>& b) const {
    std::vector<TextPair> pairs;
    if (a.size() != b.size()) return pairs;
    for (size_t i = 0; i < a.size(); ++i) {
      pairs.push_back({a[i], b[i]});
      if (!in_proportion(pairs.back(), most_)) return {};
    }
    return pairs;
  }

  void add_paragraph(const Paragraph& a, const Paragraph& b, std::vector<TextPair>& pairs) {
    auto items = zipped(a, b);
    if (items.empty()) items.push_back({joined(a), joined(b)});
    for (const TextPair& item : items) {
      const auto sentences = zipped(source_.cut(item.source), target_.cut(item.target));
      if (sentences.empty())
        pairs.push_back(item);
      else
        pairs.insert(pairs.end(), sentences.begin(), sentences.end());
    }
  }

  SentenceCutter source_, target_;
  double most_;
};

bool is_plausible(const TextPair& pair) {
  return pair.source.size() <= kMostBytes && pair.target.size() <= kMostBytes &&
         has_letters(pair.source) && has_letters(pair.target) && in_proportion(pair, 5);
}

}  // namespace

void read_descriptions(LineReader& lines, DescriptionIndex& source, DescriptionIndex& target) {
  const std::pair<DescriptionIndex*, std::string> keys[] = {
      {&source, "Description-" + source.language + ":"},
      {&target, "Description-" + target.language + ":"}};
  std::string package, md5;
  DescriptionIndex::Lines* open = nullptr;  // the description whose lines come
  while (const auto line = lines.next()) {
    if (line->starts_with(' ') || line->starts_with('\t')) {
      if (open != nullptr) open->emplace_back(line->substr(1));
      continue;
    }
    open = nullptr;
    if (line->empty()) {
      package.clear(), md5.clear();
    } else if (const auto name = without_prefix(*line, "Package:")) {
      package = *name;
    } else if (const auto digest = without_prefix(*line, "Description-md5:")) {
      md5 = *digest;
    } else if (line->find(':') == line->npos) {
      lines.fail("is no line of a Translation index, KEY: TEXT or a space and text");
    }
    for (const auto& [index, key] : keys) {
      const auto text = without_prefix(*line, key);
      if (!text) continue;
      if (package.empty() || md5.empty())
        lines.fail("has a description before its Package and Description-md5");
      const auto [place, is_new] = index->descriptions.try_emplace({package, md5});
      if (is_new) open = &place->second, open->emplace_back(*text);
    }
  }
}

std::vector<TextPair> align_description(std::span<const std::string> source,
                                        std::span<const std::string> target,
                                        const std::string& source_language,
                                        const std::string& target_language) {
  return Aligner(source_language, target_language).align(source, target);
}

DescriptionPairs description_pairs(const DescriptionIndex& source, const DescriptionIndex& target,
                                   uint64_t seed, double valid_share, double test_share) {
  DescriptionPairs result;
  Aligner aligner(source.language, target.language);
  std::vector<TextPair> parts[3];  // test, validation, training
  for (const auto& [key, lines] : target.descriptions) {
    const auto original = source.descriptions.find(key);
    if (original == source.descriptions.end()) continue;
    ++result.descriptions;
    const double u = share(seed, key.first);
    auto& part = parts[u < test_share ? 0 : u < test_share + valid_share ? 1 : 2];
    for (TextPair& pair : aligner.align(original->second, lines)) {
      if (pair.source == pair.target)
        ++result.identical;
      else if (!is_plausible(pair))
        ++result.implausible;
      else
        part.push_back(std::move(pair));
    }
  }
  std::unordered_set<std::string> sources;  // of the parts before
  std::vector<TextPair>* const kept[] = {&result.test, &result.valid, &result.train};
  for (int i = 0; i < 3; ++i) {
    std::unordered_set<std::string> pairs;
    for (TextPair& pair : parts[i]) {
      if (sources.contains(pair.source) || !pairs.insert(pair.source + '\t' + pair.target).second)
        ++result.repeated;
      else
        kept[i]->push_back(std::move(pair));
    }
    for (const TextPair& pair : *kept[i]) sources.insert(pair.source);
  }
  return result;
}

}  // namespace weft::data
