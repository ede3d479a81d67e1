// models/translator/alignment.cpp -- weights into positions and texts.
#include "models/translator/alignment.h"

#include "frontend/formats/text.h"
#include "ir/error.h"

#include <algorithm>
#include <cstdio>

namespace weft {

std::vector<int64_t> words_of(std::span<const std::string> tokens, data::TokenizerKind kind) {
  std::vector<int64_t> words;
  int64_t word = -1;
  for (const std::string& token : tokens) {
    // U+2581, or U+0120 where pieces are of bytes.
    const bool begins = token.starts_with("\xE2\x96\x81") || token.starts_with("\xC4\xA0");
    if (kind == data::TokenizerKind::words || begins || word < 0) ++word;
    words.push_back(word);
  }
  return words;
}

std::vector<int64_t> hard_alignment(const search::Hypothesis& h,
                                    std::span<const int64_t> source_words,
                                    std::span<const int64_t> target_words) {
  std::vector<int64_t> from;
  if (h.weights.empty() || source_words.empty()) return from;
  std::vector<double> looked(static_cast<size_t>(source_words.back()) + 1, 0);
  for (size_t t = 0; t < target_words.size(); ++t) {
    for (size_t i = 0; i < source_words.size(); ++i)
      looked[static_cast<size_t>(source_words[i])] += static_cast<double>(h.weights[t][i]);
    if (t + 1 < target_words.size() && target_words[t + 1] == target_words[t]) continue;
    from.push_back(std::max_element(looked.begin(), looked.end()) - looked.begin());
    std::fill(looked.begin(), looked.end(), 0);
  }
  return from;
}

std::string pharaoh(std::span<const int64_t> alignment) {
  std::string text;
  for (size_t t = 0; t < alignment.size(); ++t)
    text += ir::concat(t > 0 ? " " : "", alignment[t], "-", t);
  return text;
}

std::string soft_alignment(const search::Hypothesis& h, int64_t source) {
  std::string text;
  for (const std::vector<float>& row : h.weights) {
    if (!text.empty()) text += ' ';
    for (int64_t i = 0; i < source; ++i) {
      char number[32];
      std::snprintf(number, sizeof number, "%s%.6g", i > 0 ? "," : "",
                    static_cast<double>(row[static_cast<size_t>(i)]));
      text += number;
    }
  }
  return text;
}

Dictionary read_dictionary(const std::string& path) {
  Dictionary words;
  formats::LineReader lines(path);
  while (const auto line = lines.next()) {
    const size_t tab = line->find('\t');
    if (tab == 0 || tab == line->npos || line->find('\t', tab + 1) != line->npos)
      throw ir::GraphError(
          ir::concat(lines.where(), ": error: a line of a dictionary is ", "word<TAB>word"));
    words.emplace(line->substr(0, tab), line->substr(tab + 1));
  }
  return words;
}

std::vector<std::string> with_unknown_replaced(std::vector<std::string> tokens,
                                               const search::Hypothesis& h,
                                               const std::vector<std::string>& source,
                                               int32_t unknown, const Dictionary& dictionary) {
  const std::vector<int64_t> positions = words_of(source, data::TokenizerKind::words),
                             places = words_of(tokens, data::TokenizerKind::words),
                             from = hard_alignment(h, positions, places);
  for (size_t t = 0; t < from.size(); ++t) {
    if (h.tokens[t] != unknown) continue;
    const std::string& word = source[static_cast<size_t>(from[t])];
    const auto known = dictionary.find(word);
    tokens[t] = known == dictionary.end() ? word : known->second;
  }
  return tokens;
}

}  // namespace weft
