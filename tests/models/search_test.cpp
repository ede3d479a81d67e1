// tests/models/search_test.cpp -- beam search against exhaustive search and other systems, alone
// and in batches.
#include "ir/text/text.h"
#include "models/families/rnn/rnn.h"
#include "models/search/batch_rows.h"
#include "models/search/beam_search.h"
#include "models/training/batches/example_batches.h"
#include "tests/models/every_model.h"
#include "tests/models/toy_model.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <set>

using namespace weft;
using ir::Array;
using search::Hypotheses;
using search::Hypothesis;
using tests::config_of;
using tests::kIds;
using tests::random_table;
using tests::TableModel;
using tests::with_end;

namespace {

// Every sequence, the best first.
Hypotheses exhaustive(const TableModel& m, double length_penalty) {
  Hypotheses all = tests::all_sequences(m);
  for (Hypothesis& h : all)
    h.score = h.log_probability /
              std::pow(static_cast<double>(h.tokens.size() + (h.ended ? 1 : 0)), length_penalty);
  return tests::best_first(std::move(all));
}

// Parameters large enough for sentences to differ.
ParameterStore lively_store(const search::Decoder& d, uint64_t seed, ir::DType real) {
  ParameterStore store(seed, real);
  store.prepare(d.encode.graph());
  store.prepare(d.step.graph());
  for (const auto& p : store.parameters()) {
    Array a = p.array;
    for (int64_t i = 0; i < a.size(); ++i) a.set(i, 3 * a.at(i));
  }
  return store;
}

// Probabilities and weights that a search found, against teacher forcing.
void check_against_forcing(const tests::NamedModels& models, int64_t sentences = 5) {
  for (const auto& model : models) {
    CAPTURE(model.first);
    const seq2seq::Settings& c = model.second;
    search::Decoder d =
        seq2seq::decoder(c, {.beam = 3, .weights = true}, tests::reference_options());
    ParameterStore store = lively_store(d, 11, ir::DType::f64);
    const auto sources = tests::reversals(sentences, 6, 12);
    const auto found = search::search(d, store, sources, {}, {.n_best = 3});
    Program loss = Program::inference(seq2seq::loss_graph(c, false), tests::reference_options());
    std::optional<Program> attention;
    if (seq2seq::has_attention(c))
      attention.emplace(
          Program::inference(seq2seq::attention_graph(c), tests::reference_options()));
    for (size_t i = 0; i < found.size(); ++i) {
      REQUIRE(found[i].size() == 3);
      CHECK(found[i][0].score >= found[i][1].score);
      for (const Hypothesis& h : found[i]) {
        if (!h.ended) continue;
        const std::vector<data::EncodedExample> one{{sources[i].source, h.tokens, 1}};
        const data::Batch b = data::make_batch(one, std::vector<int64_t>{0}, {});
        const auto r = loss.run(store, training::inputs_of(b));
        CHECK(-h.log_probability ==
              doctest::Approx(r.at("loss").at(0) * r.at("tokens").at(0)).epsilon(1e-9));
        if (!attention) continue;
        const Array forced = attention->run(store, training::inputs_of(b)).at("weights");
        REQUIRE(h.weights.size() == h.tokens.size() + 1);
        for (size_t t = 0; t < h.weights.size(); ++t)
          for (size_t s = 0; s < sources[i].source.size(); ++s)
            CHECK(h.weights[t][s] ==
                  doctest::Approx(forced.at(static_cast<int64_t>(t) * b.source_width() +
                                            static_cast<int64_t>(s)))
                      .epsilon(1e-6));
      }
    }
  }
}

}  // namespace

TEST_CASE("search: a beam that holds everything finds what exhaustive search finds") {
  for (const uint64_t seed : {1, 2, 3})
    for (const double penalty : {0.0, 1.0, 0.6}) {
      const TableModel m = random_table(4, 2, seed);
      const Hypotheses expected = exhaustive(m, penalty);
      const Hypotheses found = m.search(64, {.n_best = 12, .length_penalty = penalty});
      REQUIRE(found.size() == 12);
      for (size_t i = 0; i < found.size(); ++i) {
        CAPTURE(i);
        CHECK(with_end(found[i]) == with_end(expected[i]));
        CHECK(found[i].score == doctest::Approx(expected[i].score).epsilon(1e-12));
      }
    }
}

