// models/cli/translating/evaluate.cpp -- weft evaluate: scores of a model on examples, beside another's, and by
// the length of sources.
#include "frontend/formats/text.h"
#include "frontend/inspect/chart.h"
#include "models/cli/command.h"
#include "models/cli/translating/line_list.h"
#include "models/cli/translating/translator_flags.h"
#include "models/data/features/features.h"
#include "models/data/parallel_text.h"
#include "models/metrics/by_length.h"
#include "models/metrics/error_rate.h"
#include "models/metrics/significance.h"
#include "models/metrics/table.h"
#include "models/metrics/tokenizers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>

namespace weft::cli {
namespace {

using metrics::Statistics;

struct EvaluateOptions {
  TranslatorFlags model;
  std::string data, source, reference, output, against, plot, tokenizer = "13a";
  std::vector<std::string> metrics;
  bool lower_case = false, by_length = false;
};

// Lines with the same source are one segment with several references.
struct TestSet {
  std::vector<std::string> sources;
  std::vector<std::vector<std::string>> references;
  std::vector<int64_t> lines;  // where each source stands first
};

data::ParallelFile file_of(const EvaluateOptions& o) {
  if (o.source.empty() != o.reference.empty() || o.source.empty() == o.data.empty())
    throw UsageError("what to evaluate on is said by --data, or by --source and --reference");
  if (!o.data.empty()) return {.source = o.data, .target = ""};
  return {.source = o.source, .target = o.reference};
}

TestSet read_test_set(const data::ParallelFile& file, const Translator& model) {
  data::Examples examples = data::read_pairs(file);
  if (seq2seq::ends(model.config()).source.kind != data::SourceKind::tokens)
    for (data::Example& e : examples) e.source = data::located(e.source, file.source);
  TestSet test;
  std::map<std::string, size_t> segments;
  for (const data::Example& e : examples) {
    const auto [at, is_new] = segments.emplace(e.source, test.sources.size());
    if (is_new) {
      test.sources.push_back(e.source);
      test.lines.push_back(e.id);
      test.references.emplace_back();
    }
    test.references[at->second].push_back(e.target);
  }
  return test;
}

// A model, or a file with what some program made of the sources.
struct System {
  std::string name;
  std::vector<std::string> hypotheses;
  std::unique_ptr<Translator> model;  // none: of a file
};

System translated(std::string name, std::unique_ptr<Translator> model, const TestSet& test,
                  const search::SearchOptions& options) {
  System s{.name = std::move(name), .hypotheses = {}, .model = std::move(model)};
  LineList cut, refused;
  const auto found = s.model->search(test.sources, options);
  for (size_t i = 0; i < found.size(); ++i) {
    s.hypotheses.push_back(found[i].empty() ? "" : s.model->text_of(found[i].front()));
    if (found[i].empty())
      refused.add(test.lines[i]);
    else if (!found[i].front().ended)
      cut.add(test.lines[i]);
  }
  if (!cut.empty())
    say(fmt::format("{}: {} of {} results were cut before an end, at the limit of length ({}): {}",
                    s.name, cut.count(), found.size(), limit_text(*s.model, options), cut.str()));
  if (!refused.empty())
    say(fmt::format(
        "{}: {} of {} sources were refused (too long, or no features) and count as empty results: "
        "{}",
        s.name, refused.count(), found.size(), refused.str()));
  return s;
}

System of_file(const std::string& path, const TestSet& test) {
  System s{.name = path, .hypotheses = {}, .model = nullptr};
  formats::LineReader reader(path);
  while (const auto line = reader.next()) s.hypotheses.emplace_back(*line);
  if (s.hypotheses.size() != test.sources.size())
    throw ir::GraphError(
        fmt::format("{}: error: has {} lines, needed is one for each of the {} "
                    "distinct sources, in their order",
                    path, s.hypotheses.size(), test.sources.size()));
  return s;
}

// What is measured: a metric of texts, or of how probable a model finds the references.
struct Measure {
  metrics::Metric metric;
  bool of_probabilities = false, per_cent = false;

