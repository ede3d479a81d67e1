// models/translator/translator.cpp -- loading, and search from words to hypotheses.
#include "models/translator/translator.h"

#include "backends/backend.h"
#include "ir/error.h"
#include "models/data/corpus.h"
#include "models/data/features/features.h"
#include "models/training/batches/example_batches.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <utility>

namespace weft {
namespace {

// Of a source, where the model sets no limit: whatever it was trained on, and what goes well beyond.
constexpr int64_t kMostTokens = 1000, kBeyondTraining = 4;
constexpr data::BatchOptions kBatches{.max_rows = 128, .max_tokens = 16384, .round_source = 8};
// Of each target token there is a distribution over the vocabulary.
constexpr data::BatchOptions kScored{.max_rows = 64,
                                     .max_tokens = 2048,
                                     .round_source = 8,
                                     .round_target = 8,
                                     .one_source_width = true};

bool is_blank(const std::string& text) { return text.find_first_not_of(' ') == text.npos; }

ProgramOptions with_backend(ProgramOptions options) {
  if (options.backend == nullptr) options.backend = backends::make_onednn();
  return options;
}

// One of those that choose together, with the decoders asked for so far.
class Voice {
 public:
  Voice(OpenedModel model, const ProgramOptions& program)
      : config_(std::move(model.config)),
        tokenizers_(std::move(model.tokenizers)),
        store_(std::move(model.parameters)),
        program_(program) {}

  const seq2seq::Settings& config() const { return config_; }
  const training::Tokenizers& tokenizers() const { return tokenizers_; }
  search::Member member(const search::StepOptions& step) {
    for (const auto& [known, decoder] : decoders_)
      if (known == step) return {decoder.get(), &store_};
    decoders_.emplace_back(
        step, std::make_unique<search::Decoder>(seq2seq::decoder(config_, step, program_)));
    return {decoders_.back().second.get(), &store_};
  }
  ir::NamedArrays attention(const data::Batch& batch) {
    if (!attention_) attention_ = Program::inference(seq2seq::attention_graph(config_), program_);
    return attention_->run(store_, training::inputs_of(batch));
  }

  // -log P of each target token: f32[B,T]
  ir::Array token_losses(const data::Batch& batch) {
    if (!score_) score_ = Program::inference(seq2seq::score_graph(config_), program_);
    return score_->run(store_, training::inputs_of(batch)).at("token_losses");
  }

 private:
  seq2seq::Settings config_;
  training::Tokenizers tokenizers_;
  ParameterStore store_;
  ProgramOptions program_;
  std::vector<std::pair<search::StepOptions, std::unique_ptr<search::Decoder>>> decoders_;
  std::optional<Program> attention_, score_;
};

}  // namespace

struct Translator::Content {
  Content(std::span<const std::string> folders, const TranslatorOptions& o) : options(o) {
    if (folders.empty()) throw ir::GraphError("a translator needs a model's folder");
    options.program = with_backend(o.program);
    for (const std::string& folder : folders) {
      OpenedModel model = open_model(folder, o.which, o.program.real, o.languages,
                                     voices.empty() ? o.adapter : std::string());
      remarks.insert(remarks.end(), model.remarks.begin(), model.remarks.end());
      if (const int64_t n = model.longest_source; n > 0)
        longest_trained = longest_trained == 0 ? n : std::min(longest_trained, n);
      voices.push_back(std::make_unique<Voice>(std::move(model), options.program));
      const Voice &first = *voices.front(), &last = *voices.back();
      if (first.tokenizers() != last.tokenizers() ||
          seq2seq::ends(first.config()).source != seq2seq::ends(last.config()).source)
        throw ir::GraphError(ir::concat(folder, ": the model's vocabularies are not those of ",
                                        folders.front(), ", with which it should choose"));
    }
    reader.emplace(seq2seq::ends(config()).source);
  }

  const seq2seq::Settings& config() const { return voices.front()->config(); }
  const training::Tokenizers& tokenizers() const { return voices.front()->tokenizers(); }
  int64_t most_positions() const { return least(seq2seq::most_positions); }
  int64_t most_target_positions() const { return least(seq2seq::most_target_positions); }
  // Of a number of positions, 0 where there is no limit, that of the model that has fewest.
  int64_t least(int64_t (*positions)(const seq2seq::Settings&)) const {
    int64_t most = 0;
    for (const auto& voice : voices)
      if (const int64_t n = positions(voice->config()); n > 0)
        most = most == 0 ? n : std::min(most, n);
    return most;
  }

