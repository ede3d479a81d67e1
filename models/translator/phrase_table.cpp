// models/translator/phrase_table.cpp -- reading phrases and finding them.
#include "models/translator/phrase_table.h"

#include "frontend/formats/text.h"
#include "ir/error.h"

#include <algorithm>
#include <cctype>

namespace weft {
namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// Is it part of a letter or digit? All of what is not ASCII counts as letters.
bool in_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || std::isalnum(byte) != 0;
}

bool has_phrase(std::string_view text, std::string_view phrase) {
  for (size_t at = text.find(phrase); at != text.npos; at = text.find(phrase, at + 1)) {
    const size_t end = at + phrase.size();
    const bool begins = at == 0 || !in_word(text[at - 1]) || !in_word(phrase.front());
    const bool ends = end == text.size() || !in_word(text[end]) || !in_word(phrase.back());
    if (begins && ends) return true;
  }
  return false;
}

}  // namespace

void PhraseTable::add(std::string_view line) {
  const size_t arrow = line.find("=>");
  if (arrow == line.npos) {
    entries_.push_back({"", std::string(trimmed(line))});
    return;
  }
  const std::string_view source = trimmed(line.substr(0, arrow)),
                         target = trimmed(line.substr(arrow + 2));
  if (source.empty() || target.empty())
    throw ir::GraphError(ir::concat("'", line, "' is no 'source phrase => target phrase'"));
  entries_.push_back({std::string(source), std::string(target)});
}

PhraseTable PhraseTable::read(const std::string& path) {
  PhraseTable table;
  formats::LineReader lines(path);
  while (const auto line = lines.next()) {
    if (trimmed(*line).empty()) continue;
    try {
      table.add(*line);
    } catch (const ir::GraphError& e) {
      lines.fail(ir::concat("error: ", e.what()));
    }
  }
  return table;
}

std::vector<std::string> PhraseTable::targets(std::string_view source) const {
  std::vector<std::string> list;
  for (const Entry& e : entries_)
    if ((e.source.empty() || has_phrase(source, e.source)) &&
        std::find(list.begin(), list.end(), e.target) == list.end())
      list.push_back(e.target);
  return list;
}

}  // namespace weft
