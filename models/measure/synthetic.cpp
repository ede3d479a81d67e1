// models/measure/synthetic.cpp -- random tokens behind each other, <pad> behind them.
#include "models/measure/synthetic.h"

#include "models/data/batch_names.h"
#include "models/data/random.h"
#include "models/data/tokens/vocabulary.h"

#include <algorithm>

namespace weft::measure {
namespace {

constexpr data::SpecialIds kIds;  // those of vocabularies made from counts

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
                         kIds.unknown + static_cast<int64_t>(random.below(
                                            static_cast<uint64_t>(vocabulary - kIds.unknown))));
  }
  return {lengths, tokens};
}

// f32[B,n,F] or f32[B,H,W,C], normal, with lengths.
std::pair<ir::Array, ir::Array> source_side(data::Random& random, const SyntheticBatch& s) {
  const data::Source& kind = s.kind;
  if (kind.kind == data::SourceKind::tokens)
    return side(random, s.rows, s.source, kind.vocabulary, s.full);
  const bool image = kind.kind == data::SourceKind::image;
  ir::Array x(ir::DType::f32, image ? ir::Dims{s.rows, kind.height, kind.width, kind.features}
                                    : ir::Dims{s.rows, s.source, kind.features});
  for (int64_t i = 0; i < x.size(); ++i) x.set(i, random.normal());
  const int64_t width = image ? kind.patches() : s.source;
  return {side(random, s.rows, width, kIds.unknown + 1, s.full || image).first, x};
}

}  // namespace

ir::NamedArrays synthetic_batch(const SyntheticBatch& s) {
  data::Random random(s.seed);
  const auto [source_lengths, source] = source_side(random, s);
  const auto [target_lengths, target_out] =
      side(random, s.rows, s.target, s.target_vocabulary, s.full);
  ir::Array target_in(ir::DType::s32, {s.rows, s.target}), row_ids(ir::DType::s64, {s.rows});
  for (int64_t b = 0; b < s.rows; ++b) {
    row_ids.set_integer(b, b);
    for (int64_t t = 0; t < s.target; ++t)
      target_in.set_integer(b * s.target + t,
                            t == 0 ? kIds.begin : target_out.integer_at(b * s.target + t - 1));
  }
  ir::NamedArrays batch;
  batch.add("source", source);
  batch.add("source_lengths", source_lengths);
  batch.add("target_in", target_in);
  batch.add("target_out", target_out);
  batch.add("target_lengths", target_lengths);
  batch.add("row_ids", row_ids);
  batch.add("row_weights", ir::Array::of(ir::DType::f32, {s.rows}, std::vector<double>(s.rows, 1)));
  batch.add("step", ir::Array(ir::DType::s64, {}));
  if (s.aligned) {
    ir::Array alignment(ir::DType::f32, {s.rows, s.target, s.source});
    for (int64_t b = 0; b < s.rows; ++b)
      for (int64_t t = 0; t < s.target; ++t) {
        const int64_t last = source_lengths.integer_at(b) - 1;
        alignment.set((b * s.target + t) * s.source + std::min(t, last), 1);
      }
    batch.add(data::kAlignment, alignment);
  }
  return batch;
}

}  // namespace weft::measure
