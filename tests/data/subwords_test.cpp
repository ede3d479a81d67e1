// tests/data/subwords_test.cpp -- SentencePiece models: learnt, read, used and sampled.
//
// `oracle/spm` is looked for in $WEFT_SHARED, else in ../shared beside the project.
#include "models/data/tokens/subwords.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

namespace weft::data {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<int32_t>;

std::function<std::optional<std::string>()> text_of(const std::vector<std::string>& sentences) {
  return [sentences, i = size_t{0}]() mutable -> std::optional<std::string> {
    return i < sentences.size() ? std::optional(sentences[i++]) : std::nullopt;
  };
}

std::vector<std::string> little_corpus() {
  std::vector<std::string> sentences;
  for (int i = 0; i < 60; ++i) {
    sentences.push_back("the lower tower is newer than the lowest tower " + std::to_string(i % 7));
    sentences.push_back("a slow flower grows where the wind blows, Größe " + std::to_string(i % 5));
  }
  return sentences;
}

TEST_CASE("subwords: models of SentencePiece give its ids, pieces and text") {
  const char* named = std::getenv("WEFT_SHARED");
  const std::filesystem::path folder =
      (named != nullptr ? std::filesystem::path(named)
                        : std::filesystem::path(WEFT_SOURCE_DIR).parent_path() / "shared") /
      "oracle/spm";
  if (!std::filesystem::exists(folder)) {
    MESSAGE("skipped: there is no oracle/spm; WEFT_SHARED can name the folder it is in");
    return;
  }
  for (const std::string name : {"bpe600", "char", "t5like_unigram800"}) {
    CAPTURE(name);
    std::ifstream file(folder / (name + ".cases.json"));
    const Json all = Json::parse(file);
    const Subwords s = Subwords::load((folder / (name + ".model")).string());
    CHECK(s.size() == all["vocab_size"].get<int64_t>());
    CHECK(s.pad() == all["pad"].get<int32_t>());
    CHECK(s.begin() == all["bos"].get<int32_t>());
    CHECK(s.end() == all["eos"].get<int32_t>());
    CHECK(s.unknown() == all["unk"].get<int32_t>());
    for (const Json& c : all["cases"]) {
      const auto text = c["text"].get<std::string>();
      CAPTURE(text);
      const auto ids = c["ids"].get<Ids>();
      CHECK(s.encode(text) == ids);
      CHECK(s.decode(ids) == c["decoded"].get<std::string>());
    }
    for (const Json& c : all["decode_only"])
      CHECK(s.decode(c["ids"].get<Ids>()) == c["decoded"].get<std::string>());
  }
}

TEST_CASE("subwords: a model learnt here is the same bytes each time, and gives back what it got") {
  for (const SubwordKind kind : {SubwordKind::bpe, SubwordKind::unigram}) {
    const SubwordSettings settings{.kind = kind, .size = 300};
    const Subwords s = Subwords::train(settings, text_of(little_corpus()));
    CHECK(s.size() == 300);
    CHECK(s.pad() == 0);
    CHECK(s.begin() == 1);
    CHECK(s.end() == 2);
    CHECK(s.unknown() == 3);
    CHECK(Subwords::train(settings, text_of(little_corpus())).bytes() == s.bytes());
    for (const std::string text : {"the tower grows", "Größe 3", "a flower, the wind",
                                   "\xE6\x97\xA5\xE6\x9C\xAC" /* never seen: as bytes */}) {
      CAPTURE(text);
      const Ids ids = s.encode(text);
      CHECK(s.decode(ids) == text);
      CHECK(std::count(ids.begin(), ids.end(), s.unknown()) == 0);
    }
    CHECK(s.encode("the tower").size() < 9);
    CHECK(Subwords::from_bytes(s.bytes(), "copy").encode("the slow tower") ==
          s.encode("the slow tower"));
  }
}

TEST_CASE("subwords: symbols stay whole") {
  const Subwords s =
      Subwords::train({.size = 330, .symbols = {"<2de>", "<sep>"}}, text_of(little_corpus()));
  CHECK(s.id("<2de>") > 3);
  const Ids ids = s.encode("<2de> the tower");
  CHECK(std::count(ids.begin(), ids.end(), s.id("<2de>")) == 1);
}

TEST_CASE("subwords: sampling gives other segmentations of the same text, a function of the seed") {
  for (const SubwordKind kind : {SubwordKind::bpe, SubwordKind::unigram}) {
    const Subwords s = Subwords::train({.kind = kind, .size = 300}, text_of(little_corpus()));
    const std::string text = "the lowest tower is slower";
    std::set<Ids> seen;
    for (uint64_t stream = 0; stream < 40; ++stream) {
      Random random(5, stream), again(5, stream);
      const Ids ids = s.sample(text, 0.2, random);
      CHECK(s.decode(ids) == text);
      CHECK(s.sample(text, 0.2, again) == ids);
      seen.insert(ids);
    }
    CHECK(seen.size() > 5);
    Random random(1);
    if (kind == SubwordKind::bpe) CHECK(s.sample(text, 0, random) == s.encode(text));
    CHECK(s.sample("", 0.1, random).empty());
  }
}

TEST_CASE("subwords: what cannot be is said in a line") {
  CHECK_THROWS_WITH(Subwords::train({.size = 100000}, text_of(little_corpus())),
                    doctest::Contains("a size of 100000 is more than the text yields, at most "));
  CHECK_THROWS_WITH(Subwords::train({}, text_of({})), "subwords cannot be learnt from no text");
  CHECK_THROWS_WITH(Subwords::train({.symbols = {"a b"}}, text_of(little_corpus())),
                    doctest::Contains("the symbol 'a b'"));
  CHECK_THROWS_WITH(Subwords::from_bytes("hello", "x.model"),
                    "x.model: is not a SentencePiece model");
  CHECK_THROWS_WITH(Subwords::from_bytes("", "x.model"), "x.model: is not a SentencePiece model");
  const Subwords s = Subwords::train({.size = 320}, text_of(little_corpus()));
  CHECK_THROWS_WITH(s.decode(Ids{320}), "there is no piece 320 in a subword model of 320");
}

}  // namespace
}  // namespace weft::data
