// models/cli/translate.cpp -- weft translate: lines in, lines out.
#include "frontend/formats/text.h"
#include "models/cli/command.h"
#include "models/cli/line_list.h"
#include "models/cli/translator_flags.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <memory>

namespace weft::cli {
namespace {

constexpr size_t kLinesAtOnce = 4096;

struct TranslateOptions {
  TranslatorFlags model;
  std::string input, output;
  int64_t n_best = 0;
};

// Six decimals, or as many digits where those would be zeros.
std::string score_text(double score) {
  return score == 0 || std::abs(score) >= 1e-3 ? fmt::format("{:.6f}", score)
                                               : fmt::format("{:.6e}", score);
}

// One line for the best; with --nbest a line for each hypothesis: number of the source, score,
// tokens.
std::string lines_of(const search::Hypotheses& found, const Translator& model, int64_t number,
                     bool n_best) {
  const auto text = [&](const search::Hypothesis& h) { return model.text_of(h) + "\n"; };
  if (!n_best) return found.empty() ? "\n" : text(found.front());
  if (found.empty()) return fmt::format("{}\t{}\t\n", number, score_text(0));
  std::string s;
  for (const search::Hypothesis& h : found)
    s += fmt::format("{}\t{}\t{}", number, score_text(h.score), text(h));
  return s;
}

// "'a', 'b'": the first of them, and how many more.
std::string listed(const Translator::Tokens& tokens) {
  constexpr size_t kMost = 3;
  std::string text;
  for (size_t i = 0; i < std::min(kMost, tokens.size()); ++i)
    text += fmt::format("{}'{}'", i > 0 ? ", " : "", tokens[i]);
  return tokens.size() > kMost ? fmt::format("{} and {} more", text, tokens.size() - kMost) : text;
}

// Hypotheses of a line, of those that are written, that did not end.
std::string cut_text(const search::Hypotheses& found, bool n_best) {
  const auto cut =
      std::count_if(found.begin(), found.end(), [](const auto& h) { return !h.ended; });
  if (cut == 0 || !n_best) return {};
  return fmt::format("{} of {} hypotheses", cut, found.size());
}

// What is said of the lines that were read together.
struct Notes {
  LineList cut, with_tabs, unknown, long_lines;

  void print(const std::string& limit, const Translator& model) const {
    if (!long_lines.empty())
      say(
          fmt::format("{}: longer than any the model was trained on ({} tokens); such results are "
                      "often wrong",
                      long_lines.str(), model.longest_trained()));
    if (!with_tabs.empty())
      say(fmt::format("{}: with a tab; tokens are separated by spaces", with_tabs.str()));
    if (!unknown.empty())
      say(fmt::format("{}: with what is not in the model's vocabulary", unknown.str()));
    if (!cut.empty())
      say(fmt::format("{}: cut before an end, at the limit of length ({})", cut.str(), limit));
  }
};

void translate(TranslateOptions& o) {
  const bool from_standard_input = o.input.empty() || o.input == "-";
  const bool to_standard_output = o.output.empty() || o.output == "-";
  formats::LineReader lines(from_standard_input ? "-" : o.input);
  if (o.n_best > o.model.options.beam)
    throw UsageError(fmt::format("--nbest {} asks for more than --beam {} keeps", o.n_best,
                                 o.model.options.beam));
  o.model.options.search.n_best = std::max<int64_t>(o.n_best, 1);
  o.model.options.scores = o.n_best > 0;
  Translator model = o.model.translator();
  const search::SearchOptions& options = o.model.options.search;
  // Somebody who types wants an answer at once.
  const bool by_words = model.tokenizers().source.kind() == data::TokenizerKind::words;
  const size_t at_once = from_standard_input && isatty(STDIN_FILENO) ? 1 : kLinesAtOnce;
  std::string whole;  // of what goes to a file
  int64_t number = 0, refused = 0, tokens = 0, unknown_tokens = 0;
  for (bool more = true; more;) {
    std::vector<std::string> sources;
    Notes notes;
    while (sources.size() < at_once && more) {
      try {
        const auto line = lines.next();
        more = line.has_value();
        if (!more) break;
        sources.emplace_back(*line);
      } catch (const formats::LineError& e) {
        say(fmt::format("{}; its result is empty", e.what()));
        sources.emplace_back();
        ++refused;
        continue;
      }
      const std::string& line = sources.back();
      if (by_words && line.find('\t') != line.npos) notes.with_tabs.add(lines.line());
      if (const auto why = model.refusal(line)) {
        say(fmt::format("{}: {}; its result is empty", lines.where(), *why));
        ++refused;
        continue;
      }
      const int64_t count = model.tokens_in(line);
      if (model.longest_trained() > 0 && count > model.longest_trained())
        notes.long_lines.add(lines.line(), fmt::format("{} tokens", count));
      if (const auto unknown = model.unknown(line); !unknown.empty()) {
        notes.unknown.add(lines.line(), listed(unknown));
        unknown_tokens += std::ssize(unknown);
      }
      tokens += count;
    }
    std::string text;
    for (const search::Hypotheses& found : model.search(sources, options)) {
      const bool cut =
          std::any_of(found.begin(), found.end(), [](const auto& h) { return !h.ended; });
      text += lines_of(found, model, number++, o.n_best > 0);
      if (cut) notes.cut.add(number, cut_text(found, o.n_best > 0));
    }
    notes.print(limit_text(model, options), model);
    if (to_standard_output)
      put(text);
    else
      whole += text;
  }
  if (!to_standard_output) put_result(o.output, whole);
  if (unknown_tokens > 0)
    say(fmt::format("{} tokens are not in the model's vocabulary{}", unknown_tokens,
                    2 * unknown_tokens > tokens && by_words
                        ? fmt::format(", of {}: it knows tokens separated by spaces, cut as in its "
                                      "training data",
                                      tokens)
                        : ""));
  if (refused > 0)
    throw ir::GraphError(fmt::format("{} of {} lines were not translated", refused, number));
}

}  // namespace

void add_translate(Command& program) {
  Command* command = program.add_command(
      "translate", "Translate lines of text, one line each, also for empty ones",
      "echo 'w o r d' | weft translate pronounce --beam 5");
  const auto o = std::make_shared<TranslateOptions>();
  o->model.add_model_to(*command);
  command->add_option("--input", o->input, "Read here instead of from standard input")
      ->type_name("FILE");
  command->add_option("-o,--output", o->output, "Write here instead of to standard output")
      ->type_name("FILE");
  o->model.add_search_to(*command);
  command
      ->add_option("--nbest", o->n_best,
                   "Write the K best of each line: its number from 0, score and tokens, by tabs")
      ->type_name("K")
      ->positive();
  command->callback([o] { translate(*o); });
}

}  // namespace weft::cli