  int64_t most_source_tokens() const {
    const int64_t positions = most_positions(), asked = options.max_source_tokens;
    if (positions > 0) return asked > 0 ? std::min(asked, positions) : positions;
    return asked > 0 ? asked : std::max(kMostTokens, kBeyondTraining * longest_trained);
  }

  bool reads_text() const {
    return seq2seq::ends(config()).source.kind == data::SourceKind::tokens;
  }
  // Throws GraphError where the source is no place of what the model reads.
  data::EncodedExample encoded(const std::string& source, int64_t id) {
    data::EncodedExample e{.source = {}, .target = {}, .id = id};
    if (!reads_text())
      return with_features(std::move(e), reader->read(source), seq2seq::ends(config()).source);
    if (source != last_source) {
      last_tokens = tokenizers().source.encode(source);
      last_source = source;
    }
    e.source = last_tokens;
    return e;
  }
  // Why it is not translated, or nothing.
  std::optional<std::string> refusal(const data::EncodedExample& e) const;
  std::optional<std::string> refusal(const std::string& source);

  std::vector<search::Member> members(const search::SearchOptions& o,
                                      std::span<const search::Demands> demands) {
    const bool demanding = std::any_of(demands.begin(), demands.end(),
                                       [](const search::Demands& d) { return !d.empty(); });
    const bool whole = search::need_distribution(o) || demanding || voices.size() > 1;
    const bool scores = options.scores || options.beam > 1 || whole || o.coverage_penalty > 0;
    std::vector<search::Member> list;
    for (const auto& voice : voices)
      list.push_back(voice->member({.beam = options.beam,
                                    .weights = options.weights || o.coverage_penalty > 0,
                                    .scores = scores,
                                    .log_probabilities = whole,
                                    .normalizer = search::need_normalizer(o, options.beam),
                                    .ids = tokenizers().target.special()}));
    return list;
  }

