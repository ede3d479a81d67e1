// tests/models/translation_test.cpp -- what is made of hypotheses beside their texts.
#include "models/metrics/chrf.h"
#include "models/translator/alignment.h"
#include "models/translator/markup.h"
#include "models/translator/minimum_risk.h"
#include "models/translator/phrase_table.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

using namespace weft;

namespace {

using Words = std::vector<std::string>;

std::string carried(const std::string& line, const Words& words, const std::vector<int64_t>& from) {
  return with_markup(parse_markup(line), words, from);
}

}  // namespace

TEST_CASE("markup: tags leave a line, and go around what came from what they were around") {
  CHECK(parse_markup("The  <b>red</b> house .").text == "The red house .");
  CHECK(parse_markup("a < b > c <3>").text == "a < b > c <3>");
  CHECK(carried("The <b>red <i>house</i></b> .", {"das", "rote", "haus", "."}, {0, 1, 2, 3}) ==
        "das <b>rote <i>haus</i></b> .");
  // The order of words changes.
  CHECK(carried("<b>red</b> house", {"maison", "rouge"}, {1, 0}) == "maison <b>rouge</b>");
  // From the first to the last of what came from inside.
  CHECK(carried("a <b>b c</b> d", {"C", "D", "B", "A"}, {2, 3, 1, 0}) == "<b>C D B</b> A");
  // Punctuation that touches a tag is part of the word.
  CHECK(parse_markup("a <b>house</b>.").text == "a house.");
  CHECK(carried("a <b>house</b>.", {"ein", "Haus."}, {0, 1}) == "ein <b>Haus.</b>");
}

TEST_CASE("markup: what surrounds nothing stands before what follows it") {
  CHECK(carried("a <br/> b", {"B", "A"}, {1, 0}) == "<br/> B A");
  CHECK(carried("a b <br/>", {"A", "B"}, {0, 1}) == "A B <br/>");
  CHECK(carried("a <b>b</b> c", {"A", "C"}, {0, 2}) == "A <b></b> C");
  CHECK(carried("<p>a</p>", {}, {}) == "<p></p>");
}

TEST_CASE("markup: halves stand for themselves, and all stays nested") {
  CHECK(parse_markup("a </b> b <i> c").text == "a b c");
  CHECK(carried("a </b> b <i> c", {"A", "B", "C"}, {0, 1, 2}) == "A </b> B <i> C");
  CHECK(carried("<b>a</b> <i>b</i> c", {"X", "Y", "Z"}, {0, 1, 0}) == "<b>X Y Z</b> <i></i>");
  CHECK(carried("<b><i>a</b></i>", {"A"}, {0}) == "<b><i> A</b> </i>");
}

TEST_CASE("alignment: words of pieces, by all that theirs have looked at") {
  using data::TokenizerKind;
  CHECK(words_of(Words{"a", "b"}, TokenizerKind::words) == std::vector<int64_t>{0, 1});
  CHECK(words_of(Words{"\u2581un", "der", "\u2581a", "."}, TokenizerKind::bpe) ==
        std::vector<int64_t>{0, 0, 1, 1});
  const search::Hypothesis h{
      .tokens = {5, 6, 7},
      .token_log_probabilities = {},
      .weights = {{0.4F, 0.3F, 0.3F}, {0.2F, 0.3F, 0.5F}, {1, 0, 0}, {0, 0, 1}}};
  const std::vector<int64_t> positions{0, 1, 2}, pairs{0, 1, 1};
  CHECK(pharaoh(hard_alignment(h, positions, positions)) == "0-0 2-1 0-2");
  CHECK(pharaoh(hard_alignment(h, pairs, positions)) == "1-0 1-1 0-2");
  CHECK(pharaoh(hard_alignment(h, positions, std::vector<int64_t>{0, 0, 1})) == "2-0 0-1");
  CHECK(soft_alignment(h, 2) == "0.4,0.3 0.2,0.3 1,0 0,0");
  CHECK(with_unknown_replaced(
            {"x", "<unk>", "<unk>"},
            {.tokens = {5, 3, 3}, .token_log_probabilities = {}, .weights = h.weights},
            {"A", "B", "C"}, 3, {{"C", "sea"}}) == Words{"x", "sea", "A"});
}

TEST_CASE("phrases: those count whose source is there, as words") {
  const tests::TemporaryFolder folder;
  const PhraseTable table = PhraseTable::read(
      folder.file("p", "red house => rotes Haus\nred => rot\n\nWeft\nred  =>  rot \n"));
  CHECK(table.targets("a red house.") == Words{"rotes Haus", "rot", "Weft"});
  CHECK(table.targets("tired houses") == Words{"Weft"});
  CHECK(PhraseTable::read(folder.file("e", "\n")).targets("x").empty());
  CHECK_THROWS_WITH(PhraseTable::read(folder.file("b", "ok\n=> x\n")),
                    doctest::Contains("b:2: error: "));
}

TEST_CASE("minimum risk: the text most like the others comes first") {
  search::Hypotheses list(4);
  for (size_t i = 0; i < 4; ++i) list[i].tokens = {static_cast<int32_t>(i)};
  const Words texts{"something else", "a red house", "a red horse", "a red house"};
  const std::vector<double> expected = expected_scores(texts, metrics::chrf());
  CHECK(expected[1] == expected[3]);
  const auto score = [&](size_t a, size_t b) {
    return metrics::sentence_score(metrics::chrf(), texts[a], std::span(&texts[b], 1));
  };
  CHECK(expected[2] == doctest::Approx((score(2, 0) + 2 * score(2, 1)) / 3));
  CHECK(expected[1] == doctest::Approx((score(1, 0) + score(1, 2) + 100) / 3));
  sort_by_expected_score(list, texts, metrics::chrf());
  CHECK(list[0].tokens[0] == 1);
  CHECK(list[3].tokens[0] == 0);
}
