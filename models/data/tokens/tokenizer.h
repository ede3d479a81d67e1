// models/data/tokens/tokenizer.h -- text to ids and back: what stands between a user's text and a model.
//
//   words        tokens separated by spaces: text that is cut already
//   characters   code points; a space is the token U+2581, as SentencePiece writes it
//   bpe          pieces of a SentencePiece model (Sennrich et al. 2016)
//   unigram      pieces of a SentencePiece model (Kudo 2018)
//   published    as a model of a hub has it (models/data/published/published_tokenizers.h); not learnt
//
//   const Tokenizer t = Tokenizer::train({.kind = TokenizerKind::bpe, .size = 8000}, "source", next);
//   t.decode(t.encode("Two dogs play."));           // "Two dogs play."
//
// Copies share what they hold; one object may be used by many threads at once.
#pragma once
#include "models/data/tokens/subwords.h"
#include "models/data/tokens/token_codec.h"
#include "models/data/tokens/vocabulary.h"
#include "models/settings/fields.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::data {

enum class TokenizerKind { words, characters, bpe, unigram, published };
// Those that are learnt from text.
inline constexpr settings::Choices<TokenizerKind, 4> kLearntTokenizerKinds{
    {{"words", TokenizerKind::words},
     {"characters", TokenizerKind::characters},
     {"bpe", TokenizerKind::bpe},
     {"unigram", TokenizerKind::unigram}}};
inline constexpr settings::Choices<TokenizerKind, 5> kTokenizerKinds{
    {{"words", TokenizerKind::words},
     {"characters", TokenizerKind::characters},
     {"bpe", TokenizerKind::bpe},
     {"unigram", TokenizerKind::unigram},
     {"published", TokenizerKind::published}}};
std::string_view name(TokenizerKind kind);
// Are its tokens pieces of words?
bool has_subwords(TokenizerKind kind);

struct TokenizerSettings {
  TokenizerKind kind = TokenizerKind::words;
  // Ids, the special ones included. Of words and characters at most so many, 0: no limit. Of bpe and
  // unigram exactly so many, 0: 8000.
  int64_t size = 0;
  int64_t min_count = 1;  // words, characters: rarer ones are unknown
  double coverage = 1.0;  // the others, as models/data/tokens/subwords.h has them
  bool byte_fallback = true;
  std::vector<std::string> symbols;
};

class Tokenizer {
 public:
  using Sentences = std::function<std::optional<std::string>()>;  // one after the other

  // Of a side without text: an empty vocabulary.
  Tokenizer() = default;
  // words or characters
  Tokenizer(TokenizerKind kind, Vocabulary vocabulary);
  // bpe or unigram. GraphError where the model has no end of a sentence.
  Tokenizer(TokenizerKind kind, Subwords subwords, const std::string& name);
  // published
  Tokenizer(Vocabulary vocabulary, std::shared_ptr<const TokenCodec> codec);

  // Learnt from text. `name` ("source vocabulary") stands in errors. Throws GraphError where the text
  // does not yield what is asked for.
  static Tokenizer train(const TokenizerSettings& settings, const std::string& name,
                         const Sentences& next);
  // As `save` wrote it.
  static Tokenizer load(TokenizerKind kind, const std::string& path);
  void save(const std::string& path) const;
  // What such a file's name ends in: ".vocab", ".spm", ".tokens".
  static std::string_view file_ending(TokenizerKind kind);

  TokenizerKind kind() const { return kind_; }
  const Vocabulary& vocabulary() const;  // the pieces, and the special ids
  int64_t size() const { return vocabulary().size(); }
  const SpecialIds& special() const { return vocabulary().special(); }
  // The same with other special ids: of a published model, whose configuration has the last word.
  Tokenizer with_special(const SpecialIds& ids) const;

  // Without begin and end; of a published model with what it has around a text. GraphError where something is unknown to a vocabulary that has no token
  // for that.
  std::vector<int32_t> encode(std::string_view text) const;
  // The same, as they are spelled in the text: one for each id.
  std::vector<std::string> pieces(std::string_view text) const;
  // Those of them that are unknown.
  std::vector<std::string> unknown(std::string_view text) const;
  // Stops before the end; leaves out padding and beginnings; of a published model all special tokens.
  std::string decode(std::span<const int32_t> ids) const;
  // The same, as the vocabulary spells them: one for each id that is decoded.
  std::vector<std::string> pieces(std::span<const int32_t> ids) const;

  // Subword regularisation: other pieces of the text that `ids` is, drawn from `random` only.
  // `alpha` and `best` as in models/data/tokens/subwords.h; words and characters stay as they are.
  std::vector<int32_t> resample(std::span<const int32_t> ids, double alpha, int64_t best,
                                Random& random) const;

  bool operator==(const Tokenizer& other) const;
  // 16 hexadecimal digits of all that its ids depend on.
  std::string digest() const;

 private:
  TokenizerKind kind_ = TokenizerKind::words;
  std::shared_ptr<const Vocabulary> vocabulary_;
  std::optional<Subwords> subwords_;
  std::shared_ptr<const TokenCodec> codec_;
};

// "a  b c" -> {"a", "b", "c"}: cut at spaces, empty pieces dropped.
std::vector<std::string> split_tokens(std::string_view text);
std::string join_tokens(std::span<const std::string> tokens);
// Code points; runs of spaces are one U+2581, none at the ends.
std::vector<std::string> split_characters(std::string_view text);

}  // namespace weft::data
