// models/data/batching.cpp -- the plan of an epoch, and its batches.
#include "models/data/batching.h"

#include "ir/error.h"
#include "models/data/random.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace weft::data {
namespace {

using ir::Array;
using ir::concat;
using ir::DType;
using ir::GraphError;

using Rows = std::vector<int64_t>;

constexpr int64_t kMost = 1 << 24;                 // of any option
constexpr uint64_t kShuffleStream = 0x6261746368;  // apart from what else uses the seed

int64_t length(const std::vector<int32_t>& tokens) { return static_cast<int64_t>(tokens.size()); }

void check(std::span<const EncodedExample> examples, const BatchOptions& options) {
  const auto in_range = [](const char* name, int64_t value, int64_t least) {
    if (value < least || value > kMost)
      throw GraphError(concat(name, " is ", value, ", needed is ", least, " to ", kMost));
  };
  in_range("max_rows", options.max_rows, 1);
  in_range("max_tokens", options.max_tokens, 0);
  in_range("round_source", options.round_source, 1);
  in_range("round_target", options.round_target, 1);
  in_range("pool_batches", options.pool_batches, 1);
  in_range("accumulate", options.accumulate, 1);
  in_range("widest", options.widest, 0);
  if (examples.empty()) throw GraphError("there are no examples to make batches of");
  for (const EncodedExample& example : examples)
    if (example.source_length() == 0)
      throw GraphError(concat("the source of example ", example.id, " is empty"));
}

// An image is as wide as it is.
int64_t source_width(const EncodedExample& example, const BatchOptions& options) {
  if (example.features.rank() == 3) return example.positions;
  return padded_width(example.source_length(), options.round_source, options);
}
int64_t target_width(const EncodedExample& example, const BatchOptions& options) {
  return padded_width(length(example.target) + 1, options.round_target, options);
}

// By (source length, target length); examples of equal lengths stay in the order they have.
void sort_by_length(std::span<const EncodedExample> examples, Rows::iterator begin,
                    Rows::iterator end) {
  const auto lengths = [&](int64_t row) {
    const EncodedExample& example = examples[static_cast<size_t>(row)];
    return std::pair(example.source_length(), example.target.size());
  };
  std::stable_sort(begin, end, [&](int64_t a, int64_t b) { return lengths(a) < lengths(b); });
}

// Greedily: a batch ends where the next row would break a limit.
void cut(std::span<const EncodedExample> examples, const BatchOptions& options,
         std::span<const int64_t> rows, Plan& plan) {
  Rows batch;
  int64_t widest = 0;
  for (const int64_t row : rows) {
    const EncodedExample& example = examples[static_cast<size_t>(row)];
    const int64_t width = std::max(source_width(example, options), target_width(example, options));
    const auto count = static_cast<int64_t>(batch.size()) + 1;
    const bool other_width =
        options.one_source_width && !batch.empty() &&
        source_width(example, options) !=
            source_width(examples[static_cast<size_t>(batch.front())], options);
    const bool full =
        count > options.max_rows || other_width ||
        (options.max_tokens > 0 && count * std::max(widest, width) > options.max_tokens);
    if (full && !batch.empty()) {
      plan.push_back(std::move(batch));
      batch.clear();
      widest = 0;
    }
    batch.push_back(row);
    widest = std::max(widest, width);
  }
  if (!batch.empty()) plan.push_back(std::move(batch));
}

// Longest target first.
void sort_rows(std::span<const EncodedExample> examples, Plan& plan) {
  const auto target = [&](int64_t row) { return examples[static_cast<size_t>(row)].target.size(); };
  for (Rows& batch : plan)
    std::stable_sort(batch.begin(), batch.end(),
                     [&](int64_t a, int64_t b) { return target(a) > target(b); });
}

Rows all_rows(std::span<const EncodedExample> examples) {
  Rows rows(examples.size());
  std::iota(rows.begin(), rows.end(), int64_t{0});
  return rows;
}

const EncodedExample& row_of(std::span<const EncodedExample> examples, int64_t row) {
  return examples[static_cast<size_t>(row)];
}

// s32[B,width], padded.
Array token_sources(std::span<const EncodedExample> examples, std::span<const int64_t> rows,
                    int64_t width, int32_t pad) {
  Array x(DType::s32, {std::ssize(rows), width});
  auto* to = x.data<int32_t>();
  std::fill_n(to, x.size(), pad);
  for (const int64_t row : rows) {
    const std::vector<int32_t>& tokens = row_of(examples, row).source;
    std::copy(tokens.begin(), tokens.end(), to);
    to += width;
  }
  return x;
}

// f32[B,width,F] of frames, zeros behind; f32[B,H,W,C] of images.
Array feature_sources(std::span<const EncodedExample> examples, std::span<const int64_t> rows,
                      int64_t width) {
  const Array& first = row_of(examples, rows.front()).features;
  ir::Dims dims = first.dims();
  if (first.rank() == 2) dims[0] = width;
  dims.insert(dims.begin(), std::ssize(rows));
  Array x(DType::f32, dims);
  auto* to = x.data<float>();
  const int64_t each = x.size() / std::ssize(rows);
  for (const int64_t row : rows) {
    const EncodedExample& e = row_of(examples, row);
    if (e.features.rank() != first.rank() || e.features.dim(-1) != first.dim(-1) ||
        e.features.size() > each)
      throw GraphError(concat("the source of example ", e.id, " is ",
                              ir::dims_str(e.features.dims()), ", that of others in its batch ",
                              ir::dims_str(first.dims())));
    std::copy_n(e.features.data<float>(), e.features.size(), to);
    to += each;
  }
  return x;
}

}  // namespace

