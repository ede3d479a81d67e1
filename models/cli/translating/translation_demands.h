// models/cli/translating/translation_demands.h -- what `weft translate` demands of single lines: prefixes, whole
// targets, phrases.
#pragma once
#include "frontend/formats/text.h"
#include "models/cli/translating/translator_flags.h"
#include "models/translator/phrase_table.h"

#include <optional>
#include <string>

namespace weft::cli {

class Command;

class TranslationDemands {
 public:
  void add_to(Command& command);  // --prefixes, --targets, --phrases, --inline-phrases
  // Reads the table. UsageError where options do not go together.
  void prepare(const Translator& model);

  bool any() const {
    return inline_ || !prefixes_.empty() || !targets_.empty() || !phrases_.empty();
  }
  // Are tabs in a line followed by its phrases?
  bool is_inline() const { return inline_; }
  // Of the next line; takes its phrases off. GraphError where the model does not know what is
  // demanded, or the file of prefixes ends.
  search::Demands next(const Translator& model, std::string& line);
  // After the last line: GraphError where there are prefixes left.
  void finish();

 private:
  std::string prefixes_, targets_, phrases_;
  bool inline_ = false;
  PhraseTable table_;
  std::optional<formats::LineReader> lines_;
};

}  // namespace weft::cli