TEST_CASE("search: a beam of one takes the likeliest token at every step") {
  for (const uint64_t seed : {4, 5, 6, 7}) {
    const TableModel m = random_table(6, 4, seed);
    std::vector<int32_t> expected;
    while (std::ssize(expected) < m.steps && (expected.empty() || expected.back() != kIds.end)) {
      std::vector<double> p;
      for (int32_t v = 0; v < m.vocabulary; ++v) {
        expected.push_back(v);
        p.push_back(m.log_probability(expected));
        expected.pop_back();
      }
      expected.push_back(static_cast<int32_t>(std::max_element(p.begin(), p.end()) - p.begin()));
    }
    const Hypothesis found = m.search(1, {}).front();
    CHECK(with_end(found) == expected);
    CHECK(found.log_probability == doctest::Approx(m.log_probability(expected)).epsilon(1e-12));
  }
}

TEST_CASE("search: no </s> before min_length, none needed at max_length") {
  const TableModel m = random_table(6, 3, 8);
  for (const Hypothesis& h : m.search(3, {.n_best = 3, .max_length = {0, 5}, .min_length = 3})) {
    CHECK(h.tokens.size() >= 3);
    CHECK(h.tokens.size() <= 5);
  }
  const Hypothesis cut = m.search(2, {.max_length = {0, 4}, .min_length = 4}).front();
  CHECK(cut.tokens.size() == 4);
  CHECK_FALSE(cut.ended);
}

TEST_CASE("search: <pad> and <s> are never produced, likely as the model may find them") {
  TableModel m = random_table(4, 2, 21);
  for (int64_t row = 0; row < m.table.size() / m.vocabulary; ++row) {
    for (int64_t i = 0; i < m.vocabulary; ++i) {
      const double rest = std::exp(m.table.at(row * m.vocabulary + i));
      const bool likely = i == kIds.pad || i == kIds.begin;
      m.table.set(row * m.vocabulary + i, std::log(likely ? 0.4 : 0.2 * rest));
    }
  }
  const Hypotheses expected = exhaustive(m, 0);
  const Hypotheses found = m.search(64, {.n_best = 12});
  REQUIRE(found.size() == 12);
  for (size_t i = 0; i < found.size(); ++i) {
    CHECK(with_end(found[i]) == with_end(expected[i]));
    CHECK(found[i].score == doctest::Approx(expected[i].score).epsilon(1e-12));
  }
}

TEST_CASE("search: the ids that begin, end and pad are the vocabulary's") {
  // With token 6 as the end, which begins too, and 4 for padding: what was <pad> is a word.
  const TableModel m = random_table(4, 3, 26);
  const data::SpecialIds ids{.pad = 4, .begin = 6, .end = 6, .unknown = 5};
  search::Decoder d = m.decoder(4, ids);
  ParameterStore store = m.store();
  const Array source = Array::of(ir::DType::s32, {1, 1}, std::vector{3}),
              lengths = Array::of(ir::DType::s32, {1}, std::vector{1});
  const std::vector<Hypotheses> found =
      search::search(d, store, source, lengths, {.n_best = 4, .max_length = {0, 4}});
  for (const Hypothesis& h : found.front()) {
    std::vector<int32_t> tokens = h.tokens;
    CHECK(std::count(tokens.begin(), tokens.end(), 4) == 0);
    CHECK(std::count(tokens.begin(), tokens.end(), 6) == 0);
    if (h.ended) tokens.push_back(6);
    CHECK(h.log_probability ==
          doctest::Approx(m.log_probability(tokens, ids.begin)).epsilon(1e-12));
  }
}

TEST_CASE("search: a beam is full, and no hypothesis is in it twice") {
  const Hypotheses found = random_table(7, 3, 22).search(64, {.n_best = 64});
  std::set<std::vector<int32_t>> distinct;
  for (const Hypothesis& h : found) distinct.insert(with_end(h));
  CHECK(distinct.size() == 64);
}

