// models/data/published/text_steps.cpp -- the steps, each by its "type".
#include "models/data/published/text_steps.h"

#include "ir/error.h"
#include "models/data/published/byte_level.h"
#include "models/data/published/charsmap.h"
#include "models/data/published/model_files.h"
#include "models/data/published/unicode.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace weft::data::published {
namespace {

using ir::concat;

[[noreturn]] void refuse(const JsonObject& step, std::string_view known) {
  step.fail(
      concat("is '", step.text("type").substr(0, 40), "', which cannot be done; ", known, " can"));
}

// {"String": " "} or {"Regex": " {2,}"}, as what finds its places.
std::function<Stretches(std::string_view)> finder_of(const JsonObject& step) {
  const JsonObject pattern = step.object("pattern");
  if (pattern.find("Regex") != nullptr) {
    const Pattern regex(pattern.text("Regex"), pattern.where());
    pattern.finish();
    return [regex](std::string_view text) { return regex.matches(text); };
  }
  const std::string sought = pattern.text("String");
  pattern.finish();
  if (sought.empty()) pattern.fail("is empty");
  return [sought](std::string_view text) {
    Stretches found;
    for (size_t at = text.find(sought); at != text.npos; at = text.find(sought, at + sought.size()))
      found.emplace_back(at, at + sought.size());
    return found;
  };
}

std::string replaced(std::string_view text, const Stretches& places, const std::string& by) {
  std::string result;
  size_t done = 0;
  for (const auto& [begin, end] : places) {
    result.append(text.substr(done, begin - done)).append(by);
    done = end;
  }
  return result.append(text.substr(done));
}

// The one character that stands for spaces, and whether a text gets one in front.
struct Metaspace {
  enum class Prepend { always, first, never };
  std::string space;
  Prepend prepend = Prepend::always;
  bool split = true;
};

Metaspace metaspace_of(const JsonObject& step) {
  Metaspace m{.space = step.text("replacement")};
  step.pass("str_rep");
  size_t at = 0;
  if (!m.space.empty()) (void)next_code_point(m.space, at);
  if (m.space.empty() || at != m.space.size())
    step.fail("has a \"replacement\" that is no character");
  const bool older = step.flag("add_prefix_space", true);
  const std::string scheme = step.text("prepend_scheme", older ? "always" : "never");
  if (scheme == "first")
    m.prepend = Metaspace::Prepend::first;
  else if (scheme == "never")
    m.prepend = Metaspace::Prepend::never;
  else if (scheme != "always")
    step.fail(concat("has a \"prepend_scheme\" of '", scheme.substr(0, 40),
                     "'; always, first and never are known"));
  m.split = step.flag("split", true);
  return m;
}

std::string without_accents(std::string_view text) {
  std::string kept;
  for (size_t at = 0; at < text.size();)
    if (const char32_t c = next_code_point(text, at); !is_nonspacing_mark(c)) kept += utf8(c);
  return kept;
}

// Steps of a "Sequence".
template <typename Step, typename Make>
std::vector<Step> steps_of(const JsonObject& sequence, const std::string& key, const Make& make) {
  std::vector<Step> steps;
  const Json& list = sequence.at(key);
  if (!list.is_array()) sequence.fail(concat("has \"", key, "\" that are no list"));
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i].is_null()) sequence.fail(concat("has \"", key, "\" of which one is null"));
    steps.push_back(make(list[i], concat(sequence.where(), " ", i + 1)));
  }
  return steps;
}

// Where a text is cut, and what becomes of what cuts it.
enum class Cutting { removed, isolated, merged_with_previous, merged_with_next, contiguous };

Stretches cut(std::string_view text, const Stretches& found, Cutting cutting) {
  // Alternating: what is found and what is between.
  std::vector<std::pair<std::pair<size_t, size_t>, bool>> parts;
  size_t done = 0;
  for (const auto& place : found) {
    if (done < place.first) parts.push_back({{done, place.first}, false});
    parts.push_back({place, true});
    done = place.second;
  }
  if (done < text.size()) parts.push_back({{done, text.size()}, false});
  Stretches result;
  bool previous = false;  // was the part before one that is found?
  for (const auto& [place, is_found] : parts) {
    const bool joins =
        !result.empty() && ((cutting == Cutting::merged_with_previous && is_found && !previous) ||
                            (cutting == Cutting::merged_with_next && !is_found && previous) ||
                            (cutting == Cutting::contiguous && is_found == previous));
    if (joins)
      result.back().second = place.second;
    else if (cutting != Cutting::removed || !is_found)
      result.push_back(place);
    previous = is_found;
  }
  return result;
}

// Applies `cuts` to every word.
PreTokenizer cutting(std::function<Stretches(std::string_view)> cuts) {
  return [cuts = std::move(cuts)](std::vector<Word> words) {
    std::vector<Word> all;
    for (const Word& word : words)
      for (const auto& [begin, end] : cuts(word.text))
        all.push_back({word.text.substr(begin, end - begin), word.first && begin == 0});
    return all;
  };
}

