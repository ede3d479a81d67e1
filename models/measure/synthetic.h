// models/measure/synthetic.h -- batches of random sources and tokens: for benches and profiles, where only
// sizes count.
#pragma once
#include "ir/host/named_arrays.h"
#include "models/data/source.h"

#include <cstdint>

namespace weft::measure {

struct SyntheticBatch {
  int64_t rows = 64, source = 25, target = 25;  // padded widths
  data::Source kind;                            // what the source is
  int64_t target_vocabulary = 0;
  uint64_t seed = 1;
  bool full = false;     // every row as long as the widths; else lengths are uniform in [2/5 n, n]
  bool aligned = false;  // with alignments, each target token to the source's at its place
};

// The inputs of a loss graph, named as the fields of data::Batch, and `step`. The first row is
// full.
ir::NamedArrays synthetic_batch(const SyntheticBatch& sizes);

}  // namespace weft::measure
