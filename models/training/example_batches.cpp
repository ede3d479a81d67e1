// models/training/example_batches.cpp -- examples in their batches, as arrays by name.
#include "models/training/example_batches.h"

#include "ir/error.h"
#include "models/data/batch_names.h"

#include <algorithm>

namespace weft::training {
namespace {

using Examples = std::vector<data::EncodedExample>;

// A model has so many positions and no more.
const Examples& checked(const Examples& examples, int64_t most) {
  for (const data::EncodedExample& e : examples)
    if (most > 0 &&
        std::max(e.source_length(), static_cast<int64_t>(std::ssize(e.target)) + 1) > most)
      throw ir::GraphError(ir::concat("example ", e.id, " has a source of ", e.source_length(),
                                      " tokens and a target of ", e.target.size(),
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

EvaluationBatches batches_of(Examples examples, const data::BatchOptions& options) {
  if (examples.empty()) return {};
  struct Content {
    Examples examples;
    data::Plan plan;
  };
  const auto content = std::make_shared<Content>(Content{std::move(examples), {}});
  content->plan = data::plan_in_order(content->examples, options);
  return {.count = std::ssize(content->plan), .make = [content, options](int64_t i) {
            return inputs_of(data::make_batch(content->examples,
                                              content->plan[static_cast<size_t>(i)], options));
          }};
}

ExampleBatches::ExampleBatches(Examples train, Examples valid, const data::BatchOptions& options,
                               data::SubwordSampling sampling, const RunSettings& made_with)
    : settings_([&] {
        if (train.empty()) throw ir::GraphError("there are no examples to train on");
        RunSettings settings =
            settings_of(options, checked(train, options.widest), checked(valid, options.widest));
        settings.insert(made_with.begin(), made_with.end());
        return settings;
      }()),
      validation_(batches_of(std::move(valid), options)),
      stream_(std::move(train), options, std::move(sampling)) {}

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