  std::string value(double x) const { return fmt::format("{:.2f}{}", x, per_cent ? " %" : ""); }
};

// Statistics: -log p of the references, and their tokens with </s>.
Measure of_probabilities(const char* name, double (*score)(double)) {
  return {.metric = {.name = name,
                     .signature = "unit:token",
                     .higher_is_better = false,
                     .statistics = {},
                     .score =
                         [score](std::span<const double> s) {
                           return s[1] > 0 ? score(s[0] / s[1]) : 0;
                         }},
          .of_probabilities = true};
}

Measure measure_named(const std::string& name, const EvaluateOptions& o) {
  if (name == "loss") return of_probabilities("loss", [](double x) { return x; });
  if (name == "perplexity")
    return of_probabilities("perplexity", [](double x) { return std::exp(x); });
  std::string names;
  for (const metrics::MetricKind& kind : metrics::metric_kinds()) {
    if (kind.name == name)
      return {.metric = metrics::metric_named(name, o.tokenizer, o.lower_case),
              .per_cent = kind.per_cent};
    names += fmt::format("{}, ", kind.name);
  }
  throw ir::GraphError(
      fmt::format("there is no metric '{}' (there are: {}loss, perplexity)", name, names));
}

std::vector<Statistics> probabilities(Translator& model, const TestSet& test) {
  std::vector<std::string> sources;
  std::vector<search::Demands> demands;
  std::vector<size_t> segments;
  for (size_t i = 0; i < test.sources.size(); ++i)
    for (const std::string& reference : test.references[i]) {
      search::Demands given{.prefix = model.tokenizers().target.encode(reference), .phrases = {}};
      given.prefix.push_back(model.tokenizers().target.special().end);
      if (const int64_t most = model.most_target_positions();
          most > 0 && std::ssize(given.prefix) > most)
        continue;
      sources.push_back(test.sources[i]);
      demands.push_back(std::move(given));
      segments.push_back(i);
    }
  std::vector<Statistics> all(test.sources.size(), Statistics(2));
  const auto found = model.search(sources, {}, {.demands = demands});
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i].empty()) continue;
    all[segments[i]][0] -= found[i].front().log_probability;
    all[segments[i]][1] += static_cast<double>(found[i].front().token_log_probabilities.size());
  }
  return all;
}

std::vector<Statistics> statistics(const Measure& measure, const System& system,
                                   const TestSet& test) {
  if (!measure.of_probabilities)
    return metrics::statistics(measure.metric, {system.hypotheses, test.references});
  if (system.model == nullptr)
    throw UsageError(fmt::format("--metric {} needs models, {} is a file of translations",
                                 measure.metric.name, system.name));
  return probabilities(*system.model, test);
}

// "BLEU 34.12, 33.40 to 34.87 in 95 % of samples of 1000 segments [nrefs:1|case:mixed|...]"
std::string score_text(const Measure& measure, const std::vector<Statistics>& segments,
                       const System& system, const TestSet& test) {
  const metrics::Interval interval = metrics::bootstrap(measure.metric, segments);
  return fmt::format(
      "{} {}, {:.2f} to {:.2f} in 95 % of samples of {} segments [{}]", measure.metric.name,
      measure.value(measure.metric.score(metrics::sum(segments))), interval.low, interval.high,
      segments.size(), metrics::signature(measure.metric, {system.hypotheses, test.references}));
}

// "BLEU: 1.11 above that of base, p = 0.0120 (paired bootstrap, 1000 samples)"
std::string comparison_text(const metrics::Metric& metric, const std::vector<Statistics>& first,
                            const std::vector<Statistics>& second, const std::string& other) {
  const metrics::Comparison c = metrics::paired_bootstrap(metric, first, second);
  return fmt::format("{} {:.2f} {} that of {}, {:.2f}; p = {:.4f} (paired bootstrap, 1000 samples)",
                     metric.name, std::abs(c.first - c.second),
                     c.first < c.second ? "below" : "above", other, c.second, c.p_value);
}

// What a source is as long as: its words, or the model's positions where it is no text.
std::vector<int64_t> lengths(const TestSet& test, const Translator& model) {
  const bool text = seq2seq::ends(model.config()).source.kind == data::SourceKind::tokens;
  std::vector<int64_t> all;
  for (const std::string& source : test.sources)
    all.push_back(std::ssize(text ? data::split_tokens(source) : model.labels(source)));
  return all;
}

struct Column {
  std::string title, metric;
  std::vector<metrics::LengthGroup> groups;
};

std::string length_table(const std::vector<Column>& columns) {
  const auto row = [&](const std::string& first, const std::string& count, const auto& cell) {
    std::string line = fmt::format("{:<12}{:>8}", first, count);
    for (size_t c = 0; c < columns.size(); ++c)
      line += fmt::format("  {:>{}}", cell(c), std::max<size_t>(columns[c].title.size(), 8));
    return line + "\n";
  };
  std::string text = row("length", "segments", [&](size_t c) { return columns[c].title; });
  for (size_t g = 0; g < columns.front().groups.size(); ++g) {
    const metrics::LengthGroup& group = columns.front().groups[g];
    text += row(fmt::format("{}-{}", group.least, group.most), std::to_string(group.segments),
                [&](size_t c) { return fmt::format("{:.2f}", columns[c].groups[g].score); });
  }
  return text;
}

std::string length_plot(const std::vector<Column>& columns, const std::string& title) {
  inspect::Chart chart{.title = title, .x_label = "length of the source", .panels = {}};
  for (const Column& column : columns) {
    auto panel = std::find_if(chart.panels.begin(), chart.panels.end(),
                              [&](const inspect::Panel& p) { return p.title == column.metric; });
    if (panel == chart.panels.end())
      panel = chart.panels.insert(panel, {.title = column.metric, .curves = {}});
    inspect::Curve curve{.name = column.title, .x = {}, .y = {}, .points = true};
    for (const metrics::LengthGroup& g : column.groups) {
      curve.x.push_back(static_cast<double>(g.least + g.most) / 2);
      curve.y.push_back(g.score);
    }
    panel->curves.push_back(std::move(curve));
  }
  return inspect::svg(chart);
}

