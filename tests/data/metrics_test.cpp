// tests/data/metrics_test.cpp -- BLEU, chrF and TER against published values.
//
// `metrics/` and `oracle/bleu/` are looked for in $WEFT_SHARED, else in ../shared beside the
// project; they were made with sacreBLEU.
#include "models/metrics/bleu.h"
#include "models/metrics/by_length.h"
#include "models/metrics/chrf.h"
#include "models/metrics/error_rate.h"
#include "models/metrics/significance.h"
#include "models/metrics/ter.h"
#include "models/metrics/tokenizers.h"
#include "models/metrics/unicode.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>

namespace weft::metrics {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

std::filesystem::path shared() {
  const char* named = std::getenv("WEFT_SHARED");
  return named != nullptr ? std::filesystem::path(named)
                          : std::filesystem::path(WEFT_SOURCE_DIR).parent_path() / "shared";
}

// The JSON file, or nothing where it is not there (said).
std::optional<Json> read(const std::string& name) {
  std::ifstream file(shared() / name);
  if (!file) {
    MESSAGE("skipped: there is no " << name << "; WEFT_SHARED can name the folder it is in");
    return std::nullopt;
  }
  return Json::parse(file);
}

// References by system reference ("first references of all segments, second ...") as by segment.
Corpus corpus_of(const Words& hypotheses, const std::vector<Words>& streams) {
  Corpus c{.hypotheses = hypotheses, .references = std::vector<Words>(hypotheses.size())};
  for (const Words& stream : streams)
    for (size_t i = 0; i < stream.size(); ++i) c.references[i].push_back(stream[i]);
  return c;
}

// Is the file of pairs there that a case names, if it names one (said)?
bool has_data(const Json& c) {
  if (!c.contains("data")) return true;
  const auto file = c["data"]["file"].get<std::string>();
  const bool there = std::filesystem::exists(shared() / "data" / file);
  if (!there) MESSAGE("skipped: there is no " << file);
  return there;
}

// Of a case that names its lines or a file of pairs with a rule.
Corpus corpus_of(const Json& c) {
  if (!c.contains("data"))
    return corpus_of(c["hyp"].get<Words>(), c["refs"].get<std::vector<Words>>());
  Corpus corpus;
  std::ifstream file(shared() / "data" / c["data"]["file"].get<std::string>());
  const bool rotated =
      c["data"]["hyp_rule"].get<std::string>().find("first token") != std::string::npos;
  for (std::string line; std::getline(file, line);) {
    const size_t tab = line.find('\t');
    const std::string target = line.substr(tab + 1, line.find('\t', tab + 1) - tab - 1);
    std::string said = line.substr(0, tab);
    if (rotated) {
      const size_t space = target.find(' ');
      said = space == std::string::npos ? target
                                        : target.substr(space + 1) + " " + target.substr(0, space);
    }
    corpus.hypotheses.push_back(said);
    corpus.references.push_back({target});
  }
  return corpus;
}

BleuSettings bleu_settings(const Json& s) {
  BleuSettings b{.tokenize = s.value("tokenize", "13a"),
                 .effective_order = s.value("effective_order", false)};
  const std::string smooth = s.value("smooth_method", "exp");
  b.smoothing = smooth == "none"    ? Smoothing::none
                : smooth == "floor" ? Smoothing::floor
                : smooth == "add-k" ? Smoothing::add_k
                                    : Smoothing::exp;
  return b;
}

std::string before_version(std::string signature) {
  return signature.substr(0, signature.find("|version:"));
}

TEST_CASE(
    "BLEU: corpora score as sacreBLEU has them, to 1e-6, with the same counts and signature") {
  const auto file = read("data/metrics/bleu.json");
  if (!file) return;
  for (const Json& c : (*file)["cases"]) {
    CAPTURE(c["name"].get<std::string>());
    if (!has_data(c)) continue;
    const BleuSettings settings = bleu_settings(c["settings"]);
    const Corpus corpus = corpus_of(c);
    const Metric metric = bleu(settings);
    const Statistics sums = sum(statistics(metric, corpus));
    const BleuParts parts = bleu_parts(settings, sums);
    const Json& wanted = c["expected"];
    CHECK(std::abs(parts.score - wanted["score"].get<double>()) < 1e-6);
    CHECK(std::abs(parts.brevity_penalty - wanted["bp"].get<double>()) < 1e-6);
    for (size_t n = 0; n < 4; ++n) {
      CHECK(std::abs(parts.precisions[n] - wanted["precisions"][n].get<double>()) < 1e-6);
      if (settings.smoothing == Smoothing::add_k) continue;  // k is added there
      CHECK(sums[2 + 2 * n] == wanted["counts"][n].get<double>());
      CHECK(sums[3 + 2 * n] == wanted["totals"][n].get<double>());
    }
    CHECK(sums[0] == wanted["sys_len"].get<double>());
    CHECK(sums[1] == wanted["ref_len"].get<double>());
    CHECK(before_version(signature(metric, corpus)) ==
          before_version(c["signature"].get<std::string>()));
  }
}

TEST_CASE("chrF and chrF++: corpora score as sacreBLEU has them, to 1e-6") {
  const auto file = read("data/metrics/chrf.json");
  if (!file) return;
  for (const Json& c : (*file)["cases"]) {
    CAPTURE(c["name"].get<std::string>());
    if (!has_data(c)) continue;
    const Json& s = c["settings"];
    const Metric metric = chrf({.word_order = s.value("word_order", 0),
                                .beta = s.value("beta", 2.0),
                                .white_space = s.value("whitespace", false)});
    const Corpus corpus = corpus_of(c);
    CHECK(std::abs(corpus_score(metric, corpus) - c["expected"].get<double>()) < 1e-6);
    CHECK(before_version(signature(metric, corpus)) ==
          before_version(c["signature"].get<std::string>()));
  }
}

TEST_CASE("sentence BLEU, chrF2 and chrF2++ are sacreBLEU's") {
  const auto file = read("data/metrics/sentence.json");
  if (!file) return;
  for (const Json& c : (*file)["cases"]) {
    const auto hypothesis = c["hyp"].get<std::string>();
    const auto references = c["refs"].get<Words>();
    CHECK(std::abs(sentence_score(bleu({.tokenize = "none", .effective_order = true}), hypothesis,
                                  references) -
                   c["bleu"].get<double>()) < 1e-6);
    CHECK(std::abs(sentence_score(chrf(), hypothesis, references) - c["chrf"].get<double>()) <
          1e-6);
    CHECK(std::abs(sentence_score(chrf({.word_order = 2}), hypothesis, references) -
                   c["chrfpp"].get<double>()) < 1e-6);
  }
}

TEST_CASE("TER: corpora score as sacreBLEU has them, to 1e-6") {
  const auto file = read("data/metrics/ter.json");
  if (!file) return;
  for (const Json& c : (*file)["cases"]) {
    CAPTURE(c["name"].get<std::string>());
    CHECK(std::abs(corpus_score(ter(), corpus_of(c)) - c["expected"].get<double>()) < 1e-6);
  }
}

// By the name of a score in that file.
const std::map<std::string, Metric>& metrics_by_name() {
  static const std::map<std::string, Metric> metrics{
      {"bleu_13a_exp", bleu()},
      {"bleu_none_exp", bleu({.tokenize = "none"})},
      {"bleu_char", bleu({.tokenize = "char"})},
      {"bleu_13a_lc", bleu({.lower_case = true})},
      {"bleu_13a_floor", bleu({.smoothing = Smoothing::floor})},
      {"bleu_13a_addk1", bleu({.smoothing = Smoothing::add_k})},
      {"bleu_13a_nosmooth", bleu({.smoothing = Smoothing::none})},
      {"chrf2", chrf()},
      {"chrf++", chrf({.word_order = 2})},
      {"ter", ter()},
  };
  return metrics;
}

TEST_CASE("other corpora: tokenizers, smoothing, chrF, TER, sentences; one reference and several") {
  const auto file = read("oracle/bleu/cases.json");
  if (!file) return;
  for (const Json& c : (*file)["cases"]) {
    const auto hypotheses = c["hyps"].get<Words>();
    const auto streams = c["refs"].get<std::vector<Words>>();
    for (const auto& entry : c["scores"].items()) {
      const std::string name = entry.key();
      CAPTURE(name);
      const auto count = static_cast<std::ptrdiff_t>(std::stoi(name));  // "2ref/ter"
      const Corpus corpus = corpus_of(hypotheses, {streams.begin(), streams.begin() + count});
      if (entry.value().is_array()) {
        const Metric sentence = bleu({.effective_order = true});
        for (size_t i = 0; i < hypotheses.size(); ++i)
          CHECK(std::abs(sentence_score(sentence, hypotheses[i], corpus.references[i]) -
                         entry.value()[i].get<double>()) < 1e-6);
        continue;
      }
      const Metric& metric = metrics_by_name().at(name.substr(name.find('/') + 1));
      CHECK(std::abs(corpus_score(metric, corpus) - entry.value()["score"].get<double>()) < 1e-6);
    }
    if (!c.contains("tok13a")) continue;
    const auto joined = [](const Words& words) {
      std::string s;
      for (const std::string& w : words) s += (s.empty() ? "" : " ") + w;
      return s;
    };
    CHECK(joined(tokenizer("13a").words(hypotheses[0])) == c["tok13a"][0].get<std::string>());
    CHECK(joined(tokenizer("13a").words(streams[0][0])) == c["tok13a"][1].get<std::string>());
  }
}

TEST_CASE("tokenizers: numbers keep their stops, marks and symbols of other scripts stand apart") {
  CHECK(tokenizer("13a").words("3.14, (a-b) 2-3") ==
        Words{"3.14", ",", "(", "a-b", ")", "2", "-", "3"});
  CHECK(tokenizer("intl").words("«Ja», 1,5 € – nein…") ==
        Words{"«", "Ja", "»", ",", "1,5", "€", "–", "nein", "…"});
  CHECK(tokenizer("zh").words("我爱 NLP。") == Words{"我", "爱", "NLP", "。"});
  CHECK(tokenizer("char").words("a é") == Words{"a", "é"});
  CHECK_THROWS_WITH(tokenizer("moses"),
                    "there is no tokenizer 'moses' (there are: none, 13a, intl, zh, char)");
}

TEST_CASE("TER: a phrase moved is one edit, wherever it moves to") {
  CHECK(sentence_score(ter(), "c d a b", Words{"a b c d"}) == 25);
  CHECK(sentence_score(ter(), "", Words{"a b"}) == 100);
  CHECK(sentence_score(ter(), "a b", Words{""}) == 100);
  CHECK(sentence_score(ter(), "", Words{""}) == 0);
}

TEST_CASE("bootstrap: the interval holds the score, and equal systems do not differ") {
  Corpus corpus;
  for (int i = 0; i < 60; ++i) {
    corpus.hypotheses.push_back(i % 3 == 0 ? "a b c d e" : "a b c x e");
    corpus.references.push_back({"a b c d e"});
  }
  const Metric metric = chrf();
  const auto segments = statistics(metric, corpus);
  const Interval i = bootstrap(metric, segments);
  const double score = metric.score(sum(segments));
  CHECK(i.low < score);
  CHECK(score < i.high);
  CHECK(i.mean == doctest::Approx(score).epsilon(0.02));
  CHECK(bootstrap(metric, segments).low == i.low);  // the same seed
  CHECK(paired_bootstrap(metric, segments, segments).p_value == 1);
  CHECK(approximate_randomization(metric, segments, segments, 200).p_value > 0.9);

  Corpus better = corpus;
  for (std::string& h : better.hypotheses) h = "a b c d e";
  const auto best = statistics(metric, better);
  CHECK(paired_bootstrap(metric, segments, best).p_value < 0.01);
  CHECK(approximate_randomization(metric, segments, best, 1000).p_value < 0.01);
}

TEST_CASE("by length: groups are equally wide, and each is scored by its own segments") {
  const std::vector<Statistics> segments =
      statistics(line_accuracy(), {{"a", "b", "x", "d"}, {{"a"}, {"b"}, {"c"}, {"d"}}});
  const auto groups = by_length(line_accuracy(), segments, std::vector<int64_t>{3, 20, 14, 45}, 5);
  REQUIRE(groups.size() == 3);
  CHECK(groups[0].least == 1);
  CHECK(groups[0].most == 10);
  CHECK(groups[1].segments == 2);
  CHECK(groups[1].score == 50);
  CHECK(groups[2].least == 41);
  CHECK(by_length(line_accuracy(), segments, std::vector<int64_t>{1, 2, 3, 4}).size() == 4);
  CHECK_THROWS_WITH(by_length(line_accuracy(), segments, std::vector<int64_t>{1}),
                    "scores by length need a length for each of the 4 segments, found 1");
}

TEST_CASE("metrics say which segment has no reference, and what does not fit together") {
  CHECK_THROWS_WITH(statistics(bleu(), {{"a", "b"}, {{"a"}, {}}}), "segment 2 has no reference");
  CHECK_THROWS_WITH(statistics(bleu(), {{"a", "b"}, {{"a"}}}),
                    "there are 2 hypotheses for 1 segments with references");
}

TEST_CASE("bytes that are no UTF-8 are counted as U+FFFD") {
  CHECK(code_points("a\xff") == std::u32string{U'a', 0xfffd});
  CHECK(split_words("\xc2\xa0x\xe3\x80\x80y ") == Words{"x", "y"});
}

}  // namespace
}  // namespace weft::metrics