TEST_CASE("search: the larger the length penalty, the longer what comes first") {
  const TableModel m = random_table(6, 3, 23);
  const Hypotheses found = m.search(8, {.n_best = 8, .length_penalty = 20});
  for (size_t i = 1; i < found.size(); ++i) {
    CHECK(with_end(found[i - 1]).size() >= with_end(found[i]).size());
    CHECK(found[i - 1].score < 0);
  }
}

TEST_CASE("search: a limit of length is a number or goes by the source") {
  const auto of = [](std::string_view text, int64_t source) {
    return search::length_limit_named(text).of(source);
  };
  CHECK(of("200", 7) == 200);
  CHECK(of("3x", 7) == 21);
  CHECK(of("1.5x+10", 7) == 20);
  CHECK(of("0.1x", 3) == 1);
  for (const char* text : {"200", "3x", "1.5x+10"})
    CHECK(search::str(search::length_limit_named(text)) == text);
  for (const char* text : {"", "x", "-1", "2y", "2x+", "2x-3", "0", "0x", "nanx", "infx", "1e9x",
                           "99999999999", "3x+10 "})
    CHECK_THROWS_AS(search::length_limit_named(text), ir::GraphError);
}

TEST_CASE("search: hypotheses end at the last position that a model has, and say so") {
  transformer::Config c = tests::small_transformer(8);
  c.positions = transformer::PositionKind::learned;
  c.max_positions = 12;
  for (const int64_t beam : {1, 3}) {
    search::Decoder d = seq2seq::decoder(c, {.beam = beam}, tests::fast_options());
    ParameterStore store = lively_store(d, 24, ir::DType::f32);
    const auto sources = tests::reversals(30, 12, 25);
    const auto found = search::search(d, store, sources, {.round_source = 8},
                                      {.n_best = beam, .max_length = {0, 50}, .min_length = 11});
    for (const Hypotheses& list : found) {
      REQUIRE(std::ssize(list) == beam);
      for (const Hypothesis& h : list) CHECK(with_end(h).size() == 12);
    }
    const auto too_long = tests::reversals(30, 20, 25);
    CHECK_THROWS_WITH_AS(search::search(d, store, too_long, {}, {}),
                         doctest::Contains("the model has 12 positions"), ir::GraphError);
  }
}

TEST_CASE("search: options out of range are refused by name") {
  const TableModel m = random_table(3, 2, 9);
  const auto message = [&](int64_t beam, const search::SearchOptions& o) -> std::string {
    try {
      m.search(beam, o);
    } catch (const ir::GraphError& e) {
      return e.what();
    }
    return "";
  };
  CHECK(message(2, {.n_best = 3}) == "n_best is 3, needed is 1 to the beam, 2");
  CHECK(message(2, {.length_penalty = -1}) ==
        "length_penalty is -1, needed is a number from 0 to 20");
  CHECK(message(2, {.length_penalty = HUGE_VAL}) ==
        "length_penalty is inf, needed is a number from 0 to 20");
  CHECK(message(2, {.length_penalty = std::nan("")}).find("needed is a number from 0 to 20") !=
        std::string::npos);
  CHECK(message(2, {.max_length = {-1, 0}}).find("a limit of -1 tokens for each") == 0);
  CHECK(message(0, {}).find("beam is 0, needed is 1 to 1024") == 0);
}

TEST_CASE("search: probabilities and weights are those of teacher forcing, for every attention") {
  check_against_forcing(tests::recurrent_models());
  check_against_forcing(tests::transformer_models());
}

TEST_CASE("search: ... for every part of recurrent models") {
  check_against_forcing(tests::recurrent_variants(), 2);
}

TEST_CASE("search: ... for every part of transformers, and for convolutional models") {
  check_against_forcing(tests::transformer_variants(), 2);
  check_against_forcing(tests::convolutional_variants(), 2);
  check_against_forcing(tests::hybrid_variants(), 2);
}