void evaluate(EvaluateOptions& o) {
  const data::ParallelFile file = file_of(o);
  std::vector<Measure> measures;  // a wrong name is told before anything is translated
  for (const std::string& name : o.metrics) measures.push_back(measure_named(name, o));
  o.model.ask_folder();
  auto model = std::make_unique<Translator>(o.model.translator());
  if (measures.empty()) {
    const data::TokenizerKind kind = model->tokenizers().target.kind();
    std::pair<const char*, const char*> usual{"bleu", "chrf"};
    if (kind == data::TokenizerKind::words) usual = {"per", "wer"};
    if (kind == data::TokenizerKind::characters) usual = {"chrf", "accuracy"};
    for (const char* name : {usual.first, usual.second}) measures.push_back(measure_named(name, o));
  }
  const TestSet test = read_test_set(file, *model);
  std::vector<System> systems;
  systems.push_back(translated(o.model.folder, std::move(model), test, o.model.options.search));
  if (!o.against.empty())
    systems.push_back(std::filesystem::is_directory(o.against)
                          ? translated(o.against,
                                       std::make_unique<Translator>(o.against, o.model.options),
                                       test, o.model.options.search)
                          : of_file(o.against, test));
  std::string text;
  std::vector<Column> columns;
  const std::vector<int64_t> long_as = lengths(test, *systems.front().model);
  for (const Measure& measure : measures) {
    std::vector<std::vector<Statistics>> segments;
    for (const System& system : systems) {
      segments.push_back(statistics(measure, system, test));
      const std::string& metric = measure.metric.name;
      columns.push_back({systems.size() == 1 ? metric : fmt::format("{}: {}", system.name, metric),
                         metric, metrics::by_length(measure.metric, segments.back(), long_as)});
    }
    text += score_text(measure, segments[0], systems[0], test) + "\n";
    if (systems.size() > 1)
      text += comparison_text(measure.metric, segments[0], segments[1], systems[1].name) + "\n";
  }
  if (o.by_length) text += length_table(columns);
  if (!o.plot.empty()) put_result(o.plot, length_plot(columns, file.name()));
  if (!o.output.empty()) {
    std::string lines;
    for (size_t i = 0; i < test.sources.size(); ++i)
      lines += test.sources[i] + "\t" + systems.front().hypotheses[i] + "\n";
    put_result(o.output, lines);
  }
  if (o.output != "-") put(text);
}

}  // namespace

void add_evaluate(Command& program) {
  Command* command = program.add_command(
      "evaluate",
      "Score a model on examples, or compare it with another: BLEU, chrF, TER, error rates, "
      "perplexity, with intervals",
      "weft evaluate en-de --data test.tsv --metric bleu --against base --by-length");
  const auto o = std::make_shared<EvaluateOptions>();
  o->model.add_model_to(*command);
  command
      ->add_option("--data", o->data,
                   "Examples, source<TAB>target; several lines with one source are its references")
      ->type_name("FILE.tsv");
  command->add_option("--source", o->source, "Or sources, one a line, with")->type_name("FILE");
  command->add_option("--reference", o->reference, "what they should become, one a line")
      ->type_name("FILE");
  std::string kinds, tokenizers;
  for (const metrics::MetricKind& k : metrics::metric_kinds())
    kinds += fmt::format("{} ({}); ", k.name, k.doc);
  for (const metrics::Tokenizer& t : metrics::tokenizers())
    tokenizers += fmt::format("{}{} ({})", tokenizers.empty() ? "" : "; ", t.name, t.doc);
  command
      ->add_option("--metric", o->metrics,
                   "A score, with an interval from 1000 bootstrap samples; may be given again; by "
                   "default per and wer where the target's tokens stand between spaces, chrf and "
                   "accuracy of characters, bleu and chrf of pieces: " +
                       kinds +
                       "loss (-log p of a token of the references, </s> included); perplexity "
                       "(its exponential)")
      ->one_at_a_time()
      ->type_name("NAME");
  command
      ->add_option("--against", o->against,
                   "Another model, or a file of translations line by line, to compare with: is the "
                   "difference chance? (Koehn 2004)")
      ->type_name("MODEL|FILE");
  command->add_flag("--by-length", o->by_length,
                    "Also the scores of short and of long sources, in words");
  command->add_option("--plot", o->plot, "Draw them")->type_name("FILE.svg");
  command->add_option("-o,--output", o->output, "Write what the model said here, source<TAB>target")
      ->type_name("FILE.tsv");
  command->add_option("--tokenize", o->tokenizer, "How BLEU cuts texts into words: " + tokenizers)
      ->type_name("NAME")
      ->show_default();
  command->add_flag("--lower-case", o->lower_case, "Scores do not tell capital letters from small");
  o->model.add_search_to(*command);
  command->callback([o] { evaluate(*o); });
}

}  // namespace weft::cli
