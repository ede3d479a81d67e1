// models/cli/translator_flags.h -- which models, and how to search: MODEL, --with, --checkpoint, --precision,
// --beam, --bad-words, and an option for every field of search::SearchOptions.
#pragma once
#include "models/cli/precision_option.h"
#include "models/translator/translator.h"

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

  void add_model_to(Command& command);   // MODEL, --with, --checkpoint, --engine, --precision
  void add_search_to(Command& command);  // the others

  // UsageError where options do not go together; sets options.search.bad_words.
  Translator translator();
};

// A message about fields of search::SearchOptions, in the words of the command line: length_penalty
// becomes --length-penalty.
std::string in_flags(std::string text);

// What a hypothesis that did not end was cut at, for messages: "--max-length 2x+10".
std::string limit_text(const Translator& translator, const search::SearchOptions& options);

}  // namespace weft::cli
