// models/cli/translator_flags.cpp -- flags into the options of a translator.
#include "models/cli/translator_flags.h"

namespace weft::cli {
namespace {

// CLI11's own ranges let NaN pass, and print every digit of their limits.
CLI::Validator number_within(double least, double most) {
  return {[=](const std::string& text) {
            double value = 0;
            return CLI::detail::lexical_cast(text, value) && value >= least && value <= most
                       ? std::string()
                       : ir::concat("'", text, "' must be a number from ", least, " to ", most);
          },
          ""};
}

}  // namespace

void TranslatorFlags::add_model_to(CLI::App& command) {
  command.add_option("MODEL", folder, "The model's folder")->required();
  command
      .add_option_function<std::string>(
          "--checkpoint",
          [this](const std::string& name) {
            options.which = name == "best" ? training::Which::best : training::Which::last;
          },
          "Take the parameters of the best validation, or the last ones saved (default: the best, "
          "or the last where none was validated)")
      ->type_name("best|last")
      ->check(CLI::IsMember({"best", "last"}));
}

void TranslatorFlags::add_search_to(CLI::App& command) {
  command
      .add_option("--beam", options.beam,
                  "Keep the N best beginnings at every step; 1: greedy search")
      ->type_name("N")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command
      .add_option("--length-penalty", options.search.length_penalty,
                  "Rank by log-probability / length^A: 0 favours short results, 1 is the mean")
      ->type_name("A")
      ->check(number_within(0, search::kMostLengthPenalty))
      ->capture_default_str();
  command
      .add_option_function<std::string>(
          "--max-length",
          [this](const std::string& text) {
            try {
              options.search.max_length = search::length_limit_named(text);
            } catch (const ir::GraphError& e) {
              throw CLI::ValidationError("--max-length", e.what());
            }
          },
          "Cut a result at so many tokens: a number, or by those of its source, as 3x or 2x+10")
      ->type_name("N")
      ->default_str(search::str(options.search.max_length));
}

std::string limit_text(const Translator& translator, const search::SearchOptions& o) {
  const int64_t positions = translator.most_positions();
  return ir::concat("--max-length ", search::str(o.max_length),
                    positions > 0 ? ir::concat(", ", positions, " positions") : "");
}

}  // namespace weft::cli
