// tests/models/risk_test.cpp -- minimum risk training: weights of candidates, their batches, and what
// is learnt.
#include "frontend/compile/training_program.h"
#include "models/training/batches/example_batches.h"
#include "models/training/batches/risk_batches.h"
#include "models/translator/risk_sampler.h"
#include "tests/formats/temporary_folder.h"
#include "tests/models/small_training.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <memory>

using namespace weft;
using namespace weft::training;
using ir::Array;
using Tokens = std::vector<int32_t>;

namespace {

const Tokens kReference{4, 5, 6, 7, 8};

std::vector<Candidate> candidates(const std::vector<double>& log_probabilities) {
  const Tokens texts[] = {{4, 5, 6, 7, 8}, {4, 5, 6, 7}, {8, 7, 6}, {4, 5, 9, 7, 8}};
  std::vector<Candidate> all;
  for (size_t i = 0; i < log_probabilities.size(); ++i)
    all.push_back({texts[i % 4], log_probabilities[i]});
  return all;
}

// Draws nothing: the target of each sentence, as it is and cut by a token.
std::vector<std::vector<Candidate>> target_and_shorter(ParameterStore&, const Array& source,
                                                       const Array& lengths, uint64_t) {
  std::vector<std::vector<Candidate>> all;
  for (int64_t b = 0; b < source.dim(0); ++b) {
    Tokens target;
    for (int64_t s = lengths.integer_at(b); s-- > 0;)
      target.push_back(static_cast<int32_t>(source.integer_at(b * source.dim(1) + s)));
    Tokens shorter = target;
    shorter.pop_back();
    all.push_back({{shorter, -1.5}, {target, -2}});
  }
  return all;
}

}  // namespace

TEST_CASE(
    "risk: weights are the derivatives of the expected cost, and the right one costs nothing") {
  const std::vector<double> at{-1, -2, -1.5, -3};
  const double sharpness = 0.7;
  const WeighedCandidates w = weigh(candidates(at), kReference, sharpness);
  REQUIRE(w.weights.size() == 4);
  double sum = 0;
  for (size_t i = 0; i < at.size(); ++i) {
    const auto risk = [&](double by) {
      std::vector<double> moved = at;
      moved[i] += by;
      return weigh(candidates(moved), kReference, sharpness).risk;
    };
    // Weights are of -log P.
    CHECK(w.weights[i] == doctest::Approx(-(risk(1e-6) - risk(-1e-6)) / 2e-6).epsilon(1e-6));
    sum += w.weights[i];
  }
  CHECK(std::fabs(sum) < 1e-12);
  CHECK(w.weights[0] > 0);  // the reference becomes likelier
  CHECK(weigh({{kReference, -5}}, kReference, 1).risk == doctest::Approx(0).epsilon(1e-12));
}

TEST_CASE("risk: a candidate counts once, however often it was drawn") {
  const WeighedCandidates once = weigh(candidates({-1, -2}), kReference, 1),
                          often = weigh(candidates({-1, -2, -9, -9, -1, -2}), kReference, 1);
  CHECK(often.candidates.size() == 4);
  CHECK(once.candidates.size() == 2);
}

TEST_CASE("risk: candidates are the rows of a batch, longest first, and the risk is its loss") {
  const auto examples = tests::reversals(6, 5, 3);
  const data::BatchOptions options{.max_rows = 6};
  const auto maker =
      std::make_shared<ExampleBatches>(examples, std::vector<data::EncodedExample>(), options);
  RiskBatches batches(maker, target_and_shorter, {.samples = 2, .sharpness = 1, .reference = false},
                      options);
  ParameterStore store;
  CHECK_THROWS_AS(batches.next(), ir::GraphError);
  batches.follow(store);
  const TrainingBatch batch = batches.next();
  REQUIRE(batch.parts.size() == 1);
  const ir::NamedArrays& part = batch.parts[0];
  REQUIRE(part.at("target_in").dim(0) == 16);  // 12, and what fills up
  for (int64_t b = 1; b < 16; ++b)
    CHECK(part.at("target_lengths").integer_at(b) <= part.at("target_lengths").integer_at(b - 1));
  double weights = 0;
  for (int64_t b = 0; b < 16; ++b) weights += part.at("row_weights").at(b);
  CHECK(std::fabs(weights) < 1e-4);  // of each sentence, they sum to zero
  REQUIRE(batch.loss);
  CHECK(*batch.loss > 0);
  CHECK(*batch.loss < 1);
  CHECK(batch.loss_name == "risk");
  CHECK(batches.settings().at("training.risk_samples") == "2");
  CHECK(batches.settings().at("training.risk_metric") == "bleu");
  CHECK(batches.settings().at("training.risk_reference") == "false");
}

