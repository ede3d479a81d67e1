// models/cli/translating/translation_text.h -- what `weft translate` makes of hypotheses: texts, with unknown
// words replaced, markup carried over and alignments beside them.
#pragma once
#include "models/cli/translating/translator_flags.h"
#include "models/translator/alignment.h"
#include "models/translator/markup.h"

#include <string>

namespace weft::cli {

class Command;

class TranslationText {
 public:
  void add_to(Command& command);  // --align, --tags, --replace-unknown, --dictionary
  // What the translator's options need be for them. UsageError where they do not go together.
  void prepare(TranslatorOptions& options);
  // Once there is the model; GraphError or UsageError where it cannot do what is asked.
  void check(const Translator& model);

  bool has_tags() const { return !tags_.empty(); }
  // Is there more to it than the text?
  bool is_plain() const { return align_.empty() && tags_.empty() && !replace_; }
  // source: as it was translated; marked: where there are tags
  std::string text(const Translator& model, const search::Hypothesis& h, const std::string& source,
                   const MarkedText& marked) const;

 private:
  std::string align_, tags_, dictionary_file_;
  bool replace_ = false;
  Dictionary dictionary_;
};

}  // namespace weft::cli
