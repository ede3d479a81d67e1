// models/translator/translator.cpp -- loading, and search from words to hypotheses.
#include "models/translator/translator.h"

#include "backends/backend.h"
#include "ir/error.h"
#include "models/data/corpus.h"
#include "models/data/features.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace weft {
namespace {

constexpr int64_t kMostTokens = 1000;  // of a source
constexpr data::BatchOptions kBatches{.max_rows = 128, .max_tokens = 16384, .round_source = 8};

bool is_blank(const std::string& text) { return text.find_first_not_of(' ') == text.npos; }

ProgramOptions with_backend(ProgramOptions options) {
  if (options.backend == nullptr) options.backend = backends::make_onednn();
  return options;
}

}  // namespace

struct Translator::Content {
  Content(const training::ModelFolder& folder, const TranslatorOptions& o)
      : options(o),
        config(folder.config()),
        tokenizers(folder.tokenizers()),
        longest_trained(folder.longest_source()),
        store(folder.load(o.program.real, o.which)),
        decoder(seq2seq::decoder(config,
                                 {.beam = o.beam,
                                  .weights = o.weights,
                                  .scores = o.scores || o.beam > 1,
                                  .ids = tokenizers.target.special()},
                                 with_backend(o.program))) {}

  bool reads_text() const { return seq2seq::ends(config).source.kind == data::SourceKind::tokens; }
  // Throws GraphError where the source is no place of what the model reads.
  data::EncodedExample encoded(const std::string& source, int64_t id) {
    data::EncodedExample e{.source = {}, .target = {}, .id = id};
    if (!reads_text())
      return with_features(std::move(e), reader.read(source), seq2seq::ends(config).source);
    e.source = tokenizers.source.encode(source);
    return e;
  }
  // Why it is not translated, or nothing.
  std::optional<std::string> refusal(const data::EncodedExample& e) const;
  std::optional<std::string> refusal(const std::string& source);

  TranslatorOptions options;
  seq2seq::Settings config;
  training::Tokenizers tokenizers;
  int64_t longest_trained;
  ParameterStore store;
  search::Decoder decoder;
  data::FeatureReader reader{seq2seq::ends(config).source};
  std::mutex asked;  // one search at a time
};

std::optional<std::string> Translator::Content::refusal(const data::EncodedExample& e) const {
  const int64_t n = e.source_length(), positions = decoder.traits.max_positions;
  const char* what = reads_text() ? "tokens" : "positions";
  if (n > kMostTokens)
    return ir::concat("has ", n, " ", what, ", at most ", kMostTokens, " are translated");
  if (positions > 0 && n > positions)
    return ir::concat("has ", n, " ", what, ", the model has ", positions, " positions");
  return std::nullopt;
}

std::optional<std::string> Translator::Content::refusal(const std::string& source) {
  if (is_blank(source)) return std::nullopt;
  try {
    return refusal(encoded(source, 0));
  } catch (const std::runtime_error& e) {
    return reads_text() ? std::string(e.what()) : ir::concat("names no features: ", e.what());
  }
}

Translator::Translator(const std::string& folder, const TranslatorOptions& options)
    : content_(std::make_unique<Content>(training::ModelFolder(folder), options)) {}
Translator::Translator(Translator&&) noexcept = default;
Translator::~Translator() = default;

const seq2seq::Settings& Translator::config() const { return content_->config; }
const training::Tokenizers& Translator::tokenizers() const { return content_->tokenizers; }
int64_t Translator::most_positions() const { return content_->decoder.traits.max_positions; }

std::string Translator::text_of(const search::Hypothesis& hypothesis) const {
  return tokenizers().target.decode(hypothesis.tokens);
}

Translator::Tokens Translator::tokens_of(const search::Hypothesis& hypothesis) const {
  return tokenizers().target.pieces(hypothesis.tokens);
}

std::optional<std::string> Translator::refusal(const std::string& source) const {
  const std::scoped_lock lock(content_->asked);
  return content_->refusal(source);
}

Translator::Tokens Translator::labels(const std::string& source) const {
  if (content_->reads_text()) return tokenizers().source.pieces(source);
  const std::scoped_lock lock(content_->asked);
  Tokens names;
  for (int64_t n = content_->encoded(source, 0).source_length(); std::ssize(names) < n;)
    names.push_back(std::to_string(names.size() + 1));
  return names;
}

Translator::Tokens Translator::unknown(const std::string& source) const {
  return content_->reads_text() ? tokenizers().source.unknown(source) : Tokens();
}

int64_t Translator::tokens_in(const std::string& source) const {
  const std::scoped_lock lock(content_->asked);
  if (is_blank(source) || content_->refusal(source)) return 0;
  return content_->encoded(source, 0).source_length();
}

int64_t Translator::longest_trained() const { return content_->longest_trained; }

std::vector<search::Hypotheses> Translator::search(std::span<const std::string> sources) {
  return search(sources, content_->options.search);
}

std::vector<search::Hypotheses> Translator::search(std::span<const std::string> sources,
                                                   const search::SearchOptions& options) {
  const std::scoped_lock lock(content_->asked);
  std::vector<data::EncodedExample> examples;
  std::vector<size_t> places;
  for (size_t i = 0; i < sources.size(); ++i) {
    if (is_blank(sources[i]) || content_->refusal(sources[i])) continue;
    data::EncodedExample e = content_->encoded(sources[i], static_cast<int64_t>(i));
    if (e.source_length() == 0) continue;
    examples.push_back(std::move(e));
    places.push_back(i);
  }
  std::vector<search::Hypotheses> results(sources.size());
  if (examples.empty()) return results;
  auto found = search::search(content_->decoder, content_->store, examples, kBatches, options);
  for (size_t i = 0; i < found.size(); ++i) results[places[i]] = std::move(found[i]);
  return results;
}

std::vector<std::string> Translator::translate(std::span<const std::string> lines) {
  for (size_t i = 0; i < lines.size(); ++i)
    if (const auto why = refusal(lines[i]))
      throw ir::GraphError(ir::concat("line ", i + 1, " ", *why));
  std::vector<std::string> results;
  for (const search::Hypotheses& found : search(lines))
    results.push_back(found.empty() ? "" : text_of(found.front()));
  return results;
}

std::string Translator::translate(const std::string& line) {
  return translate(std::span(&line, 1)).front();
}

}  // namespace weft