TEST_CASE("risk: the reference is a candidate too, drawn or not, and becomes likelier") {
  const data::BatchOptions options{.max_rows = 6};
  const auto maker = std::make_shared<ExampleBatches>(tests::reversals(6, 5, 3),
                                                      std::vector<data::EncodedExample>(), options);
  const Sampler sampler = [](ParameterStore&, const Array& source, const Array&, uint64_t) {
    std::vector<std::vector<Candidate>> all(static_cast<size_t>(source.dim(0)));
    all[0].push_back({{4, 4, 7}, -1});  // of the others nothing ended
    return all;
  };
  const Scorer scorer = [](ParameterStore&, const ir::NamedArrays& batch) {
    return std::vector<double>(static_cast<size_t>(batch.at("source").dim(0)), -2);
  };
  const RiskSettings settings{.samples = 2, .sharpness = 1};
  RiskBatches batches(maker, sampler, settings, options, token_bleu_cost, scorer);
  ParameterStore store;
  batches.follow(store);
  const TrainingBatch batch = batches.next();
  const ir::NamedArrays& part = batch.parts[0];
  CHECK(part.at("target_in").dim(0) == 8);  // six references, what was drawn, an end that fills up
  // Of two that differ by one in log P; where there is nothing else the reference costs nothing.
  CHECK(*batch.loss < 1 / (1 + std::exp(-1.0)) / 6 + 1e-9);
  CHECK(*batch.loss > 0.5 / (1 + std::exp(-1.0)) / 6);
  int likelier = 0;
  for (int64_t b = 0; b < 8; ++b) {
    if (part.at("row_weights").at(b) <= 0) continue;
    ++likelier;
    const int64_t n = part.at("source_lengths").integer_at(b);
    REQUIRE(part.at("target_lengths").integer_at(b) == n + 1);
    for (int64_t i = 0; i < n; ++i)
      CHECK(part.at("target_out").integer_at(b * part.at("target_out").dim(1) + i) ==
            part.at("source").integer_at(b * part.at("source").dim(1) + n - 1 - i));
  }
  CHECK(likelier == 1);
  CHECK_THROWS_WITH_AS(RiskBatches(maker, sampler, settings, options),
                       "a reference among the candidates needs a scorer", ir::GraphError);
}

TEST_CASE("risk: a scorer gives what single tokens lose, summed up, whatever the batch") {
  const seq2seq::Settings config = tests::small_config(8);
  const Scorer scorer = risk_scorer(config, tests::fast_options());
  Seq2seqRun run = tests::small_setup(1);
  run.config = config;
  Trainer trainer(run);
  trainer.run();
  const auto pairs = tests::reversals(5, 6, 7);
  const auto scores = [&](const std::vector<int64_t>& rows) {
    const data::Batch batch = data::make_batch(pairs, rows, data::BatchOptions());
    const auto found = scorer(trainer.store(), inputs_of(batch));
    std::map<int64_t, double> by_id;
    for (size_t b = 0; b < found.size(); ++b)
      by_id[batch.row_ids.integer_at(static_cast<int64_t>(b))] = found[b];
    return by_id;
  };
  const auto together = scores({0, 1, 2, 3, 4});
  REQUIRE(together.size() == 5);
  for (int64_t i = 0; i < 5; ++i)
    for (const auto& [id, alone] : scores({i})) {
      CHECK(alone < 0);
      CHECK(alone == doctest::Approx(together.at(id)).epsilon(1e-5));
    }
}

