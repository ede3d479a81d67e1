// models/training/batches/risk_batches.cpp -- candidates, and the batches they make.
#include "models/training/batches/risk_batches.h"

#include "ir/error.h"
#include "models/data/batch_names.h"
#include "models/training/batches/example_batches.h"

#include <algorithm>
#include <numeric>

namespace weft::training {
namespace {

using ir::Array;
using ir::NamedArrays;

constexpr int64_t kRoundRows = 8;  // executables are made for numbers of rows

std::vector<int32_t> row_of(const Array& ids, int64_t row, int64_t length) {
  const int32_t* begin = ids.data<int32_t>() + row * ids.dim(1);
  return {begin, begin + length};
}

// One row of a batch to be.
struct Row {
  data::EncodedExample example;
  double weight = 0;
};

// The row of a batch with another target.
data::EncodedExample with_target(const NamedArrays& batch, int64_t row,
                                 std::vector<int32_t> target) {
  data::EncodedExample example;
  example.source =
      row_of(batch.at(data::kSource), row, batch.at(data::kSourceLengths).integer_at(row));
  example.target = std::move(target);
  example.id = batch.at(data::kRowIds).integer_at(row);
  return example;
}

std::vector<int32_t> reference_of(const NamedArrays& batch, int64_t row) {
  return row_of(batch.at(data::kTargetOut), row,
                batch.at(data::kTargetLengths).integer_at(row) - 1);  // without its end
}

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

RiskBatches::RiskBatches(std::shared_ptr<BatchMaker> batches, Sampler sampler,
                         const RiskSettings& settings, const data::BatchOptions& options, Cost cost,
                         Scorer scorer)
    : batches_(std::move(batches)),
      sampler_(std::move(sampler)),
      risk_(settings),
      options_(options),
      cost_(std::move(cost)),
      scorer_(std::move(scorer)) {
  if (risk_.reference && !scorer_)
    throw ir::GraphError("a reference among the candidates needs a scorer");
}

void RiskBatches::follow(ParameterStore& store) {
  store_ = &store;
  batches_->follow(store);
}

RunSettings RiskBatches::settings() const {
  RunSettings s = batches_->settings();
  s["training.risk_samples"] = std::to_string(risk_.samples);
  s["training.risk_sharpness"] = ir::str(ir::Attr(risk_.sharpness));
  s["training.risk_metric"] = risk_.metric;
  s["training.risk_reference"] = risk_.reference ? "true" : "false";
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
    parts.emplace_back();
    auto drawn = sampler_(*store_, part.at(data::kSource), part.at(data::kSourceLengths), seed);
    const std::vector<double> scores =
        risk_.reference ? scorer_(*store_, part) : std::vector<double>();
    for (size_t b = 0; b < drawn.size(); ++b) {
      const auto row = static_cast<int64_t>(b);
      // First: where it was drawn too, that one is not counted.
      if (risk_.reference)
        drawn[b].insert(drawn[b].begin(), Candidate{reference_of(part, row), scores[b]});
      if (drawn[b].empty()) continue;
      const WeighedCandidates w =
          weigh(std::move(drawn[b]), reference_of(part, row), risk_.sharpness, cost_);
      risk += w.risk, sentences += 1;
      for (size_t k = 0; k < w.candidates.size(); ++k)
        parts.back().push_back({with_target(part, row, w.candidates[k].tokens), w.weights[k]});
    }
    // Few numbers of rows occur, and never none: an end alone, of no weight, fills up.
    while (parts.back().empty() || std::ssize(parts.back()) % kRoundRows != 0)
      parts.back().push_back({with_target(part, 0, {}), 0});
    for (const Row& row : parts.back())
      tokens += static_cast<double>(row.example.target.size()) + 1;
  }
  // The graph's mean is over tokens, the risk's over sentences.
  const double scale = sentences > 0 ? tokens / sentences : 0;
  for (size_t i = 0; i < parts.size(); ++i)
    batch.parts[i] = batch_of(std::move(parts[i]), options_, scale);
  batch.loss = sentences > 0 ? risk / sentences : 0;
  batch.loss_name = "risk";
  return batch;
}

}  // namespace weft::training
