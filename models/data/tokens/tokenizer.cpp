// models/data/tokens/tokenizer.cpp -- words and characters by a vocabulary, pieces by SentencePiece or as a
// published model has them.
#include "models/data/tokens/tokenizer.h"

#include "frontend/formats/atomic_file.h"
#include "frontend/formats/digest.h"
#include "frontend/formats/input_file.h"
#include "ir/check.h"
#include "ir/error.h"
#include "models/data/published/published_tokenizers.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace weft::data {
namespace {

using ir::concat;
using ir::GraphError;

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581, how SentencePiece writes a space
constexpr int64_t kSubwords = 8000;                  // where no size is given
constexpr int64_t kLargest = int64_t{1} << 30;       // bytes of a file with a published tokeniser

std::vector<std::string> split(TokenizerKind kind, std::string_view text) {
  return kind == TokenizerKind::words ? split_tokens(text) : split_characters(text);
}

std::string join(TokenizerKind kind, std::span<const std::string> tokens) {
  if (kind == TokenizerKind::words) return join_tokens(tokens);
  std::string text;
  for (const std::string& token : tokens) text += token == kSpace ? " " : token;
  return text;
}

Vocabulary vocabulary_of(const Subwords& s, const std::string& name) {
  std::vector<std::string> pieces;
  for (int32_t id = 0; id < s.size(); ++id) pieces.push_back(s.piece(id));
  return Vocabulary::from_tokens(std::move(pieces), name,
                                 {s.pad(), s.begin(), s.end(), s.unknown()});
}

}  // namespace

std::string_view name(TokenizerKind kind) { return settings::name_of(kTokenizerKinds, kind); }

bool has_subwords(TokenizerKind kind) {
  return kind != TokenizerKind::words && kind != TokenizerKind::characters;
}

Tokenizer::Tokenizer(TokenizerKind kind, Vocabulary vocabulary)
    : kind_(kind), vocabulary_(std::make_shared<const Vocabulary>(std::move(vocabulary))) {
  WEFT_CHECK(!has_subwords(kind));
}

Tokenizer::Tokenizer(TokenizerKind kind, Subwords subwords, const std::string& name)
    : kind_(kind),
      vocabulary_(std::make_shared<const Vocabulary>(vocabulary_of(subwords, name))),
      subwords_(std::move(subwords)) {
  WEFT_CHECK(kind == TokenizerKind::bpe || kind == TokenizerKind::unigram);
}

Tokenizer::Tokenizer(Vocabulary vocabulary, std::shared_ptr<const TokenCodec> codec)
    : kind_(TokenizerKind::published),
      vocabulary_(std::make_shared<const Vocabulary>(std::move(vocabulary))),
      codec_(std::move(codec)) {}

Tokenizer Tokenizer::train(const TokenizerSettings& s, const std::string& name,
                           const Sentences& next) {
  if (s.kind == TokenizerKind::published)
    throw GraphError(concat(name, ": tokens of a published model are not learnt from text"));
  if (has_subwords(s.kind)) {
    SubwordSettings settings{
        .kind = s.kind == TokenizerKind::bpe ? SubwordKind::bpe : SubwordKind::unigram,
        .size = s.size == 0 ? kSubwords : s.size,
        .coverage = s.coverage,
        .byte_fallback = s.byte_fallback,
        .symbols = s.symbols};
    try {
      return Tokenizer(s.kind, Subwords::train(settings, next), name);
    } catch (const GraphError& e) {
      throw GraphError(concat(name, ": ", e.what()));
    }
  }
  std::unordered_map<std::string, int64_t> seen;
  while (const auto sentence = next())
    for (std::string& token : split(s.kind, *sentence)) ++seen[std::move(token)];
  const TokenCounts counts(seen.begin(), seen.end());
  return Tokenizer(s.kind, Vocabulary::from_counts(counts, name, s.min_count, s.size));
}

Tokenizer Tokenizer::load(TokenizerKind kind, const std::string& path) {
  if (kind == TokenizerKind::published) {
    const formats::InputFile file(path);
    return read_published_tokenizer(file.read_text(0, file.size(kLargest)), path);
  }
  if (has_subwords(kind)) return Tokenizer(kind, Subwords::load(path), path);
  return Tokenizer(kind, Vocabulary::load(path));
}

void Tokenizer::save(const std::string& path) const {
  if (codec_)
    formats::write_file_atomically(path, codec_->serialized(special()));
  else if (subwords_)
    formats::write_file_atomically(path, subwords_->bytes());
  else
    vocabulary().save(path);
}