  TranslatorOptions options;
  std::vector<std::string> remarks;
  int64_t longest_trained = 0;  // of them the least; 0: not known
  std::vector<std::unique_ptr<Voice>> voices;
  std::optional<data::FeatureReader> reader;
  // The text encoded last: whoever translates it asks first whether it can be, and how long it is.
  std::optional<std::string> last_source;
  std::vector<int32_t> last_tokens;
  std::mutex asked;  // one search at a time
};

std::optional<std::string> Translator::Content::refusal(const data::EncodedExample& e) const {
  const int64_t n = e.source_length(), positions = most_positions(), most = most_source_tokens();
  if (n <= most) return std::nullopt;
  const char* what = reads_text() ? "tokens" : "positions";
  if (most == positions)
    return ir::concat("has ", n, " ", what, ", the model has ", positions, " positions");
  return ir::concat("has ", n, " ", what, ", at most ", most,
                    " are accepted; max_source_tokens sets how many");
}

std::optional<std::string> Translator::Content::refusal(const std::string& source) {
  if (is_blank(source)) return std::nullopt;
  // As training refuses it. ASCII in UTF-16 is UTF-8 too, with one of these behind each letter.
  if (const size_t zero = source.find('\0'); reads_text() && zero != source.npos)
    return ir::concat("has the control character 0 at byte ", zero + 1,
                      "; text is UTF-8, in UTF-16 there are such ones");
  try {
    return refusal(encoded(source, 0));
  } catch (const std::runtime_error& e) {
    return reads_text() ? std::string(e.what()) : ir::concat("names no features: ", e.what());
  }
}

TranslatorOptions translator_options(const std::string& folder, const Languages& languages) {
  TranslatorOptions options;
  options.languages = languages;
  if (const auto generation = published_generation(folder, languages)) {
    options.beam = generation->beam;
    options.search = generation->search;
  }
  return options;
}

Translator::Translator(const std::string& folder)
    : Translator(folder, translator_options(folder)) {}
Translator::Translator(const std::string& folder, const TranslatorOptions& options)
    : Translator(std::span(&folder, 1), options) {}
Translator::Translator(std::span<const std::string> folders, const TranslatorOptions& options)
    : content_(std::make_unique<Content>(folders, options)) {}
Translator::Translator(Translator&&) noexcept = default;
Translator::~Translator() = default;

const seq2seq::Settings& Translator::config() const { return content_->config(); }
const training::Tokenizers& Translator::tokenizers() const { return content_->tokenizers(); }
int64_t Translator::most_positions() const { return content_->most_positions(); }
int64_t Translator::most_source_tokens() const { return content_->most_source_tokens(); }
int64_t Translator::most_target_positions() const { return content_->most_target_positions(); }

std::string Translator::text_of(const search::Hypothesis& hypothesis) const {
  return tokenizers().target.decode(hypothesis.tokens);
}

Translator::Tokens Translator::tokens_of(const search::Hypothesis& hypothesis) const {
  return tokens_of(hypothesis.tokens);
}

Translator::Tokens Translator::tokens_of(std::span<const int32_t> target) const {
  return tokenizers().target.pieces(target);
}

std::optional<std::string> Translator::refusal(const std::string& source) const {
  const std::scoped_lock lock(content_->asked);
  return content_->refusal(source);
}

std::vector<ir::Array> Translator::layer_weights(const std::string& source,
                                                 const search::Hypothesis& hypothesis) {
  const std::scoped_lock lock(content_->asked);
  std::vector<data::EncodedExample> one{content_->encoded(source, 0)};
  one.front().target = hypothesis.tokens;
  data::BatchOptions batch = kBatches;
  batch.round_target = 8;
  batch.widest = most_positions();
  batch.target_ids = tokenizers().target.special();
  const auto found =
      content_->voices.front()->attention(data::make_batch(one, std::vector<int64_t>{0}, batch));
  const auto rows = std::ssize(hypothesis.tokens) + (hypothesis.ended ? 1 : 0),
             columns = one.front().source_length();
  std::vector<ir::Array> layers;
  while (const ir::Array* all = found.find(ir::concat("weights.", layers.size()))) {
    ir::Array& layer = layers.emplace_back(ir::DType::f32, ir::Dims{all->dim(1), rows, columns});
    int64_t to = 0;
    for (int64_t h = 0; h < all->dim(1); ++h)
      for (int64_t t = 0; t < rows; ++t)
        for (int64_t s = 0; s < columns; ++s)
          layer.set(to++, all->at((h * all->dim(2) + t) * all->dim(3) + s));
  }
  return layers;
}

Translator::Tokens Translator::labels(const std::string& source) const {
  if (content_->reads_text()) return tokenizers().source.pieces(source);
  const std::scoped_lock lock(content_->asked);
  Tokens names;
  const int64_t n = content_->encoded(source, 0).source_length();
  for (int64_t i = 0; i < n; i += seq2seq::reduction(config()))
    names.push_back(std::to_string(i + 1));
  return names;
}

std::optional<ir::Array> Translator::features(const std::string& source) const {
  if (content_->reads_text()) return std::nullopt;
  const std::scoped_lock lock(content_->asked);
  const ir::Array x = content_->encoded(source, 0).features;
  const int64_t stack = seq2seq::ends(config()).source.stack;
  if (x.rank() != 2 || stack == 1) return x;
  return x.reshaped({x.dim(0) * stack, x.dim(1) / stack});
}

Translator::Tokens Translator::unknown(const std::string& source) const {
  return content_->reads_text() ? tokenizers().source.unknown(source) : Tokens();
}

int64_t Translator::tokens_in(const std::string& source) const {
  const std::scoped_lock lock(content_->asked);
  if (is_blank(source) || content_->refusal(source)) return 0;
  return content_->encoded(source, 0).source_length();
}

const std::vector<std::string>& Translator::remarks() const { return content_->remarks; }

int64_t Translator::longest_trained() const { return content_->longest_trained; }

std::vector<search::Hypotheses> Translator::search(std::span<const std::string> sources) {
  return search(sources, content_->options.search);
}

std::vector<search::Hypotheses> Translator::search(std::span<const std::string> sources,
                                                   const search::SearchOptions& options) {
  return search(sources, options, {});
}

std::vector<search::Hypotheses> Translator::search(std::span<const std::string> sources,
                                                   const search::SearchOptions& options,
                                                   const search::Requests& requests) {
  const std::scoped_lock lock(content_->asked);
  std::vector<data::EncodedExample> examples;
  std::vector<search::Demands> demands;
  std::vector<size_t> places;
  for (size_t i = 0; i < sources.size(); ++i) {
    if (is_blank(sources[i]) || content_->refusal(sources[i])) continue;
    data::EncodedExample e = content_->encoded(sources[i], static_cast<int64_t>(i));
    if (e.source_length() == 0) continue;
    examples.push_back(std::move(e));
    places.push_back(i);
    if (!requests.demands.empty()) demands.push_back(requests.demands[i]);
  }
  std::vector<search::Hypotheses> results(sources.size());
  if (examples.empty()) return results;
  search::Requests of_examples{.demands = demands};
  if (requests.observer)
    of_examples.observer = [&](int64_t at, std::span<const int32_t> tokens, bool done) {
      requests.observer(static_cast<int64_t>(places[static_cast<size_t>(at)]), tokens, done);
    };
  auto found =
      search::search(content_->members(options, demands), examples, kBatches, options, of_examples);
  for (size_t i = 0; i < found.size(); ++i) results[places[i]] = std::move(found[i]);
  return results;
}

std::vector<std::vector<double>> Translator::score(std::span<const std::string> sources,
                                                   std::span<const search::Phrase> targets) {
  if (sources.size() != targets.size())
    throw ir::GraphError(
        ir::concat("there are ", targets.size(), " targets for ", sources.size(), " sources"));
  const std::scoped_lock lock(content_->asked);
  std::vector<data::EncodedExample> pairs;
  const int64_t positions = content_->most_target_positions();
  for (size_t i = 0; i < sources.size(); ++i) {
    if (is_blank(sources[i]) || content_->refusal(sources[i])) continue;
    data::EncodedExample e = content_->encoded(sources[i], static_cast<int64_t>(i));
    if (e.source_length() == 0) continue;
    e.target = targets[i];
    if (positions > 0 && std::ssize(e.target) + 1 > positions)
      throw ir::GraphError(ir::concat("target ", i + 1, " has ", e.target.size() + 1,
                                      " tokens with </s>, the model has ", positions,
                                      " positions"));
    pairs.push_back(std::move(e));
  }
  std::vector<std::vector<double>> scores(sources.size());
  if (pairs.empty()) return scores;
  data::BatchOptions options = kScored;
  options.widest = content_->most_positions();
  options.target_ids = tokenizers().target.special();
  const bool logs =
      content_->options.search.ensemble_mean == search::EnsembleMean::log_probabilities;
  for (const std::vector<int64_t>& rows : data::plan_in_order(pairs, options)) {
    const data::Batch batch = data::make_batch(pairs, rows, options);
    std::vector<ir::Array> losses;
    for (const auto& voice : content_->voices) losses.push_back(voice->token_losses(batch));
    const auto models = static_cast<double>(losses.size());
    for (int64_t row = 0; row < batch.rows(); ++row) {
      std::vector<double>& of = scores[static_cast<size_t>(batch.row_ids.integer_at(row))];
      for (int64_t t = 0; t < batch.target_lengths.integer_at(row); ++t) {
        double sum = 0;
        for (const ir::Array& l : losses) {
          const double log_probability = -l.at(row * l.dim(1) + t);
          sum += logs ? log_probability : std::exp(log_probability);
        }
        of.push_back(logs ? sum / models : std::log(sum / models));
      }
    }
  }
  return scores;
}

search::Phrase Translator::phrase(const std::string& text) const {
  if (const Tokens unknown = tokenizers().target.unknown(text); !unknown.empty())
    throw ir::GraphError(
        ir::concat("'", unknown.front(), "' is not in the model's target vocabulary"));
  return tokenizers().target.encode(text);
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

std::string Translator::translate(const std::string& line,
                                  const std::function<void(std::string_view)>& write) {
  if (const auto why = refusal(line)) throw ir::GraphError("the source " + *why);
  std::string written;
  const auto go_on = [&](const std::string& text) {
    if (!text.starts_with(written)) return;
    write(std::string_view(text).substr(written.size()));
    written = text;
  };
  const auto found = search(std::span(&line, 1), content_->options.search,
                            {.observer = [&](int64_t, std::span<const int32_t> tokens, bool done) {
                              const std::string text = tokenizers().target.decode(tokens);
                              // Bytes of a character that is not whole yet are spelled U+FFFD.
                              if (!done && !text.ends_with("\xEF\xBF\xBD")) go_on(text);
                            }});
  const std::string text = found.front().empty() ? "" : text_of(found.front().front());
  go_on(text);
  return text;
}

}  // namespace weft