TEST_CASE("search: a window's caches are rings, and score as a mask over whole sentences does") {
  int ended = 0;
  for (const int64_t beam : {1, 3})
    // Round once and often, grown before, and not at all.
    for (const auto& sizes : {std::pair{1, 30}, {4, 30}, {70, 100}, {100, 30}}) {
      const int64_t window = sizes.first, limit = sizes.second;
      CAPTURE(beam);
      CAPTURE(window);
      transformer::Config c = tests::small_transformer(8);
      c.window = window;
      search::Decoder d = seq2seq::decoder(c, {.beam = beam}, tests::reference_options());
      Program loss =
          Program::inference(transformer::loss_graph(c, false), tests::reference_options());
      ParameterStore store = lively_store(d, 5, ir::DType::f64);
      const auto sources = tests::reversals(4, 6, 3);
      const auto found =
          search::search(d, store, sources, {},
                         {.n_best = beam, .max_length = {0, limit}, .min_length = limit * 3 / 4});
      for (size_t i = 0; i < found.size(); ++i)
        for (const Hypothesis& h : found[i]) {
          if (!h.ended) continue;
          ++ended;
          const std::vector<data::EncodedExample> one{{sources[i].source, h.tokens, 1}};
          const data::Batch b = data::make_batch(one, std::vector<int64_t>{0}, {});
          const auto r = loss.run(store, training::inputs_of(b));
          CHECK(-h.log_probability ==
                doctest::Approx(r.at("loss").at(0) * r.at("tokens").at(0)).epsilon(1e-9));
        }
    }
  CHECK(ended > 10);
}

TEST_CASE("search: on the whole, a wider beam finds what is likelier than greedy search") {
  const rnn::Config c = config_of(rnn::AttentionKind::additive);
  search::Decoder narrow = seq2seq::decoder(c, {}, tests::reference_options()),
                  wide = seq2seq::decoder(c, {.beam = 6}, tests::reference_options());
  ParameterStore store = lively_store(narrow, 13, ir::DType::f64);
  const auto sources = tests::reversals(20, 6, 14);
  const auto greedy = search::search(narrow, store, sources, {}),
             beam = search::search(wide, store, sources, {});
  // Of one sentence it need not: what greedy search follows may leave the beam.
  double gain = 0;
  for (size_t i = 0; i < sources.size(); ++i)
    gain += beam[i][0].log_probability - greedy[i][0].log_probability;
  CHECK(gain > 1);
}

TEST_CASE("search: a sentence's result does not depend on its batch, bit for bit") {
  std::vector<std::pair<std::string, seq2seq::Settings>> models;
  using enum rnn::AttentionKind;
  for (const auto kind : {additive, dot, general, none})
    models.emplace_back(rnn::name(kind), config_of(kind, 32));
  models.emplace_back("transformer", tests::small_transformer(32));
  for (const auto& model : models)
    for (const int64_t beam : {1, 4}) {
      CAPTURE(model.first);
      CAPTURE(beam);
      search::Decoder d = seq2seq::decoder(model.second, {.beam = beam}, tests::fast_options());
      ParameterStore store = lively_store(d, 15, ir::DType::f32);
      const auto sources = tests::reversals(37, 20, 16);
      const auto together = search::search(d, store, sources, {});
      // One, two, three, ... at a time.
      for (size_t begin = 0, count = 1; begin < sources.size(); begin += count++) {
        count = std::min(count, sources.size() - begin);
        const auto apart = search::search(d, store, std::span(&sources[begin], count), {});
        for (size_t i = 0; i < count; ++i) {
          CHECK(apart[i][0].tokens == together[begin + i][0].tokens);
          CHECK(apart[i][0].log_probability == together[begin + i][0].log_probability);
        }
      }
    }
}

TEST_CASE("search: encoders compute the real tokens of their sources") {
  const std::vector<seq2seq::Settings> models{config_of(rnn::AttentionKind::additive),
                                              tests::small_transformer(16)};
  for (const seq2seq::Settings& s : models) {
    const search::Decoder d = seq2seq::decoder(s, {}, tests::fast_options());
    CHECK(ir::print(d.encode.graph()).find(" = pack(") != std::string::npos);
  }
}

