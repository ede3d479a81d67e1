// models/cli/evaluate.cpp -- weft evaluate: error rates and scores of a model on examples.
#include "models/cli/command.h"
#include "models/cli/line_list.h"
#include "models/cli/translator_flags.h"
#include "models/data/features.h"
#include "models/data/parallel_text.h"
#include "models/metrics/error_rate.h"
#include "models/metrics/significance.h"
#include "models/metrics/table.h"
#include "models/metrics/tokenizers.h"

#include <fmt/format.h>

#include <map>
#include <memory>

namespace weft::cli {
namespace {

struct EvaluateOptions {
  TranslatorFlags model;
  std::string data, source, reference, output, tokenizer = "13a";
  std::vector<std::string> metrics;
  bool lower_case = false;
};

// "BLEU 34.12, 33.40 to 34.87 in 95 % of samples of 1000 segments [nrefs:1|case:mixed|...]"
std::string score_text(const metrics::Metric& metric, const metrics::Corpus& corpus) {
  const std::vector<metrics::Statistics> segments = metrics::statistics(metric, corpus);
  const metrics::Interval interval = metrics::bootstrap(metric, segments);
  return fmt::format("{} {:.2f}, {:.2f} to {:.2f} in 95 % of samples of {} segments [{}]",
                     metric.name, metric.score(metrics::sum(segments)), interval.low, interval.high,
                     segments.size(), metrics::signature(metric, corpus));
}

data::ParallelFile file_of(const EvaluateOptions& o) {
  if (o.source.empty() != o.reference.empty() || o.source.empty() == o.data.empty())
    throw UsageError("what to evaluate on is said by --data, or by --source and --reference");
  if (!o.data.empty()) return {.source = o.data, .target = ""};
  return {.source = o.source, .target = o.reference};
}

void evaluate(EvaluateOptions& o) {
  // Lines with the same source are one word with several references.
  std::vector<metrics::Metric> scores;  // a wrong name is told before anything is translated
  for (const std::string& name : o.metrics)
    scores.push_back(metrics::metric_named(name, o.tokenizer, o.lower_case));
  std::map<std::string, std::vector<std::string>> references;
  std::vector<std::string> sources;
  std::vector<int64_t> lines_of_sources;
  Translator model = o.model.translator();
  const data::ParallelFile file = file_of(o);
  data::Examples examples = data::read_pairs(file);
  if (seq2seq::ends(model.config()).source.kind != data::SourceKind::tokens)
    for (data::Example& e : examples) e.source = data::located(e.source, file.source);
  for (const data::Example& e : examples) {
    std::vector<std::string>& list = references[e.source];
    if (list.empty()) sources.push_back(e.source), lines_of_sources.push_back(e.id);
    list.push_back(e.target);
  }
  const std::vector<search::Hypotheses> hypotheses = model.search(sources, o.model.options.search);
  metrics::ErrorRate rate;
  metrics::Corpus corpus;
  std::string lines;
  LineList cut, refused;
  for (size_t i = 0; i < sources.size(); ++i) {
    const std::string found =
        hypotheses[i].empty() ? std::string() : model.text_of(hypotheses[i].front());
    const std::vector<std::string>& list = references.at(sources[i]);
    std::vector<Translator::Tokens> tokens;
    for (const std::string& r : list) tokens.push_back(data::split_tokens(r));
    rate.add(data::split_tokens(found), tokens);
    corpus.hypotheses.push_back(found);
    corpus.references.push_back(list);
    lines += sources[i] + "\t" + found + "\n";
    if (hypotheses[i].empty())
      refused.add(lines_of_sources[i]);
    else if (!hypotheses[i].front().ended)
      cut.add(lines_of_sources[i]);
  }
  if (!o.output.empty()) put_result(o.output, lines);
  if (o.output != "-") {
    put(rate.str() + "\n");
    for (const metrics::Metric& metric : scores) put(score_text(metric, corpus) + "\n");
  }
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
      "Token (phone) and whole-word error rates, the closest of a source's references counting, "
      "and scores of translations",
      "weft evaluate en-de --data test.tsv --metric bleu --metric chrf");
  const auto o = std::make_shared<EvaluateOptions>();
  o->model.add_model_to(*command);
  command
      ->add_option("--data", o->data,
                   "Examples, source<TAB>target; several lines with one source are its references")
      ->type_name("FILE.tsv");
  command->add_option("--source", o->source, "Or sources, one a line, with")->type_name("FILE");
  command->add_option("--reference", o->reference, "what they should become, one a line")
      ->type_name("FILE");
  command->add_option("-o,--output", o->output, "Write what the model said here, source<TAB>target")
      ->type_name("FILE.tsv");
  std::string kinds, tokenizers;
  for (const metrics::MetricKind& k : metrics::metric_kinds())
    kinds += fmt::format("{}{} ({})", kinds.empty() ? "" : "; ", k.name, k.doc);
  for (const metrics::Tokenizer& t : metrics::tokenizers())
    tokenizers += fmt::format("{}{} ({})", tokenizers.empty() ? "" : "; ", t.name, t.doc);
  command
      ->add_option("--metric", o->metrics,
                   "Also this score of the texts, as sacreBLEU computes it, with an interval from "
                   "1000 bootstrap samples; may be given again: " +
                       kinds)
      ->one_at_a_time()
      ->type_name("NAME");
  command->add_option("--tokenize", o->tokenizer, "How BLEU cuts texts into words: " + tokenizers)
      ->type_name("NAME")
      ->show_default();
  command->add_flag("--lower-case", o->lower_case, "Scores do not tell capital letters from small");
  o->model.add_search_to(*command);
  command->callback([o] { evaluate(*o); });
}

}  // namespace weft::cli
