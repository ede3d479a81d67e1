// models/cli/translating/translate.cpp -- weft translate: lines in, lines out.
#include "frontend/formats/text.h"
#include "models/cli/command.h"
#include "models/cli/translating/line_list.h"
#include "models/cli/translating/translation_demands.h"
#include "models/cli/translating/translation_text.h"
#include "models/metrics/chrf.h"
#include "models/translator/minimum_risk.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

namespace weft::cli {
namespace {

constexpr size_t kLinesAtOnce = 4096;

struct TranslateOptions {
  TranslatorFlags model;
  TranslationText text;
  TranslationDemands demands;
  std::string input, output;
  int64_t n_best = 0, samples = 0;  // of minimum risk
  bool stream = false, explain = false;

  bool from_standard_input() const { return input.empty() || input == "-"; }
  bool to_standard_output() const { return output.empty() || output == "-"; }
};

// Six decimals, or as many digits where those would be zeros.
std::string score_text(double score) {
  return score == 0 || std::abs(score) >= 1e-3 ? fmt::format("{:.6f}", score)
                                               : fmt::format("{:.6e}", score);
}

// A line of the input as it is translated.
struct Source {
  std::string text;
  MarkedText marked;
};

// One line for the best; with --nbest a line for each hypothesis, at least one: number of the source,
// score, text.
std::string lines_of(const search::Hypotheses& found, const TranslateOptions& o,
                     const Translator& model, const Source& source, int64_t number) {
  const auto text = [&](const search::Hypothesis& h) {
    return o.text.text(model, h, source.text, source.marked) + "\n";
  };
  if (o.n_best == 0) return found.empty() ? "\n" : text(found.front());
  if (found.empty()) return fmt::format("{}\t{}\t\n", number, score_text(0));
  std::string s;
  for (const search::Hypothesis& h : found)
    s += fmt::format("{}\t{}\t{}", number, score_text(h.score), text(h));
  return s;
}

// Samples by how much they are like the others; as many as are written.
void choose_of_samples(search::Hypotheses& found, const Translator& model, int64_t count) {
  std::vector<std::string> texts;
  for (const search::Hypothesis& h : found) texts.push_back(model.text_of(h));
  sort_by_expected_score(found, texts, metrics::chrf());
  // Equal ones are one.
  std::set<std::vector<int32_t>> seen;
  std::erase_if(found, [&](const search::Hypothesis& h) { return !seen.insert(h.tokens).second; });
  found.resize(std::min(found.size(), static_cast<size_t>(count)));
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
  LineList cut, with_tabs, with_columns, unknown, long_lines;

  void print(const std::string& limit, const Translator& model) const {
    if (!long_lines.empty())
      say(
          fmt::format("{}: longer than any the model was trained on ({} tokens); such results are "
                      "often wrong",
                      long_lines.str(), model.longest_trained()));
    if (!with_tabs.empty())
      say(fmt::format("{}: with a tab; tokens are separated by spaces", with_tabs.str()));
    if (!with_columns.empty())
      say(
          fmt::format("{}: with a tab, and translated whole; of source<TAB>target `cut -f1` leaves "
                      "the source",
                      with_columns.str()));
    if (!unknown.empty())
      say(fmt::format("{}: with what is not in the model's vocabulary", unknown.str()));
    if (!cut.empty())
      say(fmt::format("{}: cut before an end, at the limit of length ({})", cut.str(), limit));
  }
};

// A message about what stands in a line; those about a file say so themselves.
ir::GraphError about_line(const formats::LineReader& lines, const ir::GraphError& e) {
  const std::string what = e.what();
  return what.find(": error: ") != what.npos ? e
                                             : ir::GraphError(lines.where() + ": error: " + what);
}

// What the options make of those of the model. UsageError where they do not go together.
void prepare(TranslateOptions& o) {
  o.model.ask_folder();
  TranslatorOptions& model = o.model.options;
  if (o.samples > 0) {
    if (o.model.gives("beam") && model.beam > 1)
      throw UsageError("--mbr draws its own hypotheses: not with --beam");
    model.search.sample = true;
    model.search.early_stopping = search::EarlyStopping::no;
    model.search.groups = 1, model.search.diversity = 0;
    model.beam = o.samples;
  }
  if (o.n_best > model.beam)
    throw UsageError(fmt::format("--nbest {} asks for more than --{} {} keeps", o.n_best,
                                 o.samples > 0 ? "mbr" : "beam", model.beam));
  if (o.stream && (o.n_best > 0 || o.samples > 0 || !o.text.is_plain() || o.demands.any() ||
                   !o.to_standard_output()))
    throw UsageError(
        "--stream writes text as it comes: not with --nbest, --mbr, --align, --tags, "
        "--replace-unknown, demands or --output");
  model.search.n_best = o.samples > 0 ? o.samples : std::max<int64_t>(o.n_best, 1);
  model.scores = o.n_best > 0;
  o.text.prepare(model);
}

// Each line's text as soon as it is known.
void stream(const TranslateOptions& o, Translator& model, formats::LineReader& lines) {
  int64_t refused = 0;
  const auto refuse = [&](const std::string& why) {
    say(why + "; its result is empty");
    ++refused;
  };
  for (bool more = true; more;) {
    try {
      const auto line = lines.next();
      more = line.has_value();
      if (!more) break;
      const std::string source(*line);
      if (const auto why = model.refusal(source))
        refuse(fmt::format("{}: {}", lines.where(), in_flags(*why)));
      else
        model.translate(source, [](std::string_view piece) { put(piece); });
    } catch (const formats::LineError& e) {
      refuse(e.what());
    }
    put("\n");
  }
  if (refused > 0)
    throw ir::GraphError(fmt::format("{} of {} lines were not translated", refused, lines.line()));
}

void translate(TranslateOptions& o) {
  prepare(o);
  o.model.precision.check();
  if (o.explain) return put(o.model.explained_settings());
  const bool from_standard_input = o.from_standard_input(),
             to_standard_output = o.to_standard_output();
  formats::LineReader lines(from_standard_input ? "-" : o.input);
  Translator model = o.model.translator();
  o.text.check(model);
  o.demands.prepare(model);
  const search::SearchOptions& options = o.model.options.search;
  if (o.stream) return stream(o, model, lines);
  // Somebody who types wants an answer at once.
  const bool by_words = model.tokenizers().source.kind() == data::TokenizerKind::words;
  const bool is_text_model = seq2seq::ends(model.config()).source.kind == data::SourceKind::tokens;
  const size_t at_once = from_standard_input && isatty(STDIN_FILENO) ? 1 : kLinesAtOnce;
  std::string whole;  // of what goes to a file
  int64_t number = 0, refused = 0, tokens = 0, unknown_tokens = 0;
  for (bool more = true; more;) {
    std::vector<Source> sources;
    std::vector<std::string> texts;
    std::vector<search::Demands> demands;
    Notes notes;
    while (sources.size() < at_once && more) {
      std::string given;
      bool is_text = true;
      try {
        const auto line = lines.next();
        more = line.has_value();
        if (!more) break;
        given = *line;
      } catch (const formats::LineError& e) {
        say(fmt::format("{}; its result is empty", e.what()));
        is_text = false;
        ++refused;
      }
      if (o.demands.any()) {
        try {
          demands.push_back(o.demands.next(model, given));
        } catch (const formats::LineError&) {  // of another file
          throw;
        } catch (const ir::GraphError& e) {
          throw about_line(lines, e);
        }
      }
      sources.push_back(o.text.has_tags() ? Source{"", parse_markup(given)} : Source{given, {}});
      if (o.text.has_tags()) sources.back().text = sources.back().marked.text;
      const std::string& text = texts.emplace_back(sources.back().text);
      if (!is_text) continue;
      if (is_text_model && text.find('\t') != text.npos)
        (by_words ? notes.with_tabs : notes.with_columns).add(lines.line());
      if (const auto why = model.refusal(text)) {
        say(fmt::format("{}: {}; its result is empty", lines.where(), in_flags(*why)));
        ++refused;
        continue;
      }
      const int64_t count = model.tokens_in(text);
      if (model.longest_trained() > 0 && count > model.longest_trained())
        notes.long_lines.add(lines.line(), fmt::format("{} tokens", count));
      if (const auto unknown = model.unknown(text); !unknown.empty()) {
        notes.unknown.add(lines.line(), listed(unknown));
        unknown_tokens += std::ssize(unknown);
      }
      tokens += count;
    }
    std::string text;
    const int64_t first = number;
    for (search::Hypotheses& found : model.search(texts, options, {.demands = demands})) {
      if (o.samples > 0) choose_of_samples(found, model, std::max<int64_t>(o.n_best, 1));
      const bool cut =
          std::any_of(found.begin(), found.end(), [](const auto& h) { return !h.ended; });
      text += lines_of(found, o, model, sources[static_cast<size_t>(number - first)], number);
      ++number;
      if (cut) notes.cut.add(number, cut_text(found, o.n_best > 0));
    }
    notes.print(limit_text(model, options), model);
    if (to_standard_output)
      put(text);
    else
      whole += text;
  }
  o.demands.finish();
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
                   "Write the K best of each line: its number from 0, score and text, by tabs")
      ->type_name("K")
      ->positive();
  command
      ->add_option(
          "--mbr", o->samples,
          "Draw N results and take the one most like the others, by chrF: minimum Bayes risk")
      ->type_name("N")
      ->in_range(2, 1024);
  command->add_flag("--stream", o->stream,
                    "Write a result while it is made: as far as it will not change any more");
  command->add_flag("--explain-settings", o->explain,
                    "Write every setting of the search, its value and where it comes from (the "
                    "model's folder, the command line, a default), and translate nothing");
  o->text.add_to(*command);
  o->demands.add_to(*command);
  command->callback([o] { translate(*o); });
}

}  // namespace weft::cli
