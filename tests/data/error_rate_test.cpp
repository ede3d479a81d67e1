// tests/data/error_rate_test.cpp -- phone and word error rates, token accuracy.
#include "models/metrics/error_rate.h"

#include "models/data/tokens/tokenizer.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

namespace weft::metrics {
namespace {

using Tokens = std::vector<std::string>;
using ir::Array;
using ir::DType;

TEST_CASE("error rate: the closest reference counts, with its own length") {
  ErrorRate rate;
  rate.add(Tokens{"a", "b", "c"}, {{"x", "y", "z", "w"}, {"a", "b", "d", "c", "e"}});
  CHECK(rate.edits == 2);
  CHECK(rate.reference_tokens == 5);
  CHECK(rate.wrong_words == 1);
  rate.add(Tokens{"a"}, {{"b"}, {"a"}});
  CHECK(rate.phone_error_rate() == doctest::Approx(2.0 / 6));
  CHECK(rate.word_error_rate() == doctest::Approx(1.0 / 2));
  CHECK(rate.str() == "PER 33.33 % (2 of 6 tokens), WER 50.00 % (1 of 2 lines)");
}

TEST_CASE("error rate: of references at the same distance the shorter counts") {
  ErrorRate rate;
  rate.add(Tokens{"a", "b"}, {{"a", "b", "c"}, {"a"}, {"a", "x"}});
  CHECK(rate.edits == 1);
  CHECK(rate.reference_tokens == 1);
}

TEST_CASE("error rate: it can exceed one, and is zero when nothing was added") {
  ErrorRate rate;
  CHECK(rate.phone_error_rate() == 0);
  CHECK(rate.word_error_rate() == 0);
  rate.add(std::vector<int>{1, 2, 3}, std::vector<std::vector<int>>{{4}});
  CHECK(rate.phone_error_rate() == 3);
}

TEST_CASE("error rate: a word without references is refused") {
  ErrorRate rate;
  CHECK_THROWS_AS(rate.add(Tokens{"a"}, std::vector<Tokens>{}), ir::GraphError);
}

TEST_CASE("token accuracy: only what lies in front of the lengths counts") {
  TokenAccuracy accuracy;
  CHECK(accuracy.share() == 0);
  accuracy.add(Array::of(DType::s32, {2, 3}, std::vector<int>{1, 2, 9, 4, 9, 9}),
               Array::of(DType::s32, {2, 3}, std::vector<int>{1, 2, 3, 5, 9, 9}),
               Array::of(DType::s32, {2}, std::vector<int>{3, 1}));
  CHECK(accuracy.correct == 2);
  CHECK(accuracy.tokens == 4);
  CHECK(accuracy.share() == 0.5);
}

TEST_CASE("token accuracy: shapes that do not fit are named") {
  TokenAccuracy accuracy;
  CHECK(
      tests::message_of<ir::GraphError>([&] {
        accuracy.add(Array(DType::s32, {2, 3}), Array(DType::s32, {2, 4}), Array(DType::s32, {2}));
      }) == "token accuracy needs [B,T], [B,T] and [B], not [2,3], [2,4] and [2]");
}

TEST_CASE("error rates: as scores of texts they are the same rates, in per cent") {
  const Corpus corpus{{"a b c", "x y", ""}, {{"a b d", "a c"}, {"x y"}, {"q"}}};
  ErrorRate rate;
  for (size_t i = 0; i < corpus.hypotheses.size(); ++i) {
    std::vector<Tokens> references;
    for (const std::string& r : corpus.references[i]) references.push_back(data::split_tokens(r));
    rate.add(data::split_tokens(corpus.hypotheses[i]), references);
  }
  CHECK(corpus_score(token_error_rate(), corpus) == doctest::Approx(100 * rate.phone_error_rate()));
  CHECK(corpus_score(line_error_rate(), corpus) == doctest::Approx(100 * rate.word_error_rate()));
  CHECK(corpus_score(line_accuracy(), corpus) ==
        doctest::Approx(100 - 100 * rate.word_error_rate()));
  CHECK(line_accuracy().higher_is_better);
  CHECK_FALSE(token_error_rate().higher_is_better);
}

}  // namespace
}  // namespace weft::metrics
