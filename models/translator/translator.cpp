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

ProgramOptions with_backend(ProgramOptions options) {
  if (options.backend == nullptr) options.backend = backends::make_onednn();
  return options;
}

}  // namespace

struct Translator::Content {
  Content(const training::ModelFolder& folder, const TranslatorOptions& o)
      : options(o),
        config(folder.config()),
        vocabularies(folder.vocabularies()),
        store(folder.load(o.program.real, o.which)),
        decoder(seq2seq::decoder(
            config, {.beam = o.beam, .weights = o.weights, .ids = vocabularies.target.special()},
            with_backend(o.program))) {}

  std::optional<std::string> refusal(const Tokens& source);
  // Throws GraphError where the source is no place of what the model reads.
  data::EncodedExample encoded(const Tokens& source, int64_t id) {
    data::EncodedExample e{.source = {}, .target = {}, .id = id};
    const data::Source kind = seq2seq::ends(config).source;
    if (kind.kind != data::SourceKind::tokens)
      return with_features(std::move(e), reader.read(data::join_tokens(source)), kind);
    e.source = vocabularies.source.encode(source);
    return e;
  }

  TranslatorOptions options;
  seq2seq::Settings config;
  training::Vocabularies vocabularies;
  ParameterStore store;
  search::Decoder decoder;
  data::FeatureReader reader{seq2seq::ends(config).source.kind};
  std::mutex asked;  // one search at a time
  int64_t unknown_tokens = 0;
};

Translator::Translator(const std::string& folder, const TranslatorOptions& options)
    : content_(std::make_unique<Content>(training::ModelFolder(folder), options)) {}
Translator::Translator(Translator&&) noexcept = default;
Translator::~Translator() = default;

const seq2seq::Settings& Translator::config() const { return content_->config; }
const training::Vocabularies& Translator::vocabularies() const { return content_->vocabularies; }
int64_t Translator::most_positions() const { return content_->decoder.traits.max_positions; }

int64_t Translator::unknown_tokens() const {
  const std::scoped_lock lock(content_->asked);
  return content_->unknown_tokens;
}

Translator::Tokens Translator::tokens_of(const search::Hypothesis& hypothesis) const {
  return vocabularies().target.decode(hypothesis.tokens);
}

std::optional<std::string> Translator::refusal(const Tokens& source) const {
  const std::scoped_lock lock(content_->asked);
  return content_->refusal(source);
}

std::optional<std::string> Translator::Content::refusal(const Tokens& source) {
  if (source.empty()) return std::nullopt;
  int64_t n = std::ssize(source);
  const char* what = "tokens";
  if (seq2seq::ends(config).source.kind != data::SourceKind::tokens) {
    what = "positions";
    try {
      n = encoded(source, 0).source_length();
    } catch (const std::runtime_error& e) {
      return ir::concat("names no features: ", e.what());
    }
  }
  if (n > kMostTokens)
    return ir::concat("has ", n, " ", what, ", at most ", kMostTokens, " are translated");
  if (const int64_t most = decoder.traits.max_positions; most > 0 && n > most)
    return ir::concat("has ", n, " ", what, ", the model has ", most, " positions");
  return std::nullopt;
}

Translator::Tokens Translator::labels(const Tokens& source) const {
  if (seq2seq::ends(config()).source.kind == data::SourceKind::tokens) return source;
  const std::scoped_lock lock(content_->asked);
  Tokens names;
  for (int64_t n = content_->encoded(source, 0).source_length(); std::ssize(names) < n;)
    names.push_back(std::to_string(names.size() + 1));
  return names;
}

std::vector<search::Hypotheses> Translator::search(std::span<const Tokens> sources) {
  return search(sources, content_->options.search);
}

std::vector<search::Hypotheses> Translator::search(std::span<const Tokens> sources,
                                                   const search::SearchOptions& options) {
  const std::scoped_lock lock(content_->asked);
  std::vector<data::EncodedExample> examples;
  std::vector<size_t> places;
  for (size_t i = 0; i < sources.size(); ++i) {
    if (sources[i].empty() || content_->refusal(sources[i])) continue;
    data::EncodedExample e = content_->encoded(sources[i], static_cast<int64_t>(i));
    content_->unknown_tokens +=
        std::count(e.source.begin(), e.source.end(), vocabularies().source.special().unknown);
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
  std::vector<Tokens> sources;
  for (const std::string& line : lines) {
    sources.push_back(data::split_tokens(line));
    if (const auto why = refusal(sources.back()))
      throw ir::GraphError(ir::concat("line ", sources.size(), " ", *why));
  }
  std::vector<std::string> results;
  for (const search::Hypotheses& found : search(sources))
    results.push_back(found.empty() ? "" : data::join_tokens(tokens_of(found.front())));
  return results;
}

std::string Translator::translate(const std::string& line) {
  return translate(std::span(&line, 1)).front();
}

}  // namespace weft
