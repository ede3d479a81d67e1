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
  ModelFlags model;
  std::string input, output;
  SearchFlags search;
  int64_t n_best = 0;
};

// One line for the best; with --nbest a line for each hypothesis: number of the source, score,
// tokens.
std::string lines_of(const search::Hypotheses& found, const Model& model, int64_t number,
                     bool n_best) {
  const auto text = [&](const search::Hypothesis& h) {
    return data::join_tokens(model.vocabularies.target.decode(h.tokens)) + "\n";
  };
  if (!n_best) return found.empty() ? "\n" : text(found.front());
  std::string s;
  for (const search::Hypothesis& h : found)
    s += fmt::format("{}\t{:.6f}\t{}", number, h.score, text(h));
  return s;
}

void translate(const TranslateOptions& o) {
  formats::LineReader lines = o.input.empty() || o.input == "-"
                                  ? formats::LineReader(std::cin, "standard input")
                                  : formats::LineReader(o.input);
  search::SearchOptions options = o.search.options;
  options.n_best = std::max<int64_t>(o.n_best, 1);
  if (o.n_best > o.search.beam)
    throw UsageError(
        fmt::format("--nbest {} asks for more than --beam {} keeps", o.n_best, o.search.beam));
  Model model(o.model, {.beam = o.search.beam});
  // Somebody who types wants an answer at once.
  const size_t at_once = o.input.empty() && isatty(STDIN_FILENO) ? 1 : kLinesAtOnce;
  std::string whole;  // of what goes to a file
  int64_t number = 0;
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
    for (const search::Hypotheses& found : model.translate(sources, options))
      text += lines_of(found, model, number++, o.n_best > 0);
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
                                  "echo 'w o r d' | weft translate pronounce --beam 5");
  const auto o = std::make_shared<TranslateOptions>();
  o->model.add_to(*command);
  command->add_option("--input", o->input, "Read here instead of from standard input")
      ->type_name("FILE");
  command->add_option("-o,--output", o->output, "Write here instead of to standard output")
      ->type_name("FILE");
  o->search.add_to(*command);
  command
      ->add_option("--nbest", o->n_best,
                   "Write the K best of each line: its number from 0, score and tokens, by tabs")
      ->type_name("K")
      ->check(CLI::PositiveNumber);
  command->callback([o] { translate(*o); });
}

}  // namespace weft::cli