namespace {

// -log P of the pair's target, by the graph that shows what tokens lose.
double loss_of(Program& scorer, ParameterStore& store, const data::EncodedExample& pair) {
  const data::Batch batch =
      data::make_batch(std::span(&pair, 1), std::vector<int64_t>{0}, data::BatchOptions());
  const Array losses = scorer.run(store, inputs_of(batch)).at("token_losses");
  double sum = 0;
  for (int64_t t = 0; t < losses.size(); ++t) sum += losses.at(t);
  return sum;
}

// Three translations of each source, whatever the model is, or two and no reference; with the
// probabilities it gives them.
std::vector<std::vector<Candidate>> some_each(Program& scorer, ParameterStore& store,
                                              const Array& source, const Array& lengths,
                                              bool with_reference) {
  auto all = target_and_shorter(store, source, lengths, 0);
  for (size_t b = 0; b < all.size(); ++b) {
    if (!with_reference) all[b].pop_back();
    all[b].push_back({{4, 4, 7}, 0});
    const auto row = static_cast<int64_t>(b);
    data::EncodedExample pair{.source = {}, .target = {}, .id = 1};
    for (int64_t s = 0; s < lengths.integer_at(row); ++s)
      pair.source.push_back(static_cast<int32_t>(source.integer_at(row * source.dim(1) + s)));
    for (Candidate& c : all[b]) {
      pair.target = c.tokens;
      c.log_probability = -loss_of(scorer, store, pair);
    }
  }
  return all;
}

double squares_of(const ParameterStore& a, const ParameterStore& b) {
  double sum = 0;
  for (const auto& p : a.parameters())
    for (int64_t i = 0; i < p.array.size(); ++i)
      sum += std::pow(p.array.at(i) - b.at(p.name).at(i), 2);
  return sum;
}

}  // namespace

TEST_CASE("risk: the step's gradient is that of the risk, by central differences") {
  // Of the transformer the reference is not drawn, but there.
  for (const bool reference : {false, true}) {
    seq2seq::Settings config = reference ? seq2seq::Settings(tests::small_transformer(4))
                                         : seq2seq::Settings(tests::small_config(3));
    seq2seq::Ends ends = seq2seq::ends(config);
    ends.weighted = true;
    seq2seq::set_ends(config, ends);
    Program scorer = Program::inference(seq2seq::score_graph(config), tests::reference_options());
    TrainingProgram program(seq2seq::loss_graph(config, true),
                            {.optimizer = {.kind = OptimizerKind::sgd, .clip_norm = 0}},
                            tests::reference_options());
    ParameterStore store(2, ir::DType::f64);
    program.prepare(store);
    const data::BatchOptions options{.max_rows = 3};
    const auto maker = std::make_shared<ExampleBatches>(
        tests::reversals(3, 4, 5), std::vector<data::EncodedExample>(), options);
    const Sampler sampler = [&](ParameterStore& of, const Array& source, const Array& lengths,
                                uint64_t) {
      return some_each(scorer, of, source, lengths, !reference);
    };
    const auto batch_at = [&](ParameterStore& of) {
      RiskBatches batches(maker, sampler, {.samples = 3, .sharpness = 0.3, .reference = reference},
                          options, token_bleu_cost,
                          risk_scorer(config, tests::reference_options()));
      maker->seek({});
      batches.follow(of);
      return batches.next();
    };
    const ParameterStore before = store.clone();
    program.update(store, batch_at(store).parts, 1);  // by minus the gradient
    const double squares = squares_of(before, store);
    REQUIRE(squares > 0);
    const auto risk_at = [&](double by) {
      ParameterStore moved = before.clone();
      for (const auto& p : before.parameters()) {
        Array to = moved.at(p.name);
        for (int64_t i = 0; i < to.size(); ++i)
          to.set(i, p.array.at(i) + by * (p.array.at(i) - store.at(p.name).at(i)));
      }
      return *batch_at(moved).loss;
    };
    const double h = 1e-4 / std::sqrt(squares);
    // The weights of rows are f32.
    CHECK((risk_at(h) - risk_at(-h)) / (2 * h) == doctest::Approx(squares).epsilon(1e-5));
  }
}

