// tests/models/monotonic_test.cpp -- monotonic attention and chunks, against their definitions.
#include "tests/models/every_model.h"
#include "tests/models/oracle.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace weft;
using ir::Array;

namespace {

using Row = std::vector<double>;

// Where attention stops, over all ways to go on from where it stood: Raffel et al. 2017, eq. 8, as the
// sum it stands for. stop: p_j, before: where it stood.
Row all_ways(const Row& stop, const Row& before) {
  Row alignment(stop.size(), 0);
  for (size_t from = 0; from < stop.size(); ++from)
    for (size_t j = from; j < stop.size(); ++j) {
      double way = before[from] * stop[j];
      for (size_t passed = from; passed < j; ++passed) way *= 1 - stop[passed];
      alignment[j] += way;
    }
  return alignment;
}

// Chiu and Raffel 2018: a softmax over the chunk that ends at each position where attention may stand.
Row over_chunks(const Row& alignment, const Row& scores, int64_t chunk, int64_t length) {
  Row weights(alignment.size(), 0);
  for (int64_t k = 0; k < length; ++k) {
    const int64_t first = std::max<int64_t>(0, k - chunk + 1);
    double total = 0;
    for (int64_t l = first; l <= k; ++l) total += std::exp(scores[static_cast<size_t>(l)]);
    for (int64_t j = first; j <= k; ++j)
      weights[static_cast<size_t>(j)] +=
          alignment[static_cast<size_t>(k)] * std::exp(scores[static_cast<size_t>(j)]) / total;
  }
  return weights;
}

constexpr int64_t kKeys = 7, kWidth = 3;

struct Attention {
  Row weights, alignment, context;
};

// One step for a source of `length` of kKeys positions, with parameters from a seed, and what it is by the
// definitions, from energies computed here.
struct Compared {
  Attention found, defined;
};

Array random_array(ir::Dims dims, uint64_t seed) {
  data::Random random(seed);
  Array x(ir::DType::f64, std::move(dims));
  for (int64_t i = 0; i < x.size(); ++i) x.set(i, 2 * random.uniform() - 1);
  return x;
}

Row row_of(const Array& x) {
  Row row;
  for (int64_t i = 0; i < x.size(); ++i) row.push_back(x.at(i));
  return row;
}

// v . tanh(W s + U h_j + b) of the parameters at `path`.
Row scores_at(const ParameterStore& store, const std::string& path, const Array& v, const Array& s,
              const Array& h) {
  const Array w = store.at(path + "/W"), u = store.at(path + "/U"), b = store.at(path + "/b");
  Row scores;
  for (int64_t j = 0; j < kKeys; ++j) {
    double score = 0;
    for (int64_t a = 0; a < kWidth; ++a) {
      double x = b.at(a);
      for (int64_t i = 0; i < kWidth; ++i)
        x += s.at(i) * w.at(i * kWidth + a) + h.at(j * kWidth + i) * u.at(i * kWidth + a);
      score += v.at(a) * std::tanh(x);
    }
    scores.push_back(score);
  }
  return scores;
}

Compared one_step(const MonotonicOptions& options, bool training, int64_t length,
                  const Row& before) {
  Model m("monotonic");
  const Tensor s = m.input("s", f32, {1, kWidth}), h = m.input("h", f32, {1, kKeys, kWidth}),
               mask = length_mask(m.input("lengths", s32, {1}), kKeys),
               from = m.input("before", f32, {1, kKeys});
  const Noise noise =
      training ? Noise{m.input("step", s64, {}), m.input("rows", s64, {1}), 1} : Noise();
  const MonotonicallyAttended a = monotonic_attention(
      m / "attention", s, h, mask, from, kWidth, options, {}, noise, m.input("position", s32, {}));
  m.output("context", a.context), m.output("weights", a.weights),
      m.output("alignment", a.alignment);
  ParameterStore store(3, ir::DType::f64);
  store.prepare(m.graph());
  const Array state = random_array({1, kWidth}, 5), source = random_array({1, kKeys, kWidth}, 6);
  Array stood(ir::DType::f64, {1, kKeys});
  for (int64_t j = 0; j < kKeys; ++j) stood.set(j, before[static_cast<size_t>(j)]);
  ir::NamedArrays inputs{{"s", state}, {"h", source}, {"before", stood}};
  inputs.add("lengths", Array::of(s32, {1}, std::vector<int32_t>{static_cast<int32_t>(length)}));
  inputs.add("position", Array::of(s32, {}, std::vector<int32_t>{2}));
  if (training) {
    inputs.add("step", Array::of(s64, {}, std::vector<int64_t>{1}));
    inputs.add("rows", Array::of(s64, {1}, std::vector<int64_t>{0}));
  }
  const auto r = Program::inference(m.graph(), tests::reference_options()).run(store, inputs);

  const std::string path = "attention/monotonic";
  const Array v = store.at(path + "/v");
  double norm = 0;
  for (int64_t a = 0; a < kWidth; ++a) norm += v.at(a) * v.at(a);
  Array unit(ir::DType::f64, {kWidth});
  for (int64_t a = 0; a < kWidth; ++a)
    unit.set(a, store.at(path + "/g").at(0) * v.at(a) / std::sqrt(norm));
  Row stop = scores_at(store, path, unit, state, source);
  for (size_t j = 0; j < stop.size(); ++j) {
    const double energy = stop[j] + store.at(path + "/r").at(0);
    stop[j] = training ? 1 / (1 + std::exp(-energy)) : energy > 0 ? 1 : 0;
    if (static_cast<int64_t>(j) >= length) stop[j] = 0;
  }
  Compared c;
  c.found = {row_of(r.at("weights")), row_of(r.at("alignment")), row_of(r.at("context"))};
  c.defined.alignment = all_ways(stop, before);
  c.defined.weights = options.chunk == 1
                          ? c.defined.alignment
                          : over_chunks(c.defined.alignment,
                                        scores_at(store, "attention/chunk",
                                                  store.at("attention/chunk/v"), state, source),
                                        options.chunk, length);
  c.defined.context = Row(kWidth, 0);
  for (size_t j = 0; j < stop.size(); ++j)
    for (size_t i = 0; i < c.defined.context.size(); ++i)
      c.defined.context[i] += c.defined.weights[j] *
                              source.at(static_cast<int64_t>(j) * kWidth + static_cast<int64_t>(i));
  return c;
}

void check_rows(const Row& found, const Row& defined) {
  REQUIRE(found.size() == defined.size());
  for (size_t j = 0; j < found.size(); ++j)
    CHECK(found[j] == doctest::Approx(defined[j]).epsilon(1e-12));
}

void check_equal(const Compared& c) {
  check_rows(c.found.alignment, c.defined.alignment);
  check_rows(c.found.weights, c.defined.weights);
  check_rows(c.found.context, c.defined.context);
}

const Row kStart{1, 0, 0, 0, 0, 0, 0}, kSpread{0.1, 0.2, 0, 0.3, 0.15, 0, 0};

}  // namespace

