// models/cli/translating/attend.cpp -- weft attend: what the decoder looked at, as a picture.
#include "frontend/formats/text.h"
#include "frontend/inspect/attention_page.h"
#include "frontend/inspect/attention_picture.h"
#include "frontend/inspect/heatmap.h"
#include "models/cli/command.h"
#include "models/cli/translating/translator_flags.h"
#include "models/data/corpora/picture_strings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <tuple>
#include <utility>

namespace weft::cli {
namespace {

constexpr size_t kMostTokens = 200;      // a picture of more says nothing
constexpr size_t kMostPositions = 4096;  // of sound and pictures
constexpr size_t kMostLines = 500;       // a page of more is too large for a browser

struct AttendOptions {
  TranslatorFlags model;
  std::string source, input, output;
  int64_t rank = 1;
};

// Of words that are letters, the word.
std::string title_of(const Translator& model, const std::string& source) {
  if (model.tokenizers().source.kind() != data::TokenizerKind::words) return source;
  std::string title;
  for (const std::string& token : data::split_tokens(source)) title += token;
  return title;
}

// The hypothesis asked for; GraphError where there is none.
search::Hypothesis chosen_of(search::Hypotheses found, int64_t rank) {
  if (std::ssize(found) < rank)
    throw ir::GraphError("the search found " + std::to_string(found.size()) + " hypotheses only");
  return std::move(found[static_cast<size_t>(rank - 1)]);
}

// Its weights f32[tokens,positions], and what the rows are called.
std::pair<ir::Array, Translator::Tokens> drawn(const Translator& model,
                                               const search::Hypothesis& chosen, int64_t columns) {
  const auto rows = std::ssize(chosen.weights);
  ir::Array weights(ir::DType::f32, {rows, columns});
  for (int64_t t = 0; t < rows; ++t)
    std::copy_n(chosen.weights[static_cast<size_t>(t)].begin(), columns,
                weights.data<float>() + t * columns);
  Translator::Tokens names = model.tokens_of(chosen);
  if (chosen.ended) names.emplace_back("</s>");
  return {std::move(weights), std::move(names)};
}

// Numbers as grey: the least black, the greatest white.
data::Pixels grey(const ir::Array& x, int64_t height, int64_t width, bool upside_down) {
  double least = HUGE_VAL, most = -HUGE_VAL;
  const int64_t channels = x.size() / (height * width);
  data::Pixels p{height, width, channels == 3 ? 3 : 1, {}};
  for (int64_t i = 0; i < x.size(); ++i)
    least = std::min(least, x.at(i)), most = std::max(most, x.at(i));
  const double scale = most > least ? 255 / (most - least) : 0;
  for (int64_t row = 0; row < height; ++row)
    for (int64_t column = 0; column < width; ++column)
      for (int64_t c = 0; c < p.channels; ++c) {
        // Frames lie one behind the other: time is their first axis.
        const int64_t at = upside_down ? column * height + (height - 1 - row)
                                       : (row * width + column) * channels + c;
        p.bytes.push_back(static_cast<uint8_t>(std::lround((x.at(at) - least) * scale)));
      }
  return p;
}

// Over the picture, or below the spectrogram, that the source is.
std::string drawn_over(const Translator& model, const ir::Array& given, const std::string& source,
                       Translator::Tokens tokens, const ir::Array& weights) {
  const data::Source kind = seq2seq::ends(model.config()).source;
  if (kind.kind == data::SourceKind::frames)
    return inspect::svg(inspect::SoundAttention{
        .title = source,
        .png = data::png_bytes(grey(given, given.dim(1), given.dim(0), true)),
        .tokens = std::move(tokens),
        .weights = weights});
  return inspect::svg(inspect::PictureAttention{
      .title = source,
      .png = data::png_bytes(grey(given, given.dim(0), given.dim(1), false)),
      .height = given.dim(0),
      .width = given.dim(1),
      .rows = kind.height / kind.patch,
      .columns = kind.width / kind.patch,
      .tokens = std::move(tokens),
      .weights = weights});
}

// All lines of a file as one page; those that cannot be drawn are told.
std::string page_of(const AttendOptions& o, Translator& model,
                    const search::SearchOptions& options) {
  formats::LineReader lines(o.input);
  std::vector<std::string> sources;
  while (const auto line = lines.next()) {
    if (data::split_tokens(*line).empty()) continue;
    std::string source(*line);
    const auto why = model.refusal(source);
    if (why || model.labels(source).size() > kMostTokens)
      say(fmt::format("{}: {}; it is not drawn", lines.where(),
                      why.value_or(fmt::format("has more than {} tokens", kMostTokens))));
    else
      sources.push_back(std::move(source));
    if (sources.size() > kMostLines)
      throw UsageError(fmt::format("{}: attend draws at most {} lines", o.input, kMostLines));
  }
  if (sources.empty()) throw ir::GraphError(o.input + ": has no line to draw");
  std::vector<inspect::AttentionSentence> sentences;
  std::vector<search::Hypotheses> found = model.search(sources, options);
  for (size_t i = 0; i < sources.size(); ++i) {
    const search::Hypothesis chosen = chosen_of(std::move(found[i]), o.rank);
    inspect::AttentionSentence s{
        .columns = model.labels(sources[i]), .rows = {}, .mean = {}, .layers = {}};
    std::tie(s.mean, s.rows) = drawn(model, chosen, std::ssize(s.columns));
    s.layers = model.layer_weights(sources[i], chosen);
    sentences.push_back(std::move(s));
  }
  return inspect::attention_page("Attention: " + o.input, sentences);
}

void attend(AttendOptions& o) {
  const std::string& source = o.source;
  if (source.empty() == o.input.empty())
    throw UsageError("attend needs a text, or --input with a file of them");
  if (o.input.empty() && data::split_tokens(source).empty())
    throw UsageError("attend needs a text, found an empty one");
  o.model.ask_folder();
  if (o.rank > o.model.options.beam)
    throw UsageError("--rank " + std::to_string(o.rank) + " asks for more than --beam " +
                     std::to_string(o.model.options.beam) + " keeps");
  o.model.options.weights = true;
  Translator model = o.model.translator();
  if (!seq2seq::has_attention(model.config()))
    throw ir::GraphError(o.model.folder + ": the model has no attention");
  search::SearchOptions options = o.model.options.search;
  options.n_best = o.rank;
  if (!o.input.empty()) return put_result(o.output, page_of(o, model, options));
  if (const auto why = model.refusal(source)) throw ir::GraphError("the source " + in_flags(*why));
  const Translator::Tokens labels = model.labels(source);
  const auto given = model.features(source);
  if (const size_t most = given ? kMostPositions : kMostTokens; labels.size() > most)
    throw UsageError(fmt::format("attend draws at most {} {}, found {}", most,
                                 given ? "positions" : "tokens", labels.size()));
  const search::Hypothesis chosen =
      chosen_of(model.search(std::span(&source, 1), options).front(), o.rank);
  auto [weights, rows] = drawn(model, chosen, std::ssize(labels));
  if (!chosen.ended)
    say(fmt::format("the result was cut before an end, at the limit of length ({})",
                    limit_text(model, options)));
  if (given)
    return put_result(o.output, drawn_over(model, *given, source, std::move(rows), weights));
  put_result(o.output, inspect::svg(inspect::Heatmap{.title = title_of(model, source),
                                                     .columns = labels,
                                                     .rows = std::move(rows),
                                                     .weights = std::move(weights)}));
}

}  // namespace

void add_attend(Command& program) {
  Command* command = program.add_command(
      "attend",
      "Draw the attention weights of one translation (SVG), or of a file's (an HTML page with "
      "sliders over lines, layers and heads)",
      "weft attend pronounce \"w o r d\" -o word.svg");
  const auto o = std::make_shared<AttendOptions>();
  o->model.add_model_to(*command);
  command->add_option("SOURCE", o->source, "The text");
  command->add_option("--input", o->input, "Draw all lines of this file")->type_name("FILE");
  command->add_option("-o,--output", o->output, "Write here instead of to standard output")
      ->type_name("FILE");
  o->model.add_search_to(*command);
  command->add_option("--rank", o->rank, "Draw the K-th best of the beam's hypotheses")
      ->type_name("K")
      ->positive()
      ->show_default();
  command->callback([o] { attend(*o); });
}

}  // namespace weft::cli
