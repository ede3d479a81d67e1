// models/cli/evaluate.cpp -- weft evaluate: error rates of a model on examples.
#include "models/cli/command.h"
#include "models/cli/line_list.h"
#include "models/cli/translator_flags.h"
#include "models/data/features.h"
#include "models/data/tsv.h"
#include "models/metrics/error_rate.h"

#include <fmt/format.h>

#include <map>
#include <memory>

namespace weft::cli {
namespace {

struct EvaluateOptions {
  TranslatorFlags model;
  std::string data, output;
};

void evaluate(const EvaluateOptions& o) {
  // Lines with the same source are one word with several references.
  std::map<Translator::Tokens, std::vector<Translator::Tokens>> references;
  std::vector<Translator::Tokens> sources;
  std::vector<int64_t> lines_of_sources;
  Translator model = o.model.translator();
  data::Examples examples = data::read_tsv(o.data);
  if (seq2seq::ends(model.config()).source.kind != data::SourceKind::tokens)
    examples = data::located(std::move(examples), o.data);
  for (const data::Example& e : examples) {
    std::vector<Translator::Tokens>& list = references[e.source];
    if (list.empty()) sources.push_back(e.source), lines_of_sources.push_back(e.id);
    list.push_back(e.target);
  }
  const std::vector<search::Hypotheses> hypotheses = model.search(sources, o.model.options.search);
  metrics::ErrorRate rate;
  std::string lines;
  LineList cut, refused;
  for (size_t i = 0; i < sources.size(); ++i) {
    const Translator::Tokens found =
        hypotheses[i].empty() ? Translator::Tokens() : model.tokens_of(hypotheses[i].front());
    rate.add(found, references.at(sources[i]));
    lines += data::join_tokens(sources[i]) + "\t" + data::join_tokens(found) + "\n";
    if (hypotheses[i].empty())
      refused.add(lines_of_sources[i]);
    else if (!hypotheses[i].front().ended)
      cut.add(lines_of_sources[i]);
  }
  if (!o.output.empty()) put_result(o.output, lines);
  if (o.output != "-") put(rate.str() + "\n");
  if (!cut.empty())
    say(fmt::format("{} of {} results were cut before an end, at the limit of length ({}): {}",
                    cut.count(), sources.size(), limit_text(model, o.model.options.search),
                    cut.str()));
  if (!refused.empty())
    say(fmt::format(
        "{} of {} sources were refused (too long, or no features) and count as empty results: {}",
        refused.count(), sources.size(), refused.str()));
}

}  // namespace

void add_evaluate(Command& program) {
  Command* command = program.add_command(
      "evaluate",
      "Token (phone) and whole-word error rates, the closest of a source's references counting",
      "weft evaluate pronounce --data test.tsv");
  const auto o = std::make_shared<EvaluateOptions>();
  o->model.add_model_to(*command);
  command
      ->add_option("--data", o->data,
                   "Examples, source<TAB>target; several lines with one source are its references")
      ->required()
      ->type_name("FILE.tsv");
  command->add_option("-o,--output", o->output, "Write what the model said here, source<TAB>target")
      ->type_name("FILE.tsv");
  o->model.add_search_to(*command);
  command->callback([o] { evaluate(*o); });
}

}  // namespace weft::cli