std::string_view Tokenizer::file_ending(TokenizerKind kind) {
  if (kind == TokenizerKind::published) return ".tokens";
  return has_subwords(kind) ? ".spm" : ".vocab";
}

Tokenizer Tokenizer::with_special(const SpecialIds& ids) const {
  if (vocabulary().special() == ids) return *this;
  Tokenizer other = *this;
  other.vocabulary_ = std::make_shared<const Vocabulary>(vocabulary().with_special(ids));
  return other;
}

const Vocabulary& Tokenizer::vocabulary() const {
  static const Vocabulary kNone;
  return vocabulary_ == nullptr ? kNone : *vocabulary_;
}

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
  if (codec_) return codec_->encode(text);
  return subwords_ ? subwords_->encode(text) : vocabulary().encode(split(kind_, text));
}

std::vector<std::string> Tokenizer::pieces(std::string_view text) const {
  if (codec_) return codec_->pieces(text);
  return subwords_ ? subwords_->pieces(text) : split(kind_, text);
}

std::vector<std::string> Tokenizer::unknown(std::string_view text) const {
  const std::vector<int32_t> ids = encode(text);
  std::vector<std::string> all = pieces(text), unknown;
  for (size_t i = 0; i < std::min(ids.size(), all.size()); ++i)
    if (ids[i] == special().unknown) unknown.push_back(std::move(all[i]));
  return unknown;
}

std::string Tokenizer::decode(std::span<const int32_t> ids) const {
  if (codec_) return codec_->decode(ids);
  if (!subwords_) return join(kind_, vocabulary().decode(ids));
  const SpecialIds& s = special();
  std::vector<int32_t> inner;
  for (const int32_t id : ids) {
    if (id == s.end) break;
    if (id != s.pad && id != s.begin) inner.push_back(id);
  }
  return subwords_->decode(inner);
}

std::vector<std::string> Tokenizer::pieces(std::span<const int32_t> ids) const {
  return vocabulary().decode(ids);
}

std::vector<int32_t> Tokenizer::resample(std::span<const int32_t> ids, double alpha, int64_t best,
                                         Random& random) const {
  if (codec_) return codec_->resample(ids, alpha, best, random);
  if (!subwords_) return {ids.begin(), ids.end()};
  return subwords_->resample(ids, alpha, random, best);
}

bool Tokenizer::operator==(const Tokenizer& other) const {
  if (kind_ != other.kind_ || subwords_.has_value() != other.subwords_.has_value()) return false;
  if (codec_)
    return special() == other.special() &&
           (codec_ == other.codec_ ||
            codec_->serialized(special()) == other.codec_->serialized(special()));
  return subwords_ ? subwords_->bytes() == other.subwords_->bytes()
                   : vocabulary() == other.vocabulary();
}

std::string Tokenizer::digest() const {
  formats::Digest digest;
  digest.add_text(data::name(kind_));
  if (codec_) digest.add_text(codec_->serialized(special()));
  if (subwords_) digest.add_text(subwords_->bytes());
  for (const std::string& token : vocabulary().tokens()) digest.add_text(token);
  const SpecialIds& s = special();
  for (const int32_t id : {s.pad, s.begin, s.end, s.unknown}) digest.add(&id, sizeof id);
  return digest.str();
}

std::vector<std::string> split_tokens(std::string_view text) {
  std::vector<std::string> tokens;
  for (size_t at = text.find_first_not_of(' '); at != std::string_view::npos;) {
    const size_t end = std::min(text.find(' ', at), text.size());
    tokens.emplace_back(text.substr(at, end - at));
    at = text.find_first_not_of(' ', end);
  }
  return tokens;
}

std::string join_tokens(std::span<const std::string> tokens) {
  std::string text;
  for (const std::string& token : tokens) text += (text.empty() ? "" : " ") + token;
  return text;
}

std::vector<std::string> split_characters(std::string_view text) {
  std::vector<std::string> tokens;
  bool space = false;
  for (const char c : text) {
    if (c == ' ') {
      space = !tokens.empty();
      continue;
    }
    if (std::exchange(space, false)) tokens.emplace_back(kSpace);
    const bool continues = (static_cast<unsigned char>(c) & 0xC0) == 0x80;
    if (!continues || tokens.empty()) tokens.emplace_back();
    tokens.back() += c;
  }
  return tokens;
}

}  // namespace weft::data
