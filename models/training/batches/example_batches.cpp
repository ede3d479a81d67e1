// models/training/batches/example_batches.cpp -- examples in their batches, as arrays by name.
#include "models/training/batches/example_batches.h"

#include "ir/error.h"
#include "models/data/batch_names.h"

#include <algorithm>

namespace weft::training {
namespace {

// A model has so many positions and no more.
const data::ExampleStore& checked(const data::ExampleStore& examples, int64_t most) {
  const data::ExampleCounts& counts = examples.counts();
  if (most == 0 || std::max(counts.longest_source, counts.longest_target + 1) <= most)
    return examples;
  for (int64_t i = 0; i < examples.size(); ++i)
    if (const data::ExampleLengths n = examples.lengths(i); std::max(n.source, n.target + 1) > most)
      throw ir::GraphError(ir::concat("example ", examples.id(i), " has a source of ", n.source,
                                      " tokens and a target of ", n.target,
                                      " and </s>, max_positions is ", most));
  return examples;
}

}  // namespace

ir::NamedArrays inputs_of(const data::Batch& b) {
  return {{data::kSource, b.source},
          {data::kSourceLengths, b.source_lengths},
          {data::kTargetIn, b.target_in},
          {data::kTargetOut, b.target_out},
          {data::kTargetLengths, b.target_lengths},
          {data::kRowIds, b.row_ids}};
}

EvaluationBatches batches_of(const data::ExampleStore& examples,
                             const data::BatchOptions& options) {
  if (examples.size() == 0) return {};
  const auto plan =
      std::make_shared<const data::Plan>(data::plan_stored_in_order(examples, options));
  return {.count = std::ssize(*plan), .make = [examples, plan, options](int64_t i) {
            return inputs_of(
                data::make_stored_batch(examples, (*plan)[static_cast<size_t>(i)], options));
          }};
}

ExampleBatches::ExampleBatches(const data::ExampleStore& train, const data::ExampleStore& valid,
                               const data::BatchOptions& options, data::SubwordSampling sampling,
                               const RunSettings& made_with)
    : settings_([&] {
        if (train.size() == 0) throw ir::GraphError("there are no examples to train on");
        RunSettings settings =
            settings_of(options, checked(train, options.widest), checked(valid, options.widest));
        settings.insert(made_with.begin(), made_with.end());
        return settings;
      }()),
      validation_(batches_of(valid, options)),
      stream_(train, options, std::move(sampling)) {}

TrainingBatch ExampleBatches::next() {
  TrainingBatch batch;
  for (const data::Batch& part : stream_.next_parts()) {
    batch.parts.push_back(inputs_of(part));
    batch.examples += part.rows();
    batch.tokens += part.source_tokens + part.target_tokens;
  }
  return batch;
}

}  // namespace weft::training
