// tests/models/risk_test.cpp -- minimum risk training: weights of candidates, their batches, and what
// is learnt.
#include "models/training/example_batches.h"
#include "models/training/risk_batches.h"
#include "tests/models/small_training.h"

#include <doctest/doctest.h>

#include <cmath>

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
  RiskBatches batches(maker, target_and_shorter, {.samples = 2, .sharpness = 1}, options);
  ParameterStore store;
  CHECK_THROWS_AS(batches.next(), ir::GraphError);
  batches.follow(store);
  const TrainingBatch batch = batches.next();
  REQUIRE(batch.parts.size() == 1);
  const ir::NamedArrays& part = batch.parts[0];
  CHECK(part.at("target_in").dim(0) == 12);
  for (int64_t b = 1; b < 12; ++b)
    CHECK(part.at("target_lengths").integer_at(b) <= part.at("target_lengths").integer_at(b - 1));
  double weights = 0;
  for (int64_t b = 0; b < 12; ++b) weights += part.at("row_weights").at(b);
  CHECK(std::fabs(weights) < 1e-4);  // of each sentence, they sum to zero
  REQUIRE(batch.loss);
  CHECK(*batch.loss > 0);
  CHECK(*batch.loss < 1);
  CHECK(batches.settings().at("training.risk_samples") == "2");
}
