// models/translator/translator.cpp -- loading, and search from words to hypotheses.
#include "models/translator/translator.h"

#include "backends/backend.h"
#include "ir/error.h"
#include "models/data/corpus.h"

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
        decoder(seq2seq::decoder(config, {.beam = o.beam, .weights = o.weights},
                                 with_backend(o.program))) {}

  TranslatorOptions options;
  seq2seq::Config config;
  training::Vocabularies vocabularies;
  ParameterStore store;
  search::Decoder decoder;
  std::mutex asked;  // one search at a time
  int64_t unknown_tokens = 0;
};

Translator::Translator(const std::string& folder, const TranslatorOptions& options)
    : content_(std::make_unique<Content>(training::ModelFolder(folder), options)) {}
Translator::Translator(Translator&&) noexcept = default;
Translator::~Translator() = default;

const seq2seq::Config& Translator::config() const { return content_->config; }
const training::Vocabularies& Translator::vocabularies() const { return content_->vocabularies; }
int64_t Translator::most_positions() const { return content_->decoder.limits.max_positions; }

int64_t Translator::unknown_tokens() const {
  const std::scoped_lock lock(content_->asked);
  return content_->unknown_tokens;
}

Translator::Tokens Translator::tokens_of(const search::Hypothesis& hypothesis) const {
  return vocabularies().target.decode(hypothesis.tokens);
}

std::optional<std::string> Translator::refusal(const Tokens& source) const {
  const auto n = std::ssize(source);
  if (n > kMostTokens)
    return ir::concat("has ", n, " tokens, at most ", kMostTokens, " are translated");
  if (const int64_t most = most_positions(); most > 0 && n > most)
    return ir::concat("has ", n, " tokens, the model has ", most, " positions");
  return std::nullopt;
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
    if (sources[i].empty() || refusal(sources[i])) continue;
    data::EncodedExample e{.source = vocabularies().source.encode(sources[i]),
                           .target = {},
                           .id = static_cast<int64_t>(i)};
    content_->unknown_tokens += std::count(e.source.begin(), e.source.end(), data::kUnk);
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
