// models/cli/translating/translator_flags.h -- which models, and how to search: MODEL, --with, --checkpoint, --precision,
// --beam, --bad-words, and an option for every field of search::SearchOptions.
//
// What is not given is what the model's folder asks for (translator_options).
#pragma once
#include "models/cli/options/precision_option.h"
#include "models/translator/translator.h"

#include <functional>
#include <map>
#include <string>

namespace weft::cli {

class Command;

struct TranslatorFlags {
  std::string folder;
  std::vector<std::string> others;  // models that choose with it
  std::string bad_words;            // a file of them
  std::string engine;               // best, onednn, weft; empty: WEFT_ENGINE's
  PrecisionOption precision;
  TranslatorOptions options;

  void add_model_to(
      Command&
          command);  // MODEL, --with, --adapter, --checkpoint, languages, --engine, --precision
  void add_search_to(Command& command);  // the others

  // What the folder asks for, and on top of it what was given: before `options` are read.
  void ask_folder();
  // Every setting of the search with its value and where it comes from, a line each.
  std::string explained_settings() const;
  bool gives(const std::string& key) const { return given_.contains(key); }
  // UsageError where options do not go together; sets options.search.bad_words.
  Translator translator();

 private:
  using Setter = std::function<void(TranslatorOptions&)>;
  void give(const std::string& key, const Setter& set);

  std::map<std::string, Setter> given_;  // by key of search::SearchOptions, or "beam"
};

// A message about fields of search::SearchOptions, in the words of the command line: length_penalty
// becomes --length-penalty.
std::string in_flags(std::string text);

// What a hypothesis that did not end was cut at, for messages: "--max-length 2x+10".
std::string limit_text(const Translator& translator, const search::SearchOptions& options);

}  // namespace weft::cli