PreTokenizer byte_level(const JsonObject& step) {
  const bool prefix = step.flag("add_prefix_space"), words = step.flag("use_regex", true);
  step.pass("trim_offsets");
  return [prefix, words](std::vector<Word> all) {
    std::vector<Word> result;
    for (Word& word : all) {
      if (prefix && !word.text.starts_with(' ')) word.text.insert(0, " ");
      const Stretches whole{{0, word.text.size()}};
      for (const auto& [begin, end] : words ? byte_level_words(word.text) : whole)
        result.push_back(
            {to_byte_characters(std::string_view(word.text).substr(begin, end - begin)),
             word.first && begin == 0});
    }
    return result;
  };
}

PreTokenizer metaspace(const JsonObject& step) {
  const Metaspace m = metaspace_of(step);
  return [m](std::vector<Word> all) {
    std::vector<Word> result;
    for (const Word& word : all) {
      std::string text;
      for (const char c : word.text) text += c == ' ' ? m.space : std::string(1, c);
      const bool prepend = m.prepend == Metaspace::Prepend::always ||
                           (m.prepend == Metaspace::Prepend::first && word.first);
      if (prepend && !text.starts_with(m.space)) text.insert(0, m.space);
      for (size_t at = 0, end = 0; at < text.size(); at = end) {
        end =
            m.split ? std::min(text.find(m.space, at + m.space.size()), text.size()) : text.size();
        if (m.split && text.compare(at, m.space.size(), m.space) != 0)
          end = std::min(text.find(m.space, at), text.size());
        result.push_back({text.substr(at, end - at), word.first && at == 0});
      }
    }
    return result;
  };
}

PreTokenizer split(const JsonObject& step) {
  constexpr std::pair<std::string_view, Cutting> kCuttings[] = {
      {"Removed", Cutting::removed},
      {"Isolated", Cutting::isolated},
      {"MergedWithPrevious", Cutting::merged_with_previous},
      {"MergedWithNext", Cutting::merged_with_next},
      {"Contiguous", Cutting::contiguous}};
  const auto find = finder_of(step);
  const std::string behaviour = step.text("behavior");
  const bool invert = step.flag("invert", false);
  const auto* known = std::find_if(std::begin(kCuttings), std::end(kCuttings),
                                   [&](const auto& c) { return c.first == behaviour; });
  if (known == std::end(kCuttings))
    step.fail(
        concat("has a \"behavior\" of '", behaviour.substr(0, 40), "', which is not known here"));
  return cutting([find, invert, how = known->second](std::string_view text) {
    Stretches found = find(text);
    if (invert) {
      Stretches between;
      size_t done = 0;
      for (const auto& [begin, end] : found) {
        if (done < begin) between.emplace_back(done, begin);
        done = end;
      }
      if (done < text.size()) between.emplace_back(done, text.size());
      found = std::move(between);
    }
    return cut(text, found, how);
  });
}

Stretches words_between_spaces(std::string_view text) {
  Stretches found;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const size_t from = at;
    const bool space = is_space(next_code_point(text, at));
    if (!space && !inside) found.emplace_back(from, at);
    if (!space) found.back().second = at;
    inside = !space;
  }
  return found;
}

// "<0xE2>" -> the byte.
std::optional<char> byte_of(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const bool digit = c >= '0' && c <= '9',
               letter = (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
    if (!digit && !letter) return std::nullopt;
    value = value * 16 + (digit ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return static_cast<char>(value);
}

std::vector<std::string> with_bytes_joined(std::vector<std::string> tokens) {
  std::vector<std::string> result;
  std::string bytes;
  const auto flush = [&] {
    if (bytes.empty()) return;
    if (well_formed(bytes) == bytes)
      result.push_back(bytes);
    else
      result.insert(result.end(), bytes.size(), "\xEF\xBF\xBD");
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const auto byte = byte_of(token)) {
      bytes += *byte;
      continue;
    }
    flush();
    result.push_back(std::move(token));
  }
  flush();
  return result;
}

// Up to so many of a character at either end of each token.
Decoder stripping(const std::string& character, int64_t start, int64_t stop) {
  return [=](std::vector<std::string> tokens) {
    for (std::string& token : tokens) {
      for (int64_t i = 0; i < start && token.starts_with(character); ++i)
        token.erase(0, character.size());
      for (int64_t i = 0; i < stop && token.ends_with(character); ++i)
        token.resize(token.size() - character.size());
    }
    return tokens;
  };
}

Decoder metaspace_decoder(const Metaspace& m) {
  return [m](std::vector<std::string> tokens) {
    for (size_t i = 0; i < tokens.size(); ++i) {
      std::string text;
      for (size_t at = 0; at < tokens[i].size();) {
        if (tokens[i].compare(at, m.space.size(), m.space) == 0) {
          if (i > 0 || m.prepend == Metaspace::Prepend::never) text += ' ';
          at += m.space.size();
        } else {
          text += tokens[i][at++];
        }
      }
      tokens[i] = std::move(text);
    }
    return tokens;
  };
}

std::string concatenated(const std::vector<std::string>& tokens) {
  std::string text;
  for (const std::string& token : tokens) text += token;
  return text;
}

}  // namespace