namespace {

double expected_cost(const Sampler& sampler, ParameterStore& store,
                     const std::vector<data::EncodedExample>& pairs) {
  double cost = 0, count = 0;
  const data::BatchOptions options;
  std::vector<int64_t> all(pairs.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
  const data::Batch batch = data::make_batch(pairs, all, options);
  const auto drawn = sampler(store, batch.source, batch.source_lengths, 99);
  for (size_t row = 0; row < drawn.size(); ++row)
    for (const Candidate& c : drawn[row]) {
      const auto id = static_cast<size_t>(batch.row_ids.integer_at(static_cast<int64_t>(row)));
      cost += token_bleu_cost(c.tokens, pairs[id - 1].target);
      ++count;
    }
  return cost / count;
}

}  // namespace

TEST_CASE("risk: a trained model's expected BLEU rises") {
  Seq2seqRun run = tests::small_setup(120);
  rnn::Config config = tests::small_config(16);
  config.seed = 3;
  run.config = config;
  run.rate.shrink = 1;
  run.limits = {.steps = 120, .validate_every = 1000};
  Trainer words(run);
  words.run();
  const Sampler sampler =
      risk_sampler(config, tests::small_vocabulary("target").special(), 12, tests::fast_options());
  run.limits.steps = 25;
  run.rate.learning_rate = 0.004;
  run.risk = {.samples = 12, .sharpness = 0.2};
  run.sampler = sampler;
  run.scorer = risk_scorer(config, tests::fast_options());
  Trainer risks(run);
  for (const auto& p : words.store().parameters())
    risks.store().set(p.name, ir::ArgumentKind::parameter, p.array.clone());
  const auto pairs = tests::reversals(12, 5, 2);
  const double before = expected_cost(sampler, risks.store(), pairs);
  double first = 0, last = 0;
  risks.run([&](const Event& e) {
    if (e.kind != Event::Kind::step) return;
    CHECK(e.loss_name == "risk");
    if (first == 0) first = e.loss;
    last = e.loss;
  });
  const double after = expected_cost(sampler, risks.store(), pairs);
  INFO(before, " before, ", after, " after; shown ", first, " and ", last);
  CHECK(after < 0.9 * before);
  CHECK(last < first);
}

TEST_CASE("risk: what is drawn is a function of the sentence, the seed and the parameters") {
  const seq2seq::Settings config = tests::small_config(8);
  Seq2seqRun run = tests::small_setup(1);
  run.config = config;
  Trainer trainer(run);
  trainer.run();
  const Sampler sampler =
      risk_sampler(config, tests::small_vocabulary("target").special(), 4, tests::fast_options());
  const auto pairs = tests::reversals(5, 6, 7);
  const data::BatchOptions options;
  const auto drawn = [&](const std::vector<int64_t>& rows, uint64_t seed) {
    const data::Batch batch = data::make_batch(pairs, rows, options);
    std::map<int64_t, std::vector<std::pair<Tokens, double>>> by_id;
    const auto all = sampler(trainer.store(), batch.source, batch.source_lengths, seed);
    for (size_t b = 0; b < all.size(); ++b)
      for (const Candidate& c : all[b])
        by_id[batch.row_ids.integer_at(static_cast<int64_t>(b))].push_back(
            {c.tokens, c.log_probability});
    return by_id;
  };
  const auto together = drawn({0, 1, 2, 3, 4}, 1);
  for (int64_t i = 0; i < 5; ++i)
    for (const auto& [id, alone] : drawn({i}, 1)) CHECK(alone == together.at(id));
  CHECK(drawn({0, 1, 2, 3, 4}, 2) != together);
}

TEST_CASE("risk: a run goes on bit for bit, and says when risks are learnt in other ways") {
  const tests::TemporaryFolder folder;
  const auto setup = [&](int64_t steps, const std::string& name) {
    Seq2seqRun run = tests::small_setup(steps, folder / name);
    run.risk = {.samples = 3, .sharpness = 0.5};
    run.sampler = risk_sampler(run.config, tests::small_vocabulary("target").special(), 3,
                               tests::fast_options());
    run.scorer = risk_scorer(run.config, tests::fast_options());
    return run;
  };
  Trainer(setup(3, "whole")).run();
  Trainer(setup(1, "parts")).run();
  Trainer second(setup(3, "parts"));
  CHECK(second.resume().empty());
  second.run();
  CHECK(tests::bytes_of(folder / "whole/last.safetensors") ==
        tests::bytes_of(folder / "parts/last.safetensors"));
  Seq2seqRun other = setup(8, "parts");
  other.risk.sharpness = 1;
  const auto changes = Trainer(other).resume();
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].str() == "training.risk_sharpness was 0.5, is 1");
  other.sampler = {};
  CHECK_THROWS_AS(Trainer{other}, ir::GraphError);
}

TEST_CASE("risk: costs are of the text that tokens are") {
  const data::Tokenizer words = tests::small_vocabulary("target");
  const Tokens reference{4, 5, 6, 7}, other{4, 5, 6, 8}, none;
  const Cost bleu = text_cost(words, "bleu", "13a"), per = text_cost(words, "per", "13a");
  CHECK(bleu(reference, reference) == doctest::Approx(0));
  CHECK(per(reference, reference) == 0);
  CHECK(per(other, reference) == doctest::Approx(0.25));
  CHECK(bleu(other, reference) > 0.2);
  CHECK(bleu(none, reference) == doctest::Approx(1));
}
