// models/cli/translator_flags.h -- which model, and how to search: MODEL, --checkpoint, --beam,
// --length-penalty and --max-length.
#pragma once
#include "models/translator/translator.h"

#include <string>

namespace weft::cli {

class Command;

struct TranslatorFlags {
  std::string folder;
  TranslatorOptions options;

  void add_model_to(Command& command);   // MODEL, --checkpoint
  void add_search_to(Command& command);  // the others

  Translator translator() const { return Translator(folder, options); }
};

// What a hypothesis that did not end was cut at, for messages: "--max-length 2x+10".
std::string limit_text(const Translator& translator, const search::SearchOptions& options);

}  // namespace weft::cli