int64_t padded_width(int64_t n, int64_t multiple, const BatchOptions& options) {
  const int64_t rounded = (n + multiple - 1) / multiple * multiple;
  return options.widest == 0 ? rounded : std::max(n, std::min(rounded, options.widest));
}

Plan plan_epoch(std::span<const EncodedExample> examples, const BatchOptions& options,
                int64_t epoch) {
  check(examples, options);
  Random random(options.seed, kShuffleStream + static_cast<uint64_t>(epoch));
  Rows rows = all_rows(examples);
  random.shuffle(rows);
  Plan plan;
  const auto pool = static_cast<size_t>(options.max_rows * options.pool_batches);
  for (size_t begin = 0; begin < rows.size(); begin += pool) {
    const size_t end = std::min(begin + pool, rows.size());
    const auto at = [&](size_t i) { return rows.begin() + static_cast<ptrdiff_t>(i); };
    sort_by_length(examples, at(begin), at(end));
    cut(examples, options, {at(begin), at(end)}, plan);
  }
  sort_rows(examples, plan);
  random.shuffle(plan);
  return plan;
}

Plan plan_in_order(std::span<const EncodedExample> examples, const BatchOptions& options) {
  check(examples, options);
  Rows rows = all_rows(examples);
  sort_by_length(examples, rows.begin(), rows.end());
  Plan plan;
  cut(examples, options, rows, plan);
  sort_rows(examples, plan);
  return plan;
}

