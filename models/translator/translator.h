// models/translator/translator.h -- a trained model, ready to be asked: text in, text out.
//
//   Translator translator("pronounce", {.beam = 5});
//   translator.translate("w o r d");                  // "W ER1 D"
//
// What a text is cut into belongs to the model (models/data/tokens/tokenizer.h): models of words take and
// give tokens separated by spaces, all others raw text.
//
// A folder may be one as a model hub publishes it (models/published/folder.h); it says itself how it
// is to be asked: translator_options.
//
// Several models that have the same vocabularies choose together (search_options.h, ensemble_mean).
//
// What a translator says of a source does not depend on what else it is asked. Several threads may
// ask one translator, which answers them one after the other; translators of their own answer at
// the same time.
#pragma once
#include "frontend/compile/session.h"
#include "models/search/beam_search.h"
#include "models/training/folder/model_folder.h"
#include "models/translator/opened_model.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

struct TranslatorOptions {
  int64_t beam = 1;      // beginnings that are kept at every step; 1: greedy search
  bool weights = false;  // hypotheses come with what the decoder looked at
  bool scores = true;    // off: of a greedy search nobody wants them, they are NaN
  training::Which which = training::Which::either;
  search::SearchOptions search;
  // Longer sources are refused; 0: those longer than the model has positions, or, where it has any
  // number of them, than 1,000 tokens and four times the longest it was trained on.
  int64_t max_source_tokens = 0;
  Languages languages;     // of published models for many
  std::string adapter;     // of the first model: its folder; empty: none
  ProgramOptions program;  // without a backend: onednn
};

// What a folder asks for itself: of a published model beam and search as it says, else the defaults.
TranslatorOptions translator_options(const std::string& folder, const Languages& languages = {});

class Translator {
 public:
  using Tokens = std::vector<std::string>;

  // `folder`: of a model. Throws GraphError or RuntimeError that begin with the file at fault.
  explicit Translator(const std::string& folder);  // asked as translator_options says
  explicit Translator(const std::string& folder, const TranslatorOptions& options);
  // GraphError where a vocabulary of theirs differs, or what they read.
  explicit Translator(std::span<const std::string> folders, const TranslatorOptions& options = {});
  Translator(Translator&&) noexcept;
  ~Translator();

  // Of an empty line, an empty one; GraphError of one that is refused.
  std::string translate(const std::string& line);
  std::vector<std::string> translate(std::span<const std::string> lines);
  // Tells `write` the text piece by piece as soon as it will not change: token by token in greedy
  // search, as far as all hypotheses agree in a beam. The pieces together are the result.
  std::string translate(const std::string& line,
                        const std::function<void(std::string_view)>& write);

  // The best hypotheses of each source, a text; of an empty or a refused one none. Where the model
  // reads no tokens, a source is the place of an array (models/data/features/features.h).
  std::vector<search::Hypotheses> search(std::span<const std::string> sources);
  std::vector<search::Hypotheses> search(std::span<const std::string> sources,
                                         const search::SearchOptions& options);
  // Demands, and what the observer is told of, are by source; of a refused one it is not told.
  std::vector<search::Hypotheses> search(std::span<const std::string> sources,
                                         const search::SearchOptions& options,
                                         const search::Requests& requests);
  // Of each source and a target of it, a text of the target as `phrase` has it: the log-probabilities
  // of its tokens, </s> the last, each behind those before; several models' means, as a search has
  // them. Of an empty or a refused source, none. Whole targets go through the model at once: numbers
  // are those of a search to rounding (1e-4 in f32). GraphError where a target has more tokens than
  // the model positions.
  std::vector<std::vector<double>> score(std::span<const std::string> sources,
                                         std::span<const search::Phrase> targets);
  // Text of the target as ids, for prefixes, phrases and bad words. GraphError naming what the model
  // does not know.
  search::Phrase phrase(const std::string& text) const;
  std::string text_of(const search::Hypothesis& hypothesis) const;
  Tokens tokens_of(const search::Hypothesis& hypothesis) const;  // words, characters or pieces
  Tokens tokens_of(std::span<const int32_t> target) const;       // the same

  // Of the first model: what every layer looked at while it made a hypothesis of a source, by layer
  // f32[heads,tokens with </s>,positions]; nothing for families without layers and heads.
  std::vector<ir::Array> layer_weights(const std::string& source,
                                       const search::Hypothesis& hypothesis);

  // What its users should know: that an adapter was trained on another model, say.
  const std::vector<std::string>& remarks() const;

  // How its positions are called: its tokens, or numbers of frames or patches.
  Tokens labels(const std::string& source) const;
  // What it reads in the place of tokens: frames f32[n,F] as they were before any were stacked, or an
  // image f32[H,W,C]; nothing where the source is text.
  std::optional<ir::Array> features(const std::string& source) const;
  // Its tokens that the model does not know.
  Tokens unknown(const std::string& source) const;
  // How many it is; 0 of one that is refused.
  int64_t tokens_in(const std::string& source) const;
  // Tokens of the longest source the model was trained on; 0: not known.
  int64_t longest_trained() const;

  // Why a source is not translated, "has 1200 tokens, at most ...", or nothing.
  std::optional<std::string> refusal(const std::string& source) const;
  // Positions of a source, and of a target with </s>; 0: no limit.
  int64_t most_positions() const;
  int64_t most_source_tokens() const;  // of a source that is not refused
  int64_t most_target_positions() const;

  const seq2seq::Settings& config() const;
  const training::Tokenizers& tokenizers() const;

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

}  // namespace weft
