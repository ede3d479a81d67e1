// tests/models/cached_search_test.cpp -- keys and values that stay where they were written while
// the beams above them are reordered.
#include "models/search/beam_search.h"
#include "tests/models/small_data.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace weft;
using ir::Array;
using tests::kIds;

namespace {

constexpr int64_t kVocabulary = 10, kWidth = 8;

// A language model of one attention layer over its own tokens. Written once for a step and once for
// whole sequences.
struct Layers {
  Scope p;
  Tensor embed(const Tensor& ids, const Tensor& positions) const {
    return embedding(p.parameter("tokens", {kVocabulary, kWidth}, init::normal(1)), ids) +
           embedding(p.parameter("positions", {256, kWidth}, init::normal(1)), positions);
  }
  Tensor project(const std::string& name, const Tensor& x) const {
    return linear(p / name, x, kWidth, no_bias);
  }
  Tensor logits(const Tensor& x, const Tensor& context) const {
    return linear(p / "out", x + context, kVocabulary);
  }
};

search::Decoder decoder(int64_t beam) {
  Model encode("encode");
  const Tensor source = encode.input("source", s32, {dim("B"), dim("S")});
  encode.input("source_lengths", s32, {dim("B")});
  // What tells the sentences apart: their first token.
  encode.output("first", pick(source, 1, 0));
  search::StepGraph step("step", {.beam = beam});
  const Layers m{step.scope()};
  const Tensor first = step.memory("first", s32, {});
  const Tensor x =
      m.embed(step.token(), step.position()) +
      step.by_row(broadcast(
          expand(embedding(m.p.parameter("source", {kVocabulary, kWidth}, init::normal(1)), first),
                 1),
          {step.sentences(), step.beams(), kWidth}));
  const Tensor k = step.cached("cache.k", m.project("k", x)),
               v = step.cached("cache.v", m.project("v", x));
  const Attended seen = attend(
      matmul(step.by_sentence(m.project("q", x)), k, {.transpose_b = true}), v, step.visible());
  return {encode.graph(),
          step.finish(m.logits(x, step.by_row(seen.context))),
          tests::fast_options(),
          {.beam = beam}};
}

// log p of whole sequences: inputs ids s32[T] (<s> first), next s32[T], first s32[1].
ir::Graph forced_graph() {
  Model g("forced");
  const Layers m{g.scope()};
  const Dim t = dim("T");
  const Tensor ids = g.input("ids", s32, {t}), next = g.input("next", s32, {t}),
               first = g.input("first", s32, {1});
  const Tensor x =
      m.embed(ids, iota(ids, t)) +
      embedding(m.p.parameter("source", {kVocabulary, kWidth}, init::normal(1)), first);
  const Tensor k = expand(m.project("k", x), 0), v = expand(m.project("v", x), 0),
               q = expand(m.project("q", x), 0);
  const Attended a =
      attend(matmul(q, k, {.transpose_b = true}), v, expand(causal_mask(x, t, t), 0));
  g.output("nll", sum(cross_entropy(m.logits(x, squeeze(a.context, 0)), next)));
  return g.graph();
}

// Is the log-probability of every hypothesis that of its tokens, read as a whole?
void check_against_forced(const std::vector<data::EncodedExample>& sources, int64_t beam,
                          const search::SearchOptions& options, double epsilon) {
  search::Decoder d = decoder(beam);
  ParameterStore store(21);
  const auto found = search::search(d, store, sources, {}, options);
  Program forced = Program::inference(forced_graph(), tests::fast_options());
  for (size_t i = 0; i < sources.size(); ++i)
    for (const search::Hypothesis& h : found[i]) {
      std::vector<int32_t> next = h.tokens;
      if (h.ended) next.push_back(kIds.end);
      std::vector<int32_t> ids{kIds.begin};
      ids.insert(ids.end(), next.begin(), next.end() - 1);
      const auto n = static_cast<int64_t>(next.size());
      const auto r = forced.run(
          store, {{"ids", Array::of(ir::DType::s32, {n}, ids)},
                  {"next", Array::of(ir::DType::s32, {n}, next)},
                  {"first", Array::of(ir::DType::s32, {1}, std::vector{sources[i].source[0]})}});
      CHECK(-h.log_probability == doctest::Approx(r.at("nll").at(0)).epsilon(epsilon));
    }
}

}  // namespace

TEST_CASE("caches: every hypothesis sees its own tokens, however its beam came about") {
  for (const int64_t beam : {1, 2, 5}) {
    CAPTURE(beam);
    // Sums of up to 12 terms of a few units, in f32.
    check_against_forced(tests::reversals(11, 4, 3), beam,
                         {.n_best = beam, .max_length = {0, 12}, .min_length = 4}, 1e-5);
  }
}

TEST_CASE("caches: they grow as hypotheses do, and lose nothing") {
  for (const int64_t beam : {1, 3}) {
    CAPTURE(beam);
    // Sums of up to 150 terms.
    check_against_forced(tests::reversals(3, 4, 5), beam,
                         {.n_best = beam, .max_length = {0, 150}, .min_length = 140}, 1e-4);
  }
}
