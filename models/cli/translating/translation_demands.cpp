// models/cli/translating/translation_demands.cpp -- files and lines into demands.
#include "models/cli/translating/translation_demands.h"

#include "ir/error.h"
#include "models/cli/command.h"

#include <algorithm>
#include <utility>

namespace weft::cli {

void TranslationDemands::add_to(Command& command) {
  command
      .add_option(
          "--prefixes", prefixes_,
          "What results begin with: a file with a line for each line of the input, which may "
          "be empty")
      ->type_name("FILE")
      ->group("Demands");
  command
      .add_option("--targets", targets_,
                  "The results themselves, likewise: for their scores and alignments")
      ->type_name("FILE")
      ->group("Demands");
  command
      .add_option(
          "--phrases", phrases_,
          "What results contain: a file of lines 'source phrase => target phrase', of which "
          "those count whose source phrase is in the source, or 'target phrase'")
      ->type_name("FILE")
      ->group("Demands");
  command
      .add_flag(
          "--inline-phrases", inline_,
          "Lines of the input have such phrases behind tabs: source<TAB>phrase => phrase<TAB>...")
      ->group("Demands");
}

void TranslationDemands::prepare(const Translator& model) {
  if (!prefixes_.empty() && !targets_.empty())
    throw UsageError("--targets are whole results: not with --prefixes");
  if (!targets_.empty() && (!phrases_.empty() || inline_))
    throw UsageError("--targets are whole results: not with --phrases");
  if (!phrases_.empty()) table_ = PhraseTable::read(phrases_);
  for (const PhraseTable::Entry& e : table_.entries()) {
    try {
      model.phrase(e.target);
    } catch (const ir::GraphError& error) {
      throw ir::GraphError(ir::concat(phrases_, ": error: ", error.what()));
    }
  }
  if (const std::string& file = targets_.empty() ? prefixes_ : targets_; !file.empty())
    lines_.emplace(file);
}

search::Demands TranslationDemands::next(const Translator& model, std::string& line) {
  search::Demands demands;
  if (lines_) {
    const auto prefix = lines_->next();
    if (!prefix)
      throw ir::GraphError(ir::concat(lines_->where(), ": error: the file ends before the input"));
    try {
      demands.prefix = model.phrase(std::string(*prefix));
    } catch (const ir::GraphError& e) {
      lines_->fail(ir::concat("error: ", e.what()));
    }
    if (!targets_.empty()) demands.prefix.push_back(model.tokenizers().target.special().end);
  }
  PhraseTable of_line;
  if (const size_t tab = line.find('\t'); inline_ && tab != line.npos) {
    std::string_view rest = std::string_view(line).substr(tab + 1);
    while (true) {
      const size_t end = rest.find('\t');
      of_line.add(rest.substr(0, end));
      if (end == rest.npos) break;
      rest.remove_prefix(end + 1);
    }
    line.resize(tab);
  }
  for (const PhraseTable* table : {&std::as_const(table_), &std::as_const(of_line)})
    for (const std::string& target : table->targets(line))
      if (search::Phrase phrase = model.phrase(target);
          !phrase.empty() && std::find(demands.phrases.begin(), demands.phrases.end(), phrase) ==
                                 demands.phrases.end())
        demands.phrases.push_back(std::move(phrase));
  return demands;
}

void TranslationDemands::finish() {
  if (lines_ && lines_->next()) lines_->fail("error: the input has ended before");
}

}  // namespace weft::cli
