// models/data/batching.cpp -- the plan of an epoch, and its batches.
#include "models/data/batching.h"

#include "ir/error.h"
#include "models/data/random.h"
#include "models/data/shuffle.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace weft::data {
namespace {

using ir::Array;
using ir::concat;
using ir::DType;
using ir::GraphError;

using Rows = std::vector<int64_t>;

constexpr int64_t kMost = 1 << 24;                    // of any option but bytes
constexpr uint64_t kWeightStream = 0x77656967687400;  // apart from what else uses the seed

int64_t length(const std::vector<int32_t>& tokens) { return static_cast<int64_t>(tokens.size()); }

// An example as plans see it.
struct Row {
  int64_t at, source, target;  // where it stands; positions; tokens, the end not counted
};

void check(const BatchOptions& options) {
  const auto in_range = [](const char* name, int64_t value, int64_t least, int64_t most = kMost) {
    if (value < least || value > most)
      throw GraphError(concat(name, " is ", value, ", needed is ", least, " to ", most));
  };
  in_range("max_rows", options.max_rows, 1);
  in_range("max_tokens", options.max_tokens, 0);
  in_range("round_source", options.round_source, 1);
  in_range("round_target", options.round_target, 1);
  in_range("pool_batches", options.pool_batches, 1);
  in_range("accumulate", options.accumulate, 1);
  in_range("widest", options.widest, 0);
  in_range("shuffle_bytes", options.shuffle_bytes, 1, int64_t{1} << 50);
}

// An image is as wide as it is.
int64_t source_width(int64_t positions, bool image, const BatchOptions& options) {
  return image ? positions : padded_width(positions, options.round_source, options);
}
int64_t source_width(const EncodedExample& example, const BatchOptions& options) {
  return source_width(example.source_length(), example.features.rank() == 3, options);
}
int64_t target_width(int64_t tokens, const BatchOptions& options) {
  return padded_width(tokens + 1, options.round_target, options);
}

// By (source length, target length); examples of equal lengths stay in the order they have.
void sort_by_length(std::span<Row> rows) {
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::pair(a.source, a.target) < std::pair(b.source, b.target);
  });
}

// Rows into batches.
class Planner {
 public:
  Planner(const BatchOptions& options, bool images) : options_(options), images_(images) {}

  // Greedily: a batch ends where the next row would break a limit.
  void cut(std::span<const Row> rows) {
    std::vector<Row> batch;
    int64_t widest = 0;
    for (const Row& row : rows) {
      const int64_t source = source_width(row.source, images_, options_);
      const int64_t width = std::max(source, target_width(row.target, options_));
      const auto count = static_cast<int64_t>(batch.size()) + 1;
      const bool other_width = options_.one_source_width && !batch.empty() &&
                               source != source_width(batch.front().source, images_, options_);
      const bool full =
          count > options_.max_rows || other_width ||
          (options_.max_tokens > 0 && count * std::max(widest, width) > options_.max_tokens);
      if (full && !batch.empty()) {
        end_batch(batch);
        widest = 0;
      }
      batch.push_back(row);
      widest = std::max(widest, width);
    }
    if (!batch.empty()) end_batch(batch);
  }

  Plan plan;

 private:
  // Longest target first.
  void end_batch(std::vector<Row>& batch) {
    std::stable_sort(batch.begin(), batch.end(),
                     [](const Row& a, const Row& b) { return a.target > b.target; });
    Rows rows;
    for (const Row& row : batch) rows.push_back(row.at);
    plan.push_back(std::move(rows));
    batch.clear();
  }

  const BatchOptions& options_;
  bool images_;
};

std::vector<Row> rows_of(std::span<const EncodedExample> examples) {
  std::vector<Row> rows;
  for (const EncodedExample& e : examples) {
    if (e.source_length() == 0)
      throw GraphError(concat("the source of example ", e.id, " is empty"));
    rows.push_back({std::ssize(rows), e.source_length(), length(e.target)});
  }
  if (rows.empty()) throw GraphError("there are no examples to make batches of");
  return rows;
}

