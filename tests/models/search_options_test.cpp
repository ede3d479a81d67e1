// tests/models/search_options_test.cpp -- every option against brute force, and alone as in a batch.
#include "models/families/seq2seq.h"
#include "models/search/beam_search.h"
#include "tests/models/small_data.h"
#include "tests/models/toy_model.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

using namespace weft;
using ir::Array;
using search::Demands;
using search::EarlyStopping;
using search::Hypotheses;
using search::Hypothesis;
using search::LengthNorm;
using search::Phrase;
using search::SearchOptions;
using search::SearchRules;
using tests::kIds;
using tests::random_table;
using tests::TableModel;
using tests::with_end;

namespace {

constexpr int32_t kA = data::kSpecialTokens, kB = kA + 1, kC = kA + 2;

bool contains(const std::vector<int32_t>& tokens, const Phrase& phrase) {
  return std::search(tokens.begin(), tokens.end(), phrase.begin(), phrase.end()) != tokens.end();
}

int64_t distinct_ngrams(const std::vector<int32_t>& tokens, int64_t n) {
  std::set<std::vector<int32_t>> all;
  for (auto at = tokens.begin(); tokens.end() - at >= n; ++at) all.emplace(at, at + n);
  return std::ssize(all);
}

// All sequences that `keep` keeps, the best first.
template <typename Keep>
Hypotheses best_of(const TableModel& m, Keep keep) {
  Hypotheses all;
  for (const Hypothesis& h : tests::all_sequences(m))
    if (keep(h)) all.push_back(h);
  return tests::best_first(std::move(all));
}

void check_same(const Hypotheses& found, const Hypotheses& expected, size_t count) {
  REQUIRE(found.size() >= count);
  REQUIRE(expected.size() >= count);
  for (size_t i = 0; i < count; ++i) {
    CAPTURE(i);
    CHECK(with_end(found[i]) == with_end(expected[i]));
    CHECK(found[i].score == doctest::Approx(expected[i].score).epsilon(1e-12));
  }
}

std::string refusal(const SearchOptions& options, int64_t beam = 4) {
  try {
    search::check(options, beam);
  } catch (const ir::GraphError& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("search options: n-grams that stand once, and words that never stand") {
  const TableModel m = random_table(5, 3, 31);
  for (const int64_t n : {1, 2}) {
    const Hypotheses expected = best_of(m, [&](const Hypothesis& h) {
      const std::vector<int32_t> tokens = with_end(h);
      return distinct_ngrams(tokens, n) == std::ssize(tokens) - n + 1 || std::ssize(tokens) < n;
    });
    check_same(m.search(300, {.n_best = 10, .no_repeat_ngram = n}), expected, 10);
  }
  const std::vector<Phrase> bad{{kB}, {kA, kC}, {kC, kC, kA}};
  const Hypotheses expected = best_of(m, [&](const Hypothesis& h) {
    return std::none_of(bad.begin(), bad.end(),
                        [&](const auto& b) { return contains(h.tokens, b); });
  });
  check_same(m.search(300, {.n_best = 10, .bad_words = bad}), expected, 10);
}

TEST_CASE("search options: where nothing may follow, a hypothesis is cut") {
  const TableModel m = random_table(6, 2, 32);
  const Hypotheses found = m.search(2, {.n_best = 2, .min_length = 6, .no_repeat_ngram = 1});
  for (const Hypothesis& h : found) {
    CHECK(h.tokens.size() == 2);
    CHECK_FALSE(h.ended);
  }
}

TEST_CASE("search options: a repetition penalty changes scores, not log-probabilities") {
  const TableModel m = random_table(4, 3, 33);
  Hypotheses all = tests::all_sequences(m);
  for (Hypothesis& h : all) {
    const std::vector<int32_t> tokens = with_end(h);
    double before = 0;
    h.score = 0;
    for (size_t i = 0; i < tokens.size(); ++i) {
      const auto here = tokens.begin() + static_cast<std::ptrdiff_t>(i);
      const double sum = m.log_probability({tokens.begin(), here + 1});
      h.score += (sum - before) * (std::find(tokens.begin(), here, *here) == here ? 1 : 1.7);
      before = sum;
    }
  }
  const Hypotheses expected = tests::best_first(all);
  const Hypotheses found = m.search(200, {.n_best = 10, .repetition_penalty = 1.7});
  check_same(found, expected, 10);
  for (const Hypothesis& h : found)
    CHECK(h.log_probability == doctest::Approx(m.log_probability(with_end(h))).epsilon(1e-12));
}

TEST_CASE("search options: results begin with a prefix, the best that do") {
  const TableModel m = random_table(5, 3, 34);
  const Phrase prefix{kC, kA};
  const Hypotheses expected = best_of(m, [&](const Hypothesis& h) {
    return h.tokens.size() >= 2 && std::equal(prefix.begin(), prefix.end(), h.tokens.begin());
  });
  check_same(m.search(100, {.n_best = 10}, {.prefix = prefix, .phrases = {}}), expected, 10);
  // With its end it is all there is.
  const Phrase whole{kB, kB, kC, kIds.end};
  const Hypotheses forced = m.search(3, {.n_best = 3}, {.prefix = whole, .phrases = {}});
  REQUIRE(forced.size() == 1);
  CHECK(with_end(forced[0]) == whole);
  CHECK(forced[0].log_probability == doctest::Approx(m.log_probability(whole)).epsilon(1e-12));
}

TEST_CASE(
    "search options: phrases are in every result, whatever the beam; a wide one finds the best") {
  for (const uint64_t seed : {35, 36, 37}) {
    const TableModel m = random_table(6, 3, seed);
    const std::vector<std::vector<Phrase>> lists{
        {{kA, kB}}, {{kC}, {kB, kA}}, {{kA, kA, kB}, {kB, kC}}, {{kC, kC}, {kC, kA, kC}}};
    for (const std::vector<Phrase>& phrases : lists) {
      const auto has_all = [&](const Hypothesis& h) {
        return std::all_of(phrases.begin(), phrases.end(),
                           [&](const Phrase& p) { return contains(h.tokens, p); });
      };
      for (const int64_t beam : {1, 2, 3, 5}) {
        const Hypotheses found =
            m.search(beam, {.n_best = beam}, {.prefix = {}, .phrases = phrases});
        CHECK_FALSE(found.empty());
        for (const Hypothesis& h : found) {
          CHECK(has_all(h));
          CHECK(h.log_probability ==
                doctest::Approx(m.log_probability(with_end(h))).epsilon(1e-12));
        }
      }
      // Room is kept for phrases side by side; where they overlap, less may do.
      if (&phrases - lists.data() < 2)
        check_same(m.search(900, {.n_best = 1}, {.prefix = {}, .phrases = phrases}),
                   best_of(m, has_all), 1);
    }
  }
  // There is room for them whatever the limit.
  const TableModel m = random_table(6, 3, 38);
  const Hypotheses found =
      m.search(2, {.max_length = {0, 1}}, {.prefix = {kB}, .phrases = {{kA, kB}, {kC, kC}}});
  CHECK(contains(found[0].tokens, {kA, kB}));
  CHECK(contains(found[0].tokens, {kC, kC}));
  CHECK(found[0].tokens[0] == kB);
}

TEST_CASE("search options: groups of one are greedy searches that shun what earlier ones chose") {
  for (const uint64_t seed : {41, 42, 43}) {
    const TableModel m = random_table(6, 4, seed);
    const double diversity = 0.9;
    std::vector<std::vector<int32_t>> expected(3);
    std::vector<double> scores(3, 0);
    for (int64_t t = 0; t < m.steps; ++t) {
      std::map<int32_t, int> chosen;
      for (size_t g = 0; g < 3; ++g) {
        std::vector<int32_t>& tokens = expected[g];
        if (!tokens.empty() && tokens.back() == kIds.end) continue;
        double best = -HUGE_VAL;
        int32_t token = 0;
        const double before = m.log_probability(tokens);
        for (int32_t v = kIds.end; v < m.vocabulary; ++v) {
          tokens.push_back(v);
          const double s =
              m.log_probability(tokens) - before - diversity * (chosen.contains(v) ? chosen[v] : 0);
          tokens.pop_back();
          if (s > best) best = s, token = v;
        }
        tokens.push_back(token);
        scores[g] += best;
        if (token != kIds.end) ++chosen[token];
      }
    }
    const Hypotheses found = m.search(3, {.n_best = 3, .groups = 3, .diversity = diversity});
    REQUIRE(found.size() == 3);
    for (const Hypothesis& h : found) {
      const auto at = std::find(expected.begin(), expected.end(), with_end(h));
      REQUIRE(at != expected.end());
      CHECK(h.score ==
            doctest::Approx(scores[static_cast<size_t>(at - expected.begin())]).epsilon(1e-12));
    }
  }
}

TEST_CASE("search options: samples are as frequent as the model has them") {
  const TableModel m = random_table(3, 3, 51);
  std::map<std::vector<int32_t>, int> counts;
  const int draws = 20 * 200;
  for (uint64_t seed = 1; seed <= 20; ++seed)
    for (const Hypothesis& h : m.search(200, {.n_best = 200, .sample = true, .seed = seed})) {
      ++counts[with_end(h)];
      CHECK(h.log_probability == doctest::Approx(m.log_probability(with_end(h))).epsilon(1e-12));
    }
  for (const Hypothesis& h : tests::all_sequences(m)) {
    const double p = std::exp(h.log_probability), sigma = std::sqrt(p * (1 - p) / draws);
    CHECK(std::abs(static_cast<double>(counts[with_end(h)]) / draws - p) < 4.5 * sigma + 1e-9);
  }
  // From the likeliest token alone it is greedy search.
  CHECK(with_end(m.search(3, {.sample = true, .top_k = 1})[0]) == with_end(m.search(1, {})[0]));
  CHECK(with_end(m.search(3, {.sample = true, .top_p = 1e-6})[0]) == with_end(m.search(1, {})[0]));
  CHECK(with_end(m.search(3, {.sample = true, .temperature = 1e-3})[0]) ==
        with_end(m.search(1, {})[0]));
}

TEST_CASE("search options: two models choose by the mean of what they say") {
  const TableModel a = random_table(4, 2, 61), b = random_table(4, 2, 62);
  using search::EnsembleMean;
  for (const auto mean : {EnsembleMean::log_probabilities, EnsembleMean::probabilities}) {
    TableModel both = a;
    both.table = Array(ir::DType::f64, a.table.dims());
    for (int64_t i = 0; i < a.table.size(); ++i) {
      const double x = a.table.at(i), y = b.table.at(i);
      both.table.set(i, mean == EnsembleMean::log_probabilities
                            ? (x + y) / 2
                            : std::log((std::exp(x) + std::exp(y)) / 2));
    }
    search::Decoder of_a = a.decoder(50, kIds, true), of_b = b.decoder(50, kIds, true);
    ParameterStore store_a = a.store(), store_b = b.store();
    const std::vector<search::Member> members{{&of_a, &store_a}, {&of_b, &store_b}};
    const Array source = Array::of(ir::DType::s32, {1, 1}, std::vector{3}),
                lengths = Array::of(ir::DType::s32, {1}, std::vector{1});
    const auto found = search::search(members, source, lengths,
                                      {.n_best = 8, .max_length = {0, 4}, .ensemble_mean = mean});
    check_same(found[0], best_of(both, [](const Hypothesis&) { return true; }), 8);
  }
}

TEST_CASE("search options: what does not go together is refused by name") {
  CHECK(refusal({.length_penalty = 1, .length_norm = LengthNorm::average})
            .find("length_penalty is 1, but length_norm is average") == 0);
  CHECK(refusal({.word_penalty = 1}).find("word_penalty is 1, but length_norm is lenpen") == 0);
  CHECK(refusal({.search_rules = SearchRules::marian, .early_stopping = EarlyStopping::never})
            .find("early_stopping is never, but search_rules are marian") == 0);
  CHECK(refusal({.temperature = 0.5}) == "temperature is 0.5, which belongs to sample");
  CHECK(
      refusal({.groups = 3, .diversity = 1}).find("groups is 3, needed is a number that divides") ==
      0);
  CHECK(refusal({.groups = 2}).find("groups is 2, but diversity is 0") == 0);
  CHECK(refusal({.diversity = 1}).find("diversity is 1, but groups is 1") == 0);
  CHECK(refusal({.sample = true, .groups = 2, .diversity = 1}).find("sample draws") == 0);
  CHECK(refusal({.sample = true, .top_p = 0}).find("top_p is 0, needed is") == 0);
  CHECK(refusal({.sample = true, .temperature = 0.7, .top_k = 5}).empty());
  const TableModel m = random_table(3, 2, 71);
  CHECK_THROWS_WITH_AS(m.search(2, {.coverage_penalty = 0.1}),
                       doctest::Contains("needs attention weights"), ir::GraphError);
  CHECK_THROWS_WITH_AS(m.search(2, {.sample = true}, {.prefix = {}, .phrases = {{kA}}}),
                       doctest::Contains("phrases that a result must contain need"),
                       ir::GraphError);
}

TEST_CASE("search options: an observer is told beginnings that stay, and the end") {
  rnn::Config c = tests::small_config(16);
  for (const int64_t beam : {1, 4}) {
    search::Decoder d = seq2seq::decoder(c, {.beam = beam}, tests::fast_options());
    ParameterStore store(7);
    const auto sources = tests::reversals(9, 8, 81);
    std::vector<std::vector<int32_t>> told(sources.size());
    std::vector<bool> ended(sources.size(), false);
    const auto found =
        search::search(d, store, sources, {}, {},
                       {.observer = [&](int64_t at, std::span<const int32_t> tokens, bool done) {
                         std::vector<int32_t>& before = told[static_cast<size_t>(at)];
                         CHECK(before.size() <= tokens.size());
                         CHECK(std::equal(before.begin(), before.end(), tokens.begin()));
                         before.assign(tokens.begin(), tokens.end());
                         ended[static_cast<size_t>(at)] = done;
                       }});
    for (size_t i = 0; i < sources.size(); ++i) {
      CHECK(told[i] == found[i][0].tokens);
      CHECK(ended[i]);
    }
  }
}

TEST_CASE("search options: whatever they are, a sentence has the same result in every batch") {
  struct Walk {
    const char* name;
    int64_t beam;
    SearchOptions options;
    Demands demands = {};
  };
  using enum LengthNorm;
  const std::vector<Walk> walks{
      {"early_stopping no", 3, {.length_penalty = 1, .early_stopping = EarlyStopping::no}},
      {"early_stopping never", 3, {.length_norm = average, .early_stopping = EarlyStopping::never}},
      {"gnmt and coverage",
       3,
       {.length_penalty = 0.6, .length_norm = gnmt, .coverage_penalty = 0.2}},
      {"fairseq", 3, {.length_penalty = 1, .search_rules = SearchRules::fairseq}},
      {"marian",
       3,
       {.length_penalty = 0.6,
        .length_norm = marian,
        .word_penalty = 0.1,
        .search_rules = SearchRules::marian}},
      {"min_length", 2, {.min_length = 4}},
      {"repetition_penalty", 2, {.repetition_penalty = 1.5}},
      {"no_repeat_ngram", 1, {.no_repeat_ngram = 2}},
      {"bad_words", 2, {.bad_words = {{kA}, {kB, kC}}}},
      {"sample", 3, {.n_best = 3, .sample = true, .seed = 5}},
      {"sample with everything",
       2,
       {.n_best = 2,
        .sample = true,
        .temperature = 1.3,
        .top_k = 8,
        .top_p = 0.95,
        .min_p = 0.01,
        .typical_p = 0.95}},
      {"groups", 4, {.n_best = 4, .groups = 2, .diversity = 0.5}},
      {"prefix", 2, {}, {.prefix = {kB, kA}, .phrases = {}}},
      {"phrases", 3, {}, {.prefix = {}, .phrases = {{kA, kC}, {kB}}}},
  };
  const auto sources = tests::reversals(19, 12, 91);
  transformer::Config t = tests::small_transformer(8);
  const seq2seq::Settings models[] = {tests::small_config(16), t};
  for (const seq2seq::Settings& model : models)
    for (const Walk& w : walks) {
      CAPTURE(w.name);
      const bool whole = search::need_distribution(w.options) || !w.demands.empty();
      search::Decoder d = seq2seq::decoder(
          model,
          {.beam = w.beam, .weights = w.options.coverage_penalty > 0, .log_probabilities = whole},
          tests::fast_options());
      ParameterStore store(3);
      SearchOptions options = w.options;
      options.max_length = {1, 4};
      const std::vector<Demands> demands(sources.size(), w.demands);
      const auto together = search::search(d, store, sources, {}, options, {.demands = demands});
      for (size_t i = 0; i < sources.size(); i += 4) {
        const Hypotheses alone = search::search(d, store, std::span(&sources[i], 1), {}, options,
                                                {.demands = std::span(demands).first(1)})
                                     .front();
        REQUIRE(alone.size() == together[i].size());
        for (size_t k = 0; k < alone.size(); ++k) {
          CHECK(alone[k].tokens == together[i][k].tokens);
          CHECK(alone[k].log_probability == together[i][k].log_probability);
          CHECK(alone[k].score == together[i][k].score);
        }
      }
    }
}
