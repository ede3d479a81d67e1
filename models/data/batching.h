// models/data/batching.h -- padded batches of examples of similar length.
//
// The plan of an epoch is a function of (examples, options, epoch): shuffle all examples, sort
// pools of them by (source length, target length), cut the pools into batches, shuffle the batches.
// A corpus that is larger than options.shuffle_bytes is planned and read group by group
// (models/data/shuffle.h).
// Padded widths are rounded up to multiples, so that few distinct shapes occur and executables are
// reused. Within a batch rows are sorted by target length, longest first: ended rows are always at
// the bottom and can drop out of the decoder's loop.
#pragma once
#include "ir/host/array.h"
#include "models/data/corpus.h"
#include "models/data/example_store.h"
#include "models/data/tokens/subword_sampling.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weft::data {

// Examples are drawn `weight` times in an epoch.
struct DrawWeight {
  int64_t last_id;  // of the examples with it: those behind the last of the one before
  double weight;
};

struct BatchOptions {
  int64_t max_rows = 64;
  int64_t max_tokens = 0;     // rows * max(padded S, padded T) stays within it; 0: no limit
  int64_t round_source = 4;   // padded S is a multiple of this
  int64_t round_target = 4;   // padded T is a multiple of this
  int64_t widest = 0;         // padding goes no further than this; 0: no limit
  int64_t accumulate = 1;     // a batch is cut into so many parts, whose gradients are summed
  int64_t pool_batches = 64;  // a pool holds this many batches' worth of rows
  int64_t shuffle_bytes = int64_t{256} << 20;  // of a file, shuffled together
  std::vector<DrawWeight> weights;  // by ids, ascending; none: every example once in an epoch
  uint64_t seed = 1;
  bool one_source_width = false;  // a batch holds sources of one padded S only
  SpecialIds source_ids, target_ids;
  // A target's first token is what its decoder begins with, in the place of target_ids.begin.
  bool own_begin = false;
};

// T counts the end: row b of target_in is the begin and y, of target_out y and the end, both
// target_lengths[b] long. Behind the lengths is padding.
struct Batch {
  ir::Array source;          // s32[B,S] of tokens, f32[B,S,F] of frames, f32[B,H,W,C] of images
  ir::Array source_lengths;  // s32[B]
  ir::Array target_in;       // s32[B,T]
  ir::Array target_out;      // s32[B,T]
  ir::Array target_lengths;  // s32[B]
  ir::Array row_ids;         // s64[B], the examples' own ids

  int64_t padded_source = 0;  // S, in positions

  int64_t rows() const { return source.dim(0); }
  int64_t source_width() const { return padded_source; }
  int64_t target_width() const { return target_in.dim(1); }
  int64_t source_tokens = 0;  // sum of source_lengths
  int64_t target_tokens = 0;  // sum of target_lengths
};

// What a side of `length` tokens is padded to by itself: a multiple, but not beyond options.widest.
int64_t padded_width(int64_t length, int64_t multiple, const BatchOptions& options);

// Positions in `examples`, batch by batch.
using Plan = std::vector<std::vector<int64_t>>;

// Throws GraphError when there are no examples, one has an empty source, or an option is out of
// range. A batch has at least one row, even one that exceeds max_tokens by itself.
Plan plan_epoch(std::span<const EncodedExample> examples, const BatchOptions& options,
                int64_t epoch);
// For validation and search: every example once, by length, nothing shuffled.
Plan plan_in_order(std::span<const EncodedExample> examples, const BatchOptions& options);
Plan plan_stored_in_order(const ExampleStore& examples, const BatchOptions& options);

Batch make_batch(std::span<const EncodedExample> examples, std::span<const int64_t> rows,
                 const BatchOptions& options);
Batch make_stored_batch(const ExampleStore& examples, std::span<const int64_t> rows,
                        const BatchOptions& options);

// The batch in min(accumulate, rows) parts. Part i has rows i, i + accumulate, ...: parts are equally
// much work, and each is sorted as the batch is.
std::vector<Batch> make_parts(std::span<const EncodedExample> examples,
                              std::span<const int64_t> rows, const BatchOptions& options);

// How often the example is drawn in this epoch: weight rounded down or up, so that after n epochs it
// was drawn n * weight times, rounded likewise. A function of (options.weights and seed, epoch, id).
int64_t draws(int64_t id, const BatchOptions& options, int64_t epoch);

// All batches of all epochs, one after the other.
class BatchStream {
 public:
  struct Position {
    int64_t epoch = 0, index = 0;  // of the batch that `next` returns
    bool operator==(const Position&) const = default;
  };

  // With `sampling` the examples of each batch have other pieces in each epoch; the plan is that of
  // the pieces they have.
  BatchStream(ExampleStore examples, const BatchOptions& options, SubwordSampling sampling = {});

  Batch next();
  std::vector<Batch> next_parts();  // of the batch that `next` would return
  Position position() const { return position_; }
  // Throws GraphError when the position lies outside the epoch.
  void seek(Position position);

  // In the current one; of several groups, as it looks by those that were planned.
  int64_t batches_in_epoch() const;
  const ExampleStore& examples() const { return examples_; }

 private:
  void begin_epoch(int64_t epoch);
  void plan_group(size_t group);
  void release_group() const;
  std::vector<int64_t> drawn(std::vector<int64_t> rows) const;  // by their weights
  std::vector<EncodedExample> rows() const;                     // of the batch that is next
  void advance();

  ExampleStore examples_;
  BatchOptions options_;
  SubwordSampling sampling_;
  Position position_;
  std::vector<std::vector<int64_t>> groups_;  // of the epoch: numbers of blocks
  size_t group_ = 0;                          // the one that is read
  int64_t before_ = 0;                        // batches of the groups before it
  Plan plan_;                                 // of this group
};

}  // namespace weft::data
