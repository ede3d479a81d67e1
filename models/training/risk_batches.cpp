// models/training/risk_batches.cpp -- candidates, their costs, and the batches they make.
#include "models/training/risk_batches.h"

#include "ir/error.h"
#include "models/data/batch_names.h"
#include "models/metrics/bleu.h"
#include "models/training/example_batches.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace weft::training {
namespace {

using ir::Array;
using ir::NamedArrays;

// Words for a metric of text: the tokens' numbers.
std::string text_of(std::span<const int32_t> tokens) {
  std::string text;
  for (const int32_t token : tokens) text += (text.empty() ? "" : " ") + std::to_string(token);
  return text;
}

// 1 - BLEU of the sentence, smoothed as sacreBLEU does.
double cost(std::span<const int32_t> candidate, std::span<const int32_t> reference) {
  static const metrics::Metric bleu = metrics::bleu({.tokenize = "none", .effective_order = true});
  const std::string references[] = {text_of(reference)};
  return 1 - metrics::sentence_score(bleu, text_of(candidate), references) / 100;
}

std::vector<int32_t> row_of(const Array& ids, int64_t row, int64_t length) {
  const int32_t* begin = ids.data<int32_t>() + row * ids.dim(1);
  return {begin, begin + length};
}

// One row of a batch to be.
struct Row {
  data::EncodedExample example;
  double weight = 0;
};

// Longest target first, as batches are.
NamedArrays batch_of(std::vector<Row> rows, const data::BatchOptions& options, double scale) {
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return a.example.target.size() > b.example.target.size();
  });
  std::vector<data::EncodedExample> examples;
  std::vector<double> weights;
  for (Row& row : rows) {
    weights.push_back(row.weight * scale);
    examples.push_back(std::move(row.example));
  }
  std::vector<int64_t> all(examples.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  NamedArrays inputs = inputs_of(data::make_batch(examples, all, options));
  inputs.add(data::kRowWeights,
             Array::of(ir::DType::f32, {static_cast<int64_t>(weights.size())}, weights));
  return inputs;
}

}  // namespace

void fields(RiskSettings& r, settings::Fields& f) {
  f.integer("risk_samples", r.samples, {0, 1000},
            "minimum risk training (Shen et al. 2016) with so many translations drawn of each "
            "sentence; for models that are trained already; 0: none");
  f.real("risk_sharpness", r.sharpness, settings::above_zero(1e3),
         "how much likelier translations count in the risk: alpha of the paper");
}

WeighedCandidates weigh(std::vector<Candidate> all, std::span<const int32_t> reference,
                        double sharpness) {
  WeighedCandidates w;
  std::set<std::vector<int32_t>> seen;
  for (Candidate& c : all)
    if (seen.insert(c.tokens).second) w.candidates.push_back(std::move(c));
  double most = -INFINITY, total = 0;
  for (const Candidate& c : w.candidates) most = std::max(most, sharpness * c.log_probability);
  std::vector<double> q, costs;
  for (const Candidate& c : w.candidates) {
    q.push_back(std::exp(sharpness * c.log_probability - most));
    costs.push_back(cost(c.tokens, reference));
    total += q.back();
  }
  for (size_t i = 0; i < q.size(); ++i) w.risk += q[i] / total * costs[i];
  for (size_t i = 0; i < q.size(); ++i)
    w.weights.push_back(sharpness * q[i] / total * (w.risk - costs[i]));
  return w;
}

RiskBatches::RiskBatches(std::shared_ptr<BatchMaker> batches, Sampler sampler,
                         const RiskSettings& settings, const data::BatchOptions& options)
    : batches_(std::move(batches)),
      sampler_(std::move(sampler)),
      risk_(settings),
      options_(options) {}

void RiskBatches::follow(ParameterStore& store) {
  store_ = &store;
  batches_->follow(store);
}

RunSettings RiskBatches::settings() const {
  RunSettings s = batches_->settings();
  s["training.risk_samples"] = std::to_string(risk_.samples);
  s["training.risk_sharpness"] = ir::str(ir::Attr(risk_.sharpness));
  return s;
}

TrainingBatch RiskBatches::next() {
  if (store_ == nullptr) throw ir::GraphError("risks need parameters to draw candidates from");
  const Position at = batches_->position();
  // The samples of a step are its own.
  const uint64_t seed = options_.seed * 0x9E3779B97F4A7C15U ^
                        (static_cast<uint64_t>(at.epoch) << 40 ^ static_cast<uint64_t>(at.index));
  TrainingBatch batch = batches_->next();
  std::vector<std::vector<Row>> parts;
  double risk = 0, sentences = 0, tokens = 0;
  for (const NamedArrays& part : batch.parts) {
    const Array &source = part.at(data::kSource), &lengths = part.at(data::kSourceLengths);
    auto drawn = sampler_(*store_, source, lengths, seed);
    parts.emplace_back();
    for (size_t b = 0; b < drawn.size(); ++b) {
      const auto row = static_cast<int64_t>(b);
      const std::vector<int32_t> reference =
          row_of(part.at(data::kTargetOut), row, part.at(data::kTargetLengths).integer_at(row) - 1);
      if (drawn[b].empty()) continue;
      const WeighedCandidates w = weigh(std::move(drawn[b]), reference, risk_.sharpness);
      risk += w.risk, sentences += 1;
      for (size_t k = 0; k < w.candidates.size(); ++k) {
        data::EncodedExample example;
        example.source = row_of(source, row, lengths.integer_at(row));
        example.target = w.candidates[k].tokens;
        example.id = part.at(data::kRowIds).integer_at(row);
        tokens += static_cast<double>(example.target.size()) + 1;
        parts.back().push_back({std::move(example), w.weights[k]});
      }
    }
    // A batch has a row, also where no translation came to its end.
    if (parts.back().empty()) {
      data::EncodedExample example;
      example.source = row_of(source, 0, lengths.integer_at(0));
      example.id = part.at(data::kRowIds).integer_at(0);
      parts.back().push_back({std::move(example), 0});
    }
  }
  // The graph's mean is over tokens, the risk's over sentences.
  const double scale = sentences > 0 ? tokens / sentences : 0;
  for (size_t i = 0; i < parts.size(); ++i)
    batch.parts[i] = batch_of(std::move(parts[i]), options_, scale);
  batch.loss = sentences > 0 ? risk / sentences : 0;
  return batch;
}

}  // namespace weft::training
