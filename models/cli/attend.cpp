// models/cli/attend.cpp -- weft attend: what the decoder looked at, as a picture.
#include "frontend/inspect/heatmap.h"
#include "models/cli/command.h"
#include "models/cli/translator_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace weft::cli {
namespace {

constexpr size_t kMostTokens = 200;  // a picture of more says nothing

struct AttendOptions {
  TranslatorFlags model;
  std::string source, output;
  int64_t rank = 1;
};

// Of words that are letters, the word.
std::string title_of(const Translator& model, const std::string& source) {
  if (model.tokenizers().source.kind() != data::TokenizerKind::words) return source;
  std::string title;
  for (const std::string& token : data::split_tokens(source)) title += token;
  return title;
}

void attend(AttendOptions& o) {
  const std::string& source = o.source;
  if (data::split_tokens(source).empty())
    throw UsageError("attend needs a text, found an empty one");
  if (o.rank > o.model.options.beam)
    throw UsageError("--rank " + std::to_string(o.rank) + " asks for more than --beam " +
                     std::to_string(o.model.options.beam) + " keeps");
  o.model.options.weights = true;
  Translator model = o.model.translator();
  if (!seq2seq::has_attention(model.config()))
    throw ir::GraphError(o.model.folder + ": the model has no attention");
  if (const auto why = model.refusal(source)) throw ir::GraphError("the source " + *why);
  const Translator::Tokens labels = model.labels(source);
  if (labels.size() > kMostTokens)
    throw UsageError("attend draws at most " + std::to_string(kMostTokens) + " tokens, found " +
                     std::to_string(labels.size()));
  search::SearchOptions options = o.model.options.search;
  options.n_best = o.rank;
  const search::Hypotheses found = model.search(std::span(&source, 1), options).front();
  if (std::ssize(found) < o.rank)
    throw ir::GraphError("the search found " + std::to_string(found.size()) + " hypotheses only");
  const search::Hypothesis& chosen = found.back();

  const auto rows = std::ssize(chosen.weights), columns = std::ssize(labels);
  ir::Array weights(ir::DType::f32, {rows, columns});
  for (int64_t t = 0; t < rows; ++t)
    std::copy_n(chosen.weights[static_cast<size_t>(t)].begin(), columns,
                weights.data<float>() + t * columns);
  inspect::Heatmap map{.title = title_of(model, source),
                       .columns = labels,
                       .rows = model.tokens_of(chosen),
                       .weights = weights};
  if (chosen.ended) map.rows.emplace_back("</s>");
  if (!chosen.ended)
    say(fmt::format("the result was cut before an end, at the limit of length ({})",
                    limit_text(model, options)));
  put_result(o.output, inspect::svg(map));
}

}  // namespace

void add_attend(Command& program) {
  Command* command =
      program.add_command("attend", "Draw the attention weights of one translation (SVG)",
                          "weft attend pronounce \"w o r d\" -o word.svg");
  const auto o = std::make_shared<AttendOptions>();
  o->model.add_model_to(*command);
  command->add_option("SOURCE", o->source, "The text")->required();
  command->add_option("-o,--output", o->output, "Write here instead of to standard output")
      ->type_name("FILE.svg");
  o->model.add_search_to(*command);
  command->add_option("--rank", o->rank, "Draw the K-th best of the beam's hypotheses")
      ->type_name("K")
      ->positive()
      ->show_default();
  command->callback([o] { attend(*o); });
}

}  // namespace weft::cli
