// models/data/corpora/cmudict.cpp -- Festival's form of the CMU dictionary.
//
//   MNCL                                             the first line: the format's mark
//   ("spelling" part-of-speech (syllable ...))       one entry a line
//   syllable: ((phone ...) stress)
#include "models/data/corpora/cmudict.h"

#include "frontend/formats/text.h"
#include "ir/error.h"
#include "models/data/random.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>

namespace weft::data {
namespace {

using formats::LineReader;
using ir::concat;
using ir::GraphError;

constexpr std::string_view kMark = "MNCL";

struct Entry {
  std::string spelling;
  Phones phones;
};

class EntryParser {
 public:
  EntryParser(std::string_view line, const LineReader& lines) : rest_(line), lines_(lines) {}

  Entry parse() {
    Entry entry;
    expect('(');
    entry.spelling = parse_string();
    parse_atom();  // part of speech
    expect('(');
    while (!accept(')')) parse_syllable(entry.phones);
    expect(')');
    skip_space();
    if (!rest_.empty()) lines_.fail("has text behind the entry's closing parenthesis");
    if (entry.spelling.empty()) lines_.fail("has an empty spelling");
    if (entry.phones.empty()) lines_.fail("has no phones");
    return entry;
  }

 private:
  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size())); }

  bool accept(char c) {
    skip_space();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (accept(c)) return;
    const std::string found = rest_.empty() ? "the end of the line" : concat("'", rest_[0], "'");
    lines_.fail(concat("has ", found, " where '", c, "' of an entry is needed"));
  }

  std::string parse_string() {
    expect('"');
    const size_t end = std::min(rest_.find('"'), rest_.size());
    std::string text(rest_.substr(0, end));
    rest_.remove_prefix(end);
    expect('"');
    return text;
  }

  std::string parse_atom() {
    skip_space();
    const size_t end = std::min(rest_.find_first_of(" \t()\""), rest_.size());
    if (end == 0) lines_.fail("lacks a phone, a stress or a part of speech");
    std::string atom(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return atom;
  }

  void parse_syllable(Phones& phones) {
    expect('(');
    expect('(');
    while (!accept(')')) phones.push_back(parse_atom());
    parse_atom();  // stress
    expect(')');
  }

  std::string_view rest_;
  const LineReader& lines_;
};

bool is_plain(std::string_view spelling) {
  return std::all_of(spelling.begin(), spelling.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || c == '\''; });
}

bool has(const Word& word, const Phones& phones) {
  return std::any_of(word.pronunciations.begin(), word.pronunciations.end(),
                     [&](const Pronunciation& p) { return p.phones == phones; });
}

void add(Dictionary& dictionary, std::unordered_map<std::string, size_t>& places, Entry entry,
         int64_t line) {
  ++dictionary.entries;
  if (!is_plain(entry.spelling)) {
    ++dictionary.not_plain;
    return;
  }
  const auto [place, is_new] = places.emplace(entry.spelling, dictionary.words.size());
  if (is_new) dictionary.words.push_back({std::move(entry.spelling), {}});
  Word& word = dictionary.words[place->second];
  if (has(word, entry.phones))
    ++dictionary.merged;
  else
    word.pronunciations.push_back({std::move(entry.phones), line});
}

}  // namespace

Dictionary read_cmudict(const std::string& path) {
  if (!std::filesystem::exists(path))
    throw GraphError(path +
                     ": is not there; Debian's package festlex-cmu has it: "
                     "apt-get install festlex-cmu");
  LineReader lines(path);
  const auto first = lines.next();
  if (!first || *first != kMark)
    throw GraphError(concat(path, ":1: does not read ", kMark, ", as Festival's dictionaries do"));
  Dictionary dictionary;
  std::unordered_map<std::string, size_t> places;
  while (const auto line = lines.next())
    if (!line->empty()) add(dictionary, places, EntryParser(*line, lines).parse(), lines.line());
  if (dictionary.words.empty()) throw GraphError(path + ": has no plain words");
  return dictionary;
}

DictionarySplit split_dictionary(const Dictionary& dictionary, uint64_t seed, double valid_share,
                                 double test_share) {
  if (!(valid_share >= 0 && test_share >= 0 && valid_share + test_share < 1))
    throw GraphError(
        concat("shares of ", valid_share, " and ", test_share, " leave nothing to train on"));
  DictionarySplit split;
  for (const Word& word : dictionary.words) {
    const double u = share(seed, word.spelling);
    auto& side = u < test_share                 ? split.test
                 : u < test_share + valid_share ? split.valid
                                                : split.train;
    side.push_back(word);
  }
  return split;
}

std::vector<std::string> letters(std::string_view spelling) {
  std::vector<std::string> tokens;
  for (const char c : spelling) tokens.emplace_back(1, c);
  return tokens;
}

Examples pronunciation_examples(std::span<const Word> words) {
  Examples examples;
  for (const Word& word : words)
    for (const Pronunciation& pronunciation : word.pronunciations)
      examples.push_back({join_tokens(letters(word.spelling)), join_tokens(pronunciation.phones),
                          pronunciation.line});
  return examples;
}

Examples word_examples(std::span<const Word> words) {
  Examples examples;
  for (const Word& word : words) {
    const Pronunciation& first = word.pronunciations.front();
    examples.push_back(
        {join_tokens(letters(word.spelling)), join_tokens(first.phones), first.line});
  }
  return examples;
}

std::vector<Phones> references(const Word& word) {
  std::vector<Phones> all;
  for (const Pronunciation& pronunciation : word.pronunciations)
    all.push_back(pronunciation.phones);
  return all;
}

}  // namespace weft::data
