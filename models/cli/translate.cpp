// models/cli/translate.cpp -- weft translate: lines in, lines out.
#include "frontend/formats/text.h"
#include "models/cli/command.h"
#include "models/cli/model.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <memory>

namespace weft::cli {
namespace {

constexpr size_t kMaxTokens = 1000;
constexpr size_t kLinesAtOnce = 4096;

struct TranslateOptions {
  std::string model, input, output;
};

void translate(const TranslateOptions& o) {
  formats::LineReader lines = o.input.empty() || o.input == "-"
                                  ? formats::LineReader(std::cin, "standard input")
                                  : formats::LineReader(o.input);
  Model model(o.model);
  // Somebody who types wants an answer at once.
  const size_t at_once = o.input.empty() && isatty(STDIN_FILENO) ? 1 : kLinesAtOnce;
  std::string whole;  // of what goes to a file
  for (bool more = true; more;) {
    std::vector<Model::Tokens> sources;
    while (sources.size() < at_once && more) {
      const auto line = lines.next();
      more = line.has_value();
      if (!more) break;
      sources.push_back(data::split_tokens(*line));
      if (sources.back().size() > kMaxTokens)
        lines.fail(fmt::format("at most {} tokens are translated, found {}", kMaxTokens,
                               sources.back().size()));
    }
    std::string text;
    for (const Model::Tokens& target : model.translate(sources))
      text += data::join_tokens(target) + "\n";
    if (o.output.empty())
      put(text);
    else
      whole += text;
  }
  if (!o.output.empty()) put_result(o.output, whole);
  if (model.unknown_tokens > 0)
    fmt::print(stderr, "{} tokens are not in the model's vocabulary\n", model.unknown_tokens);
}

}  // namespace

void add_translate(CLI::App& program) {
  CLI::App* command = add_command(program, "translate",
                                  "Translate lines of tokens, one line each, also for empty ones",
                                  "echo 'w o r d' | weft translate pronounce");
  const auto o = std::make_shared<TranslateOptions>();
  command->add_option("MODEL", o->model, "The model's folder")->required();
  command->add_option("--input", o->input, "Read here instead of from standard input")
      ->type_name("FILE");
  command->add_option("-o,--output", o->output, "Write here instead of to standard output")
      ->type_name("FILE");
  command->callback([o] { translate(*o); });
}

}  // namespace weft::cli