std::vector<Row> rows_of(const ExampleStore& examples, const Rows& places) {
  std::vector<Row> rows;
  rows.reserve(places.size());
  for (const int64_t at : places) {
    const ExampleLengths n = examples.lengths(at);
    if (n.source == 0)
      throw GraphError(concat("the source of example ", examples.id(at), " is empty"));
    rows.push_back({at, n.source, n.target});
  }
  if (rows.empty()) throw GraphError("there are no examples to make batches of");
  return rows;
}

Plan shuffled(std::vector<Row> rows, const BatchOptions& options, bool images, Random random) {
  random.shuffle(rows);
  Planner planner(options, images);
  const auto pool = static_cast<size_t>(options.max_rows * options.pool_batches);
  for (size_t begin = 0; begin < rows.size(); begin += pool) {
    const std::span<Row> some = std::span(rows).subspan(begin, std::min(pool, rows.size() - begin));
    sort_by_length(some);
    planner.cut(some);
  }
  random.shuffle(planner.plan);
  return std::move(planner.plan);
}

Plan in_order(std::vector<Row> rows, const BatchOptions& options, bool images) {
  sort_by_length(rows);
  Planner planner(options, images);
  planner.cut(rows);
  return std::move(planner.plan);
}

bool has_images(std::span<const EncodedExample> examples) {
  return !examples.empty() && examples.front().features.rank() == 3;
}

Rows all_rows(size_t count) {
  Rows rows(count);
  std::iota(rows.begin(), rows.end(), int64_t{0});
  return rows;
}

std::vector<EncodedExample> examples_at(const ExampleStore& store, std::span<const int64_t> rows) {
  std::vector<EncodedExample> examples;
  for (const int64_t row : rows) examples.push_back(store.at(row));
  return examples;
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
  check(options);
  return shuffled(rows_of(examples), options, has_images(examples),
                  group_random(options.seed, epoch, 0));
}

Plan plan_in_order(std::span<const EncodedExample> examples, const BatchOptions& options) {
  check(options);
  return in_order(rows_of(examples), options, has_images(examples));
}

Plan plan_stored_in_order(const ExampleStore& examples, const BatchOptions& options) {
  check(options);
  return in_order(rows_of(examples, all_rows(static_cast<size_t>(examples.size()))), options,
                  examples.has_images());
}

