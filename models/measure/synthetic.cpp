// models/measure/synthetic.cpp -- random tokens behind each other, <pad> behind them.
#include "models/measure/synthetic.h"

#include "models/data/random.h"
#include "models/data/vocabulary.h"

#include <algorithm>

namespace weft::measure {
namespace {

// lengths s32[B] and tokens s32[B,n]
std::pair<ir::Array, ir::Array> side(data::Random& random, int64_t rows, int64_t width,
                                     int64_t vocabulary, bool full) {
  ir::Array lengths(ir::DType::s32, {rows}), tokens(ir::DType::s32, {rows, width});
  const int64_t low = std::max<int64_t>(1, 10 * width / 25);
  for (int64_t b = 0; b < rows; ++b) {
    const int64_t n =
        b == 0 || full
            ? width
            : low + static_cast<int64_t>(random.below(static_cast<uint64_t>(width - low + 1)));
    lengths.set_integer(b, n);
    for (int64_t i = 0; i < n; ++i)
      tokens.set_integer(b * width + i,
                         data::kUnk + static_cast<int64_t>(random.below(
                                          static_cast<uint64_t>(vocabulary - data::kUnk))));
  }
  return {lengths, tokens};
}

}  // namespace

formats::NamedArrays synthetic_batch(const SyntheticBatch& s) {
  data::Random random(s.seed);
  const auto [source_lengths, source] = side(random, s.rows, s.source, s.source_vocabulary, s.full);
  const auto [target_lengths, target_out] =
      side(random, s.rows, s.target, s.target_vocabulary, s.full);
  ir::Array target_in(ir::DType::s32, {s.rows, s.target}), row_ids(ir::DType::s64, {s.rows});
  for (int64_t b = 0; b < s.rows; ++b) {
    row_ids.set_integer(b, b);
    for (int64_t t = 0; t < s.target; ++t)
      target_in.set_integer(b * s.target + t,
                            t == 0 ? data::kBos : target_out.integer_at(b * s.target + t - 1));
  }
  formats::NamedArrays batch;
  batch.add("source", source);
  batch.add("source_lengths", source_lengths);
  batch.add("target_in", target_in);
  batch.add("target_out", target_out);
  batch.add("target_lengths", target_lengths);
  batch.add("row_ids", row_ids);
  batch.add("step", ir::Array(ir::DType::s64, {}));
  return batch;
}

}  // namespace weft::measure
