// models/translator/risk_sampler.cpp -- samples of a search as candidates.
#include "models/translator/risk_sampler.h"

#include "models/data/batch_names.h"
#include "models/metrics/bleu.h"
#include "models/metrics/table.h"
#include "models/search/beam_search.h"

#include <algorithm>
#include <memory>

namespace weft {
namespace {

using training::Candidate;

// Hypotheses that one search goes on with: of each there is a distribution over the vocabulary.
constexpr int64_t kRows = 512;

class RiskSampler {
 public:
  RiskSampler(const seq2seq::Settings& config, const data::SpecialIds& target_ids, int64_t samples,
              const ProgramOptions& program)
      : decoder_(seq2seq::decoder(
            config, {.beam = samples, .log_probabilities = true, .ids = target_ids}, program)),
        batch_{.max_rows = std::max<int64_t>(1, kRows / samples), .round_source = 8} {}

  std::vector<std::vector<Candidate>> draw(ParameterStore& store, const ir::Array& source,
                                           const ir::Array& lengths, uint64_t seed) {
    std::vector<data::EncodedExample> sentences;
    for (int64_t row = 0; row < source.dim(0); ++row) {
      const int32_t* const begin = source.data<int32_t>() + row * source.dim(1);
      sentences.push_back(
          {.source = {begin, begin + lengths.integer_at(row)}, .target = {}, .id = row});
    }
    std::vector<std::vector<Candidate>> all;
    // A seed of a search has 63 bits.
    for (search::Hypotheses& drawn :
         search::search(decoder_, store, sentences, batch_,
                        {.n_best = decoder_.beam, .sample = true, .seed = seed >> 1})) {
      std::vector<Candidate>& candidates = all.emplace_back();
      for (search::Hypothesis& h : drawn)
        if (h.ended) candidates.push_back({std::move(h.tokens), h.log_probability});
    }
    return all;
  }

 private:
  search::Decoder decoder_;
  data::BatchOptions batch_;
};

}  // namespace

training::Sampler risk_sampler(const seq2seq::Settings& config, const data::SpecialIds& target_ids,
                               int64_t samples, ProgramOptions program) {
  program.memory_budget = 0;  // that of a training step
  const auto sampler = std::make_shared<RiskSampler>(config, target_ids, samples, program);
  return [sampler](ParameterStore& store, const ir::Array& source, const ir::Array& lengths,
                   uint64_t seed) { return sampler->draw(store, source, lengths, seed); };
}

training::Scorer risk_scorer(const seq2seq::Settings& config, ProgramOptions program) {
  program.memory_budget = 0;  // that of a training step
  const auto scores =
      std::make_shared<Program>(Program::inference(seq2seq::score_graph(config), program));
  return [scores](ParameterStore& store, const ir::NamedArrays& batch) {
    const ir::Array losses = scores->run(store, batch).at("token_losses");
    const ir::Array& lengths = batch.at(data::kTargetLengths);
    std::vector<double> sums(static_cast<size_t>(losses.dim(0)), 0.0);
    for (int64_t row = 0; row < losses.dim(0); ++row)
      for (int64_t t = 0; t < lengths.integer_at(row); ++t)
        sums[static_cast<size_t>(row)] -= losses.at(row * losses.dim(1) + t);
    return sums;
  };
}

training::Cost text_cost(const data::Tokenizer& target, const std::string& metric,
                         const std::string& tokenizer) {
  // Of single sentences: one of less than four words has a BLEU too.
  const metrics::Metric m = metric == "bleu"
                                ? metrics::bleu({.tokenize = tokenizer, .effective_order = true})
                                : metrics::metric_named(metric, tokenizer);
  return [target, m](std::span<const int32_t> candidate, std::span<const int32_t> reference) {
    const std::string references[] = {target.decode(reference)};
    const double score = metrics::sentence_score(m, target.decode(candidate), references) / 100;
    return m.higher_is_better ? 1 - score : score;
  };
}

}  // namespace weft