Normalizer normalizer_of(const Json& json, const std::string& where) {
  if (json.is_null()) return [](std::string_view text) { return std::string(text); };
  const JsonObject step(json, where);
  const std::string type = step.text("type");
  Normalizer made;
  constexpr std::pair<std::string_view, NormalForm> kForms[] = {{"NFC", NormalForm::nfc},
                                                                {"NFD", NormalForm::nfd},
                                                                {"NFKC", NormalForm::nfkc},
                                                                {"NFKD", NormalForm::nfkd}};
  for (const auto& [name, form] : kForms)
    if (type == name)
      made = [form = form](std::string_view text) { return normalized(text, form); };
  if (type == "Sequence") {
    made = [all = steps_of<Normalizer>(step, "normalizers", normalizer_of)](std::string_view text) {
      std::string result(text);
      for (const Normalizer& one : all) result = one(result);
      return result;
    };
  } else if (type == "Lowercase") {
    made = lower_case;
  } else if (type == "StripAccents") {
    made = without_accents;
  } else if (type == "Strip") {
    made = [l = step.flag("strip_left"), r = step.flag("strip_right")](std::string_view text) {
      return std::string(stripped(text, l, r));
    };
  } else if (type == "Replace") {
    made = [find = finder_of(step), by = step.text("content")](std::string_view text) {
      return replaced(text, find(text), by);
    };
  } else if (type == "Prepend") {
    made = [before = step.text("prepend")](std::string_view text) {
      return text.empty() ? std::string() : before + std::string(text);
    };
  } else if (type == "Precompiled") {
    const auto bytes = from_base64(step.text("precompiled_charsmap"));
    if (!bytes) step.fail("has a \"precompiled_charsmap\" that is not base64");
    made = [map = std::make_shared<const Charsmap>(*bytes, where + ": precompiled_charsmap")](
               std::string_view text) { return map->apply(text); };
  } else if (!made) {
    refuse(step,
           "Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, Replace, Prepend and "
           "Precompiled");
  }
  step.finish();
  return made;
}

PreTokenizer pre_tokenizer_of(const Json& json, const std::string& where) {
  if (json.is_null()) return [](std::vector<Word> words) { return words; };
  const JsonObject step(json, where);
  const std::string type = step.text("type");
  PreTokenizer made;
  if (type == "Sequence")
    made = [all = steps_of<PreTokenizer>(step, "pretokenizers", pre_tokenizer_of)](
               std::vector<Word> words) {
      for (const PreTokenizer& one : all) words = one(std::move(words));
      return words;
    };
  else if (type == "ByteLevel")
    made = byte_level(step);
  else if (type == "Metaspace")
    made = metaspace(step);
  else if (type == "WhitespaceSplit")
    made = cutting(words_between_spaces);
  else if (type == "Split")
    made = split(step);
  else
    refuse(step, "Sequence, ByteLevel, Metaspace, WhitespaceSplit and Split");
  step.finish();
  return made;
}

Decoder decoder_of(const Json& json, const std::string& where) {
  if (json.is_null()) return {};
  const JsonObject step(json, where);
  const std::string type = step.text("type");
  Decoder made;
  if (type == "Sequence") {
    made = [all =
                steps_of<Decoder>(step, "decoders", decoder_of)](std::vector<std::string> tokens) {
      for (const Decoder& one : all) tokens = one(std::move(tokens));
      return tokens;
    };
  } else if (type == "ByteLevel") {
    for (const char* key : {"add_prefix_space", "trim_offsets", "use_regex"}) step.pass(key);
    made = [](const std::vector<std::string>& tokens) {
      std::string bytes;
      for (const std::string& token : tokens) bytes += from_byte_characters(token);
      return std::vector{well_formed(bytes)};
    };
  } else if (type == "Metaspace") {
    made = metaspace_decoder(metaspace_of(step));
  } else if (type == "Replace") {
    made = [find = finder_of(step), by = step.text("content")](std::vector<std::string> tokens) {
      for (std::string& token : tokens) token = replaced(token, find(token), by);
      return tokens;
    };
  } else if (type == "Strip") {
    const std::string content = step.text("content");
    if (content.empty()) step.fail("has a \"content\" that is empty");
    made = stripping(content, step.whole("start"), step.whole("stop"));
  } else if (type == "ByteFallback") {
    made = with_bytes_joined;
  } else if (type == "Fuse") {
    made = [](const std::vector<std::string>& tokens) { return std::vector{concatenated(tokens)}; };
  } else {
    refuse(step, "Sequence, ByteLevel, Metaspace, Replace, Strip, ByteFallback and Fuse");
  }
  step.finish();
  return made;
}

}  // namespace weft::data::published