TEST_CASE("monotonic attention: in training it is the expectation over all ways to stop") {
  for (const int64_t chunk : {1, 2, 4, 9})
    for (const int64_t length : {1, 5, 7})
      for (const Row& before : {kStart, kSpread})
        check_equal(one_step({.chunk = chunk, .noise = 0}, true, length, before));
}

TEST_CASE("monotonic attention: decoding stops at the first energy above 0, or comes to the end") {
  for (const double bias : {-0.2, 0.0, 0.2, -5.0})
    for (const int64_t chunk : {1, 3}) {
      const Compared c = one_step({.chunk = chunk, .bias = bias}, false, 6, kStart);
      check_equal(c);
      double stands = 0;
      for (const double a : c.found.alignment) stands += a;
      CHECK((stands == 0.0 || stands == 1.0));
      if (bias == -5.0) CHECK(stands == 0.0);
    }
}

TEST_CASE("monotonic attention: noise in training belongs to the step, the row and the position") {
  Model m("noise");
  const Tensor s = m.input("s", f32, {dim("B"), kWidth}),
               h = m.input("h", f32, {dim("B"), dim("S"), kWidth}),
               mask = length_mask(m.input("lengths", s32, {dim("B")}), dim("S"));
  const Noise noise{m.input("step", s64, {}), m.input("rows", s64, {dim("B")}), 1};
  m.output("weights", monotonic_attention(m / "attention", s, h, mask, monotonic_start(h), kWidth,
                                          {}, {}, noise, m.input("position", s32, {}))
                          .weights);
  Program program = Program::inference(m.graph(), tests::reference_options());
  ParameterStore store(3, ir::DType::f64);
  const auto weights = [&](int64_t step, const std::vector<int64_t>& rows, int32_t position,
                           int64_t keys) {
    const auto n = static_cast<int64_t>(rows.size());
    Array state(ir::DType::f64, {n, kWidth}), source(ir::DType::f64, {n, keys, kWidth});
    return program
        .run(store, {{"s", state},
                     {"h", source},
                     {"lengths", Array::of(s32, {n}, std::vector<int32_t>(rows.size(), 4))},
                     {"step", Array::of(s64, {}, std::vector<int64_t>{step})},
                     {"rows", Array::of(s64, {n}, rows)},
                     {"position", Array::of(s32, {}, std::vector<int32_t>{position})}})
        .at("weights");
  };
  const Array two = weights(1, {7, 8}, 0, 4), padded = weights(1, {8}, 0, 6);
  for (int64_t j = 0; j < 4; ++j) CHECK(two.at(4 + j) == padded.at(j));
  CHECK(two.at(0) != two.at(4));
  CHECK(weights(2, {8}, 0, 4).at(0) != two.at(4));
  CHECK(weights(1, {8}, 1, 4).at(0) != two.at(4));
}
