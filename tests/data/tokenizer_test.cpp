// tests/data/tokenizer_test.cpp -- text to ids and back, by words, characters and pieces.
#include "models/data/tokens/tokenizer.h"

#include "ir/error.h"
#include "models/data/example_store.h"
#include "models/data/tokens/subword_sampling.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

#include <set>

namespace weft::data {
namespace {

using Ids = std::vector<int32_t>;
using Tokens = std::vector<std::string>;

Tokenizer::Sentences text_of(const Tokens& sentences) {
  return [sentences, i = size_t{0}]() mutable -> std::optional<std::string> {
    return i < sentences.size() ? std::optional(sentences[i++]) : std::nullopt;
  };
}

Tokens little_corpus() {
  Tokens sentences;
  for (int i = 0; i < 40; ++i) {
    sentences.push_back("the lower tower is newer than the lowest tower " + std::to_string(i % 7));
    sentences.push_back("a slow flower grows where the wind blows, Größe " + std::to_string(i % 5));
  }
  return sentences;
}

Tokenizer little(TokenizerKind kind, bool byte_fallback = true) {
  return Tokenizer::train({.kind = kind,
                           .size = has_subwords(kind) ? (byte_fallback ? 300 : 40) : 0,
                           .byte_fallback = byte_fallback},
                          "little", text_of(little_corpus()));
}

constexpr TokenizerKind kAll[] = {TokenizerKind::words, TokenizerKind::characters,
                                  TokenizerKind::bpe, TokenizerKind::unigram};

TEST_CASE("tokenizer: text goes through ids and comes back, by every kind") {
  for (const TokenizerKind kind : kAll) {
    CAPTURE(name(kind));
    const Tokenizer t = little(kind);
    CHECK(t.kind() == kind);
    const std::string text = "the slow tower grows, Größe 3";
    const std::string cut = kind == TokenizerKind::words ? "the slow tower grows" : text;
    const Ids ids = t.encode(cut);
    CHECK(t.decode(ids) == cut);
    CHECK(t.pieces(cut).size() == ids.size());
    CHECK(t.pieces(ids) == t.pieces(cut));
    CHECK(t.unknown(cut).empty());
    Ids padded = ids;
    padded.insert(padded.begin(), t.special().begin);
    padded.insert(padded.end(), {t.special().end, t.special().pad, ids.front()});
    CHECK(t.decode(padded) == cut);
    CHECK(t.encode("").empty());
    CHECK(t.encode("   ").empty());
    CHECK(t.decode({}).empty());
  }
}

TEST_CASE("tokenizer: characters are code points, and a space is one of them") {
  const Tokenizer t =
      Tokenizer::train({.kind = TokenizerKind::characters}, "c", text_of({"größe an", "an n"}));
  CHECK(t.pieces("  an   ö") == Tokens{"a", "n", "\xE2\x96\x81", "ö"});
  CHECK(t.decode(t.encode("  an   ö ")) == "an ö");
  CHECK(t.unknown("an x") == Tokens{"x"});
}

TEST_CASE("tokenizer: what is unknown is named as the text has it") {
  CHECK(little(TokenizerKind::words).unknown("the big tower") == Tokens{"big"});
  const Tokenizer t = little(TokenizerKind::bpe, false);
  CHECK(t.unknown("the tower \xE6\x97\xA5") == Tokens{"\xE6\x97\xA5"});
  CHECK(little(TokenizerKind::bpe).unknown("the tower \xE6\x97\xA5").empty());
}

TEST_CASE("tokenizer: a saved one is the same") {
  const tests::TemporaryFolder folder;
  for (const TokenizerKind kind : kAll) {
    CAPTURE(name(kind));
    const Tokenizer t = little(kind);
    const std::string path = folder / "side" + std::string(Tokenizer::file_ending(kind));
    t.save(path);
    const Tokenizer same = Tokenizer::load(kind, path);
    CHECK(same == t);
    CHECK(same.vocabulary() == t.vocabulary());
    CHECK(same.encode("the tower 3") == t.encode("the tower 3"));
  }
}

TEST_CASE(
    "tokenizer: a size that the text does not yield is refused with the one that is possible") {
  const auto message = [](TokenizerKind kind, int64_t size) {
    return tests::message_of<ir::GraphError>([&] {
      Tokenizer::train({.kind = kind, .size = size}, "target vocabulary", text_of(little_corpus()));
    });
  };
  for (const TokenizerKind kind : {TokenizerKind::bpe, TokenizerKind::unigram}) {
    CAPTURE(name(kind));
    const std::string large = message(kind, 50000), said = "at most ";
    CHECK(large.starts_with(
        "target vocabulary: a size of 50000 is more than the text yields, at most "));
    const size_t at = large.find(said) + said.size();
    const int64_t most = std::stoll(large.substr(at));
    CHECK(most > 260);
    const Tokenizer t =
        Tokenizer::train({.kind = kind, .size = most}, "target", text_of(little_corpus()));
    CHECK(t.size() == most);
    CHECK(message(kind, 100).starts_with("target vocabulary: a size of 100 is too small: "));
  }
}

TEST_CASE("tokenizer: texts of hardly anything are learnt from, or refused in a line") {
  for (const TokenizerKind kind : {TokenizerKind::bpe, TokenizerKind::unigram})
    for (const Tokens& text : {Tokens{"a"}, Tokens{" "}, Tokens{""}, Tokens{"a", "a", "a"},
                               Tokens{std::string(10000, 'a')}, Tokens{"a b", "\xE2\x96\x81"}})
      for (const bool bytes : {true, false})
        for (const int64_t size : {5, 6, 262, 8000}) {
          CAPTURE(name(kind));
          CAPTURE(text.front().substr(0, 10));
          CAPTURE(size);
          try {
            const Tokenizer t = Tokenizer::train(
                {.kind = kind, .size = size, .byte_fallback = bytes}, "x", text_of(text));
            CHECK(t.size() == size);
          } catch (const ir::GraphError& e) {
            CHECK(std::string(e.what()).starts_with("x: "));
          }
        }
}

TEST_CASE("corpus: texts are encoded, and what is unknown is counted") {
  const Tokenizer source = Tokenizer::train({}, "source", text_of({"a b", "a"}));
  const Tokenizer target = Tokenizer::train({}, "target", text_of({"x", "y x"}));
  const EncodedExample e = encode({"b q a", "z y", 7}, source, target);
  CHECK(e.source == Ids{5, 3, 4});
  CHECK(e.target == Ids{3, 5});
  CHECK(e.id == 7);
  const ExampleStore store({e}, {source.special().unknown, target.special().unknown});
  CHECK(store.counts().source_tokens == 3);
  CHECK(store.counts().target_tokens == 2);
  CHECK(store.counts().unknown_source == 1);
  CHECK(store.counts().unknown_target == 1);
  CHECK(store.counts().first_unknown == 7);
}

TEST_CASE(
    "sampling: other pieces of the same text in each epoch, a function of seed, epoch and id") {
  for (const TokenizerKind kind : {TokenizerKind::bpe, TokenizerKind::unigram}) {
    CAPTURE(name(kind));
    const Tokenizer t = little(kind, false);
    SubwordSampling sampling{.source = t, .target = t, .alpha = 0.3, .seed = 5};
    CHECK(sampling.is_on());
    // The last word is unknown: it stays, the others are drawn.
    const std::string text = "the lowest tower is slower \xE6\x97\xA5 the tower";
    const EncodedExample e{.source = t.encode(text), .target = t.encode("a flower"), .id = 3};
    std::set<Ids> seen;
    for (int64_t epoch = 0; epoch < 20; ++epoch) {
      const EncodedExample drawn = sampling.sample(e, epoch);
      CHECK(t.decode(drawn.source) == t.decode(e.source));
      CHECK(t.decode(drawn.target) == "a flower");
      CHECK(sampling.sample(e, epoch).source == drawn.source);
      seen.insert(drawn.source);
    }
    CHECK(seen.size() > 5);
    EncodedExample other = e;
    other.id = 4;
    std::set<Ids> of_other;
    for (int64_t epoch = 0; epoch < 20; ++epoch)
      of_other.insert(sampling.sample(other, epoch).source);
    CHECK(of_other != seen);
    sampling.most_positions = std::ssize(e.source);
    for (int64_t epoch = 0; epoch < 20; ++epoch)
      CHECK(std::ssize(sampling.sample(e, epoch).source) <= std::ssize(e.source));
    sampling.alpha = 0;
    CHECK_FALSE(sampling.is_on());
    CHECK(sampling.sample(e, 1).source == e.source);
  }
}

}  // namespace
}  // namespace weft::data