TEST_CASE("search: executables have the rows there are, or up to an eighth more") {
  for (int64_t n = 1; n <= 16; ++n) CHECK(search::padded_rows(n) == n);
  for (int64_t n = 17; n <= 300; ++n) {
    CAPTURE(n);
    CHECK(search::padded_rows(n) >= n);
    CHECK(search::padded_rows(n) * 8 <= n * 9);
  }
  CHECK(search::padded_rows(32) == 32);
  CHECK(search::padded_rows(128) == 128);
}

TEST_CASE("search: where nobody asks for scores, greedy search finds the same tokens") {
  const seq2seq::Settings c = tests::small_transformer(16);
  search::Decoder with = seq2seq::decoder(c, {}, tests::fast_options()),
                  without = seq2seq::decoder(c, {.scores = false}, tests::fast_options());
  ParameterStore store = lively_store(with, 17, ir::DType::f32);
  const auto sources = tests::reversals(20, 9, 18);
  const auto expected = search::search(with, store, sources, {}),
             found = search::search(without, store, sources, {});
  for (size_t i = 0; i < sources.size(); ++i) {
    CHECK(found[i][0].tokens == expected[i][0].tokens);
    CHECK(found[i][0].ended == expected[i][0].ended);
    CHECK(std::isnan(found[i][0].log_probability));
  }
  CHECK_THROWS_WITH_AS(seq2seq::step_graph(c, {.beam = 2, .scores = false}),
                       "a beam of 2 needs scores to compare hypotheses", ir::GraphError);
}

TEST_CASE("search: a step yields all log-probabilities to who asks for them, or the best") {
  const seq2seq::Settings c = config_of(rnn::AttentionKind::dot);
  Program step = Program::inference(seq2seq::step_graph(c, {.beam = 2, .log_probabilities = true}),
                                    tests::reference_options()),
          of_best =
              Program::inference(seq2seq::step_graph(c, {.beam = 2}), tests::reference_options());
  const search::Decoder d = seq2seq::decoder(c, {.beam = 2}, tests::reference_options());
  ParameterStore store = lively_store(d, 19, ir::DType::f64);
  ir::NamedArrays inputs;
  const ir::Bindings sizes{{"B", 3}, {"K", 2}, {"S", 4}};
  for (const ir::Argument& a : step.graph().arguments()) {
    if (a.kind != ir::ArgumentKind::input) continue;
    const ir::TensorType& type = step.graph().type(a.value);
    inputs.add(step.graph().info(a.value).name,
               Array(ir::is_float(type.dtype) ? ir::DType::f64 : type.dtype,
                     ir::values(type.shape, sizes)));
  }
  const auto r = step.run(store, inputs), named = of_best.run(store, inputs);
  const Array &all = r.at("log_probability"), &best = named.at("candidate_score"),
              &token = named.at("candidate_token");
  REQUIRE(all.dims() == ir::Dims{3, 2, tests::kSmallVocabulary});
  double sum = 0;
  for (int64_t v = 0; v < all.dim(2); ++v) sum += std::exp(all.at(v));
  CHECK(sum == doctest::Approx(1));
  for (int64_t i = 0; i < best.dim(2); ++i) CHECK(best.at(i) == all.at(token.integer_at(i)));
}

TEST_CASE("search: a decoder is of the beam that its step has") {
  const seq2seq::Settings c = config_of(rnn::AttentionKind::dot);
  const ir::Graph encode = seq2seq::encode_graph(c), step = seq2seq::step_graph(c, {.beam = 2});
  CHECK_THROWS_WITH_AS(search::Decoder(encode, step, tests::reference_options()),
                       "graph 'step' is no step of a search with a beam of 1", ir::GraphError);
  CHECK_THROWS_WITH_AS(search::Decoder(encode, encode, tests::reference_options()),
                       "graph 'encode' is no step of a search: it has no candidates",
                       ir::GraphError);
}
