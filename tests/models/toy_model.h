// tests/models/toy_model.h -- decoders whose probabilities are known, to search in.
#pragma once
#include "models/data/random.h"
#include "models/data/tokens/vocabulary.h"
#include "models/search/beam_search.h"
#include "models/search/step_graph.h"
#include "tests/models/backends.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace weft::tests {

// log p(v | t, v'', v'): a table over the step and the two tokens before, <s> being what stands
// before the first (twice). Log-probabilities f64[steps,V,V,V]; weights on S source positions, if any,
// f64[steps,V,S], by step and token before.
struct TableModel {
  int64_t steps, vocabulary;
  ir::Array table;
  ir::Array attention = {};

  int64_t positions() const { return attention.empty() ? 1 : attention.dim(-1); }

  double log_probability(const std::vector<int32_t>& tokens, int32_t begin = kIds.begin) const {
    double sum = 0;
    int64_t two = begin, one = begin;
    for (size_t t = 0; t < tokens.size(); ++t) {
      const auto row = (static_cast<int64_t>(t) * vocabulary + two) * vocabulary + one;
      sum += table.at(row * vocabulary + tokens[t]);
      two = one, one = tokens[t];
    }
    return sum;
  }

  search::Decoder decoder(int64_t beam, const data::SpecialIds& ids = kIds,
                          bool distributions = false) const {
    Model encode("encode");
    const Dim b = dim("B");
    const Tensor source = encode.input("source", s32, {b, dim("S")});
    encode.input("source_lengths", s32, {b});
    encode.output("state.before", full(source, ids.begin, {b}, f32));

    search::StepGraph step("step", {.beam = beam,
                                    .weights = !attention.empty(),
                                    .log_probabilities = distributions,
                                    .ids = ids});
    const Tensor rows =
        step.scope().frozen("table", {steps * vocabulary * vocabulary, vocabulary}, init::zeros());
    const Tensor two = cast(step.state("state.before", {}), s32);
    step.next("state.before", cast(step.token(), f32));
    const Tensor at = (step.position() * vocabulary + two) * vocabulary + step.token();
    Tensor weights;
    if (!attention.empty())
      weights =
          gather(step.scope().frozen("attention", {steps * vocabulary, positions()}, init::zeros()),
                 step.position() * vocabulary + step.token());
    return {encode.graph(),
            step.finish(gather(rows, at), weights),
            reference_options(),
            {.beam = beam, .ids = ids}};
  }

  ParameterStore store() const {
    ParameterStore s(1, ir::DType::f64);
    s.set("table", ir::ArgumentKind::parameter,
          table.reshaped({steps * vocabulary * vocabulary, vocabulary}));
    if (!attention.empty())
      s.set("attention", ir::ArgumentKind::parameter,
            attention.reshaped({steps * vocabulary, positions()}));
    return s;
  }

  // One sentence; it has no say in what follows.
  search::Hypotheses search(int64_t beam, search::SearchOptions options,
                            const search::Demands& demands = {}) const {
    const bool distributions = search::need_distribution(options) || !demands.empty();
    search::Decoder d = decoder(beam, kIds, distributions);
    ParameterStore parameters = store();
    if (options.max_length == search::LengthLimit{}) options.max_length = {0, steps};
    ir::Array from(ir::DType::s32, {1, positions()}), lengths(ir::DType::s32, {1});
    for (int64_t i = 0; i < positions(); ++i) from.set_integer(i, kIds.unknown);
    lengths.set_integer(0, positions());
    return search::search(d, parameters, from, lengths, options, {.demands = {&demands, 1}})
        .front();
  }
};

// Random log-probabilities over `words` tokens and </s>; <pad>, <s> and <unk> never occur.
inline TableModel random_table(int64_t steps, int64_t words, uint64_t seed) {
  const int64_t v = data::kSpecialTokens + words;
  TableModel m{steps, v, ir::Array(ir::DType::f64, {steps, v, v, v})};
  data::Random random(seed);
  for (int64_t row = 0; row < steps * v * v; ++row) {
    std::vector<double> p;
    for (int64_t i = 0; i < v; ++i) {
      const bool occurs = i == kIds.end || i >= data::kSpecialTokens;
      p.push_back(occurs ? 0.01 + std::pow(random.uniform(), 3) : 0);
    }
    double sum = 0;
    for (const double x : p) sum += x;
    for (int64_t i = 0; i < v; ++i)
      m.table.set(row * v + i, std::log(p[static_cast<size_t>(i)] / sum));
  }
  return m;
}

// Of a hypothesis the tokens, and </s> where it ended.
inline std::vector<int32_t> with_end(const search::Hypothesis& h) {
  std::vector<int32_t> tokens = h.tokens;
  if (h.ended) tokens.push_back(kIds.end);
  return tokens;
}

// Every sequence that ends, or is cut at the table's last step, in no order.
inline search::Hypotheses all_sequences(const TableModel& m) {
  search::Hypotheses all;
  std::vector<int32_t> tokens;
  const std::function<void()> extend = [&] {
    for (int32_t v = kIds.end; v < m.vocabulary; ++v) {
      if (v == kIds.unknown) continue;
      tokens.push_back(v);
      const auto n = static_cast<int64_t>(tokens.size());
      if (v == kIds.end || n == m.steps) {
        search::Hypothesis h{
            .tokens = tokens, .ended = v == kIds.end, .token_log_probabilities = {}, .weights = {}};
        if (h.ended) h.tokens.pop_back();
        h.score = h.log_probability = m.log_probability(tokens);
        all.push_back(h);
      } else {
        extend();
      }
      tokens.pop_back();
    }
  };
  extend();
  return all;
}

inline search::Hypotheses best_first(search::Hypotheses all) {
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.score > b.score; });
  return all;
}

}  // namespace weft::tests