Batch make_batch(std::span<const EncodedExample> examples, std::span<const int64_t> rows,
                 const BatchOptions& options) {
  int64_t widest_source = 1, widest_target = 1;
  for (const int64_t row : rows) {
    const EncodedExample& example = row_of(examples, row);
    widest_source = std::max(widest_source, source_width(example, options));
    widest_target = std::max(widest_target, target_width(length(example.target), options));
  }
  const auto count = static_cast<int64_t>(rows.size());
  const bool has_tokens = row_of(examples, rows.front()).features.empty();
  Batch batch{.source = has_tokens ? token_sources(examples, rows, widest_source,
                                                   options.source_ids.padding())
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
    std::span<const int32_t> tokens = example.target;
    if (options.own_begin) tokens = tokens.subspan(1);
    const int64_t source = example.source_length(), target = std::ssize(tokens) + 1;
    int32_t* in = batch.target_in.data<int32_t>() + b * widest_target;
    int32_t* out = batch.target_out.data<int32_t>() + b * widest_target;
    in[0] = options.own_begin ? example.target.front() : ids.begin;
    std::copy(tokens.begin(), tokens.end(), in + 1);
    *std::copy(tokens.begin(), tokens.end(), out) = ids.end;
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

Batch make_stored_batch(const ExampleStore& examples, std::span<const int64_t> rows,
                        const BatchOptions& options) {
  return make_batch(examples_at(examples, rows), all_rows(rows.size()), options);
}

BatchStream::BatchStream(ExampleStore examples, const BatchOptions& options,
                         SubwordSampling sampling)
    : examples_(std::move(examples)), options_(options), sampling_(std::move(sampling)) {
  check(options_);
  begin_epoch(0);
}

void BatchStream::begin_epoch(int64_t epoch) {
  position_ = {epoch, 0};
  before_ = 0;
  groups_ = shuffled_groups(examples_.blocks(), options_.shuffle_bytes, options_.seed, epoch);
  plan_group(0);
}

void BatchStream::plan_group(size_t group) {
  group_ = group;
  for (const int64_t block : groups_[group]) examples_.will_need(block);
  plan_ = shuffled(rows_of(examples_, drawn(examples_of(examples_.blocks(), groups_[group]))),
                   options_, examples_.has_images(),
                   group_random(options_.seed, position_.epoch, static_cast<int64_t>(group)));
}

int64_t draws(int64_t id, const BatchOptions& options, int64_t epoch) {
  const auto& weights = options.weights;
  const auto at = std::lower_bound(weights.begin(), weights.end(), id,
                                   [](const DrawWeight& w, int64_t i) { return w.last_id < i; });
  if (at == weights.end()) return 1;
  // Where the example stands between two draws is its own.
  const double begin = Random(options.seed, kWeightStream ^ static_cast<uint64_t>(id)).uniform();
  const auto until = [&](int64_t e) {
    return std::floor(static_cast<double>(e) * at->weight + begin);
  };
  return static_cast<int64_t>(until(epoch + 1) - until(epoch));
}

Rows BatchStream::drawn(Rows rows) const {
  if (options_.weights.empty()) return rows;
  Rows all;
  for (const int64_t row : rows)
    all.insert(all.end(), static_cast<size_t>(draws(examples_.id(row), options_, position_.epoch)),
               row);
  if (all.empty()) all.push_back(rows.front());  // something is read of every part of the data
  return all;
}

// What one group holds stays: it is all there is.
void BatchStream::release_group() const {
  if (groups_.size() == 1) return;
  for (const int64_t block : groups_[group_]) examples_.release(block);
}

// Of the batch that is next.
std::vector<EncodedExample> BatchStream::rows() const {
  std::vector<EncodedExample> rows =
      examples_at(examples_, plan_[static_cast<size_t>(position_.index - before_)]);
  if (!sampling_.is_on()) return rows;
  for (EncodedExample& row : rows) row = sampling_.sample(std::move(row), position_.epoch);
  std::stable_sort(rows.begin(), rows.end(), [](const EncodedExample& a, const EncodedExample& b) {
    return a.target.size() > b.target.size();
  });
  return rows;
}

std::vector<Batch> BatchStream::next_parts() {
  const std::vector<EncodedExample> examples = rows();
  std::vector<Batch> parts = make_parts(examples, all_rows(examples.size()), options_);
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
  ++position_.index;
  if (position_.index < before_ + std::ssize(plan_)) return;
  release_group();
  if (group_ + 1 == groups_.size()) return begin_epoch(position_.epoch + 1);
  before_ += std::ssize(plan_);
  plan_group(group_ + 1);
}

int64_t BatchStream::batches_in_epoch() const {
  const int64_t planned = before_ + std::ssize(plan_);
  int64_t examples = 0;
  for (size_t group = 0; group <= group_; ++group)
    for (const int64_t block : groups_[group])
      examples += examples_.blocks()[static_cast<size_t>(block)].count;
  return planned * examples_.size() / examples;
}

void BatchStream::seek(Position position) {
  if (position.epoch < 0) throw GraphError(concat("the epoch ", position.epoch, " is negative"));
  const Position was = position_;
  release_group();
  begin_epoch(position.epoch);
  while (position.index >= before_ + std::ssize(plan_) && group_ + 1 < groups_.size()) {
    release_group();
    before_ += std::ssize(plan_);
    plan_group(group_ + 1);
  }
  const int64_t count = before_ + std::ssize(plan_);
  if (position.index < 0 || position.index >= count) {
    seek(was);
    throw GraphError(concat("batch ", position.index, " of epoch ", position.epoch,
                            " is outside [0, ", count, "): other data or options than before"));
  }
  position_ = position;
}

}  // namespace weft::data