Batch make_batch(std::span<const EncodedExample> examples, std::span<const int64_t> rows,
                 const BatchOptions& options) {
  int64_t widest_source = 1, widest_target = 1;
  for (const int64_t row : rows) {
    const EncodedExample& example = row_of(examples, row);
    widest_source = std::max(widest_source, source_width(example, options));
    widest_target = std::max(widest_target, target_width(example, options));
  }
  const auto count = static_cast<int64_t>(rows.size());
  const bool tokens = row_of(examples, rows.front()).features.empty();
  Batch batch{
      .source = tokens ? token_sources(examples, rows, widest_source, options.source_ids.padding())
                       : feature_sources(examples, rows, widest_source),
      .source_lengths = Array(DType::s32, {count}),
      .target_in = Array(DType::s32, {count, widest_target}),
      .target_out = Array(DType::s32, {count, widest_target}),
      .target_lengths = Array(DType::s32, {count}),
      .row_ids = Array(DType::s64, {count}),
      .padded_source = widest_source};
  const SpecialIds& ids = options.target_ids;
  for (Array* y : {&batch.target_in, &batch.target_out})
    std::fill_n(y->data<int32_t>(), y->size(), ids.padding());
  for (int64_t b = 0; b < count; ++b) {
    const EncodedExample& example = row_of(examples, rows[static_cast<size_t>(b)]);
    const int64_t source = example.source_length(), target = length(example.target) + 1;
    int32_t* in = batch.target_in.data<int32_t>() + b * widest_target;
    int32_t* out = batch.target_out.data<int32_t>() + b * widest_target;
    in[0] = ids.begin;
    std::copy(example.target.begin(), example.target.end(), in + 1);
    *std::copy(example.target.begin(), example.target.end(), out) = ids.end;
    batch.source_lengths.data<int32_t>()[b] = static_cast<int32_t>(source);
    batch.target_lengths.data<int32_t>()[b] = static_cast<int32_t>(target);
    batch.row_ids.data<int64_t>()[b] = example.id;
    batch.source_tokens += source;
    batch.target_tokens += target;
  }
  return batch;
}

std::vector<Batch> make_parts(std::span<const EncodedExample> examples,
                              std::span<const int64_t> rows, const BatchOptions& options) {
  std::vector<Rows> cut(static_cast<size_t>(std::min(options.accumulate, std::ssize(rows))));
  for (size_t i = 0; i < rows.size(); ++i) cut[i % cut.size()].push_back(rows[i]);
  std::vector<Batch> parts;
  for (const Rows& part : cut) parts.push_back(make_batch(examples, part, options));
  return parts;
}

BatchStream::BatchStream(std::vector<EncodedExample> examples, const BatchOptions& options,
                         SubwordSampling sampling)
    : examples_(std::move(examples)),
      options_(options),
      sampling_(std::move(sampling)),
      plan_(plan_epoch(examples_, options_, 0)) {}

std::vector<EncodedExample> BatchStream::sampled() const {
  std::vector<EncodedExample> rows;
  for (const int64_t row : plan_[static_cast<size_t>(position_.index)])
    rows.push_back(sampling_.sample(row_of(examples_, row), position_.epoch));
  std::stable_sort(rows.begin(), rows.end(), [](const EncodedExample& a, const EncodedExample& b) {
    return a.target.size() > b.target.size();
  });
  return rows;
}

std::vector<Batch> BatchStream::next_parts() {
  std::vector<Batch> parts;
  if (sampling_.is_on()) {
    const std::vector<EncodedExample> rows = sampled();
    parts = make_parts(rows, all_rows(rows), options_);
  } else {
    parts = make_parts(examples_, plan_[static_cast<size_t>(position_.index)], options_);
  }
  advance();
  return parts;
}

Batch BatchStream::next() {
  const int64_t accumulate = std::exchange(options_.accumulate, 1);
  Batch batch = std::move(next_parts().front());
  options_.accumulate = accumulate;
  return batch;
}

void BatchStream::advance() {
  if (++position_.index < batches_in_epoch()) return;
  position_ = {position_.epoch + 1, 0};
  plan_ = plan_epoch(examples_, options_, position_.epoch);
}

void BatchStream::seek(Position position) {
  if (position.epoch < 0) throw GraphError(concat("the epoch ", position.epoch, " is negative"));
  Plan plan = plan_epoch(examples_, options_, position.epoch);
  const auto count = static_cast<int64_t>(plan.size());
  if (position.index < 0 || position.index >= count)
    throw GraphError(concat("batch ", position.index, " of epoch ", position.epoch,
                            " is outside [0, ", count, "): other data or options than before"));
  plan_ = std::move(plan);
  position_ = position;
}

}  // namespace weft::data
