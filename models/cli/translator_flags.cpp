// models/cli/translator_flags.cpp -- flags into the options of a translator.
#include "models/cli/translator_flags.h"

#include "models/cli/command.h"

namespace weft::cli {

void TranslatorFlags::add_model_to(Command& command) {
  command.add_option("MODEL", folder, "The model's folder")->required();
  command
      .add_option(
          "--checkpoint",
          [this](const std::string& name) {
            options.which = name == "best" ? training::Which::best : training::Which::last;
          },
          "Take the parameters of the best validation, or the last ones saved (default: the best, "
          "or the last where none was validated)")
      ->type_name("best|last")
      ->one_of({"best", "last"});
}

void TranslatorFlags::add_search_to(Command& command) {
  command
      .add_option("--beam", options.beam,
                  "Keep the N best beginnings at every step; 1: greedy search")
      ->type_name("N")
      ->in_range(1, 64)
      ->show_default();
  command
      .add_option("--length-penalty", options.search.length_penalty,
                  "Rank by log-probability / length^A: 0 favours short results, 1 is the mean")
      ->type_name("A")
      ->within(0, search::kMostLengthPenalty)
      ->show_default();
  command
      .add_option(
          "--max-length",
          [this](const std::string& text) {
            options.search.max_length = search::length_limit_named(text);
          },
          "Cut a result at so many tokens: a number, or by those of its source, as 3x or 2x+10")
      ->type_name("N")
      ->show_default(search::str(options.search.max_length));
}

std::string limit_text(const Translator& translator, const search::SearchOptions& o) {
  const int64_t positions = translator.most_positions();
  return ir::concat("--max-length ", search::str(o.max_length),
                    positions > 0 ? ir::concat(", ", positions, " positions") : "");
}

}  // namespace weft::cli
