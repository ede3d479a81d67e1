// tests/bench/workloads.cpp -- the fixed workloads, their batches and operation counts.
#include "tests/bench/workloads.h"

#include "models/data/random.h"
#include "models/data/vocabulary.h"

#include <algorithm>
#include <cmath>

namespace weft::bench {
namespace {

constexpr int64_t kVocabulary = 8000;

rnn::Config luong(bool feeding) {
  rnn::Config c;
  c.source_vocabulary = c.target_vocabulary = kVocabulary;
  c.cell = CellKind::lstm;
  c.attention = rnn::AttentionKind::general;
  c.layers = 2;
  c.bidirectional = false;
  c.input_feeding = feeding;
  c.readout = rnn::Readout::plain;
  return c;
}

rnn::Config additive() {
  rnn::Config c;
  c.source_vocabulary = c.target_vocabulary = kVocabulary;
  c.readout = rnn::Readout::tanh;
  return c;
}

rnn::Config demo() {
  rnn::Config c;
  c.source_vocabulary = 30;
  c.target_vocabulary = 44;
  c.embedding = 64;
  c.hidden = 192;
  return c;
}

// lengths s32[B] and tokens s32[B,n], <pad> behind them.
std::pair<ir::Array, ir::Array> side(data::Random& random, int64_t rows, int64_t width,
                                     int64_t vocabulary, double padding) {
  ir::Array lengths(ir::DType::s32, {rows}), tokens(ir::DType::s32, {rows, width});
  const int64_t low = std::max<int64_t>(
      1, std::lround(static_cast<double>(width) * (1 - 2 * std::min(padding, 0.5))));
  for (int64_t b = 0; b < rows; ++b) {
    const int64_t n =
        b == 0 ? width
               : low + static_cast<int64_t>(random.below(static_cast<uint64_t>(width - low + 1)));
    lengths.set_integer(b, n);
    for (int64_t i = 0; i < n; ++i)
      tokens.set_integer(b * width + i,
                         data::kUnk + static_cast<int64_t>(random.below(
                                          static_cast<uint64_t>(vocabulary - data::kUnk))));
  }
  return {lengths, tokens};
}

double sum(const ir::Array& lengths) {
  double s = 0;
  for (int64_t i = 0; i < lengths.size(); ++i) s += lengths.at(i);
  return s;
}

}  // namespace

const std::vector<Workload>& training_workloads() {
  static const std::vector<Workload> all{
      {"W1", additive()}, {"W2", luong(false)}, {"W2b", luong(true)}, {"demo", demo(), 64, 10, 8}};
  return all;
}

const Workload& workload(std::string_view name) {
  std::string names;
  for (const Workload& w : training_workloads()) {
    if (w.name == name) return w;
    names += (names.empty() ? "" : ", ") + w.name;
  }
  throw ir::GraphError(ir::concat("there is no workload '", name, "'; there are ", names));
}

formats::NamedArrays random_batch(const Workload& w, uint64_t seed, double padding) {
  data::Random random(seed);
  const auto [source_lengths, source] =
      side(random, w.batch, w.source, w.config.source_vocabulary, padding);
  const auto [target_lengths, target_out] =
      side(random, w.batch, w.target, w.config.target_vocabulary, padding);
  ir::Array target_in(ir::DType::s32, {w.batch, w.target}), rows(ir::DType::s64, {w.batch});
  for (int64_t b = 0; b < w.batch; ++b) {
    rows.set_integer(b, b);
    for (int64_t t = 0; t < w.target; ++t)
      target_in.set_integer(b * w.target + t,
                            t == 0 ? data::kBos : target_out.integer_at(b * w.target + t - 1));
  }
  formats::NamedArrays batch;
  batch.add("source", source);
  batch.add("source_lengths", source_lengths);
  batch.add("target_in", target_in);
  batch.add("target_out", target_out);
  batch.add("target_lengths", target_lengths);
  batch.add("row_ids", rows);
  return batch;
}

double forward_flop(const Workload& w, const formats::NamedArrays* lengths) {
  const rnn::Config& c = w.config;
  const auto h = static_cast<double>(c.hidden), m = static_cast<double>(c.embedding),
             v = static_cast<double>(c.target_vocabulary);
  const double source = lengths != nullptr ? sum(lengths->at("source_lengths"))
                                           : static_cast<double>(w.batch * w.source);
  const double target = lengths != nullptr ? sum(lengths->at("target_lengths"))
                                           : static_cast<double>(w.batch * w.target);
  double pairs = static_cast<double>(w.batch * w.source * w.target);  // of queries and keys
  if (lengths != nullptr) {
    pairs = 0;
    for (int64_t b = 0; b < w.batch; ++b)
      pairs += lengths->at("source_lengths").at(b) * lengths->at("target_lengths").at(b);
  }
  if (c.cell == CellKind::gru) {
    const double encoder = source * (2 * 2 * 3 * h * (m + h) + 2 * 2 * h * h) +
                           2 * static_cast<double>(w.batch) * h * h;
    const double decoder =
        target * (2 * h * h + 2 * 3 * h * (m + 2 * h + h)) + pairs * (2 * h + 2 * 2 * h);
    return encoder + decoder + target * (2 * (3 * h + m) * h + 2 * h * v);
  }
  const double fed = c.input_feeding ? h : 0;
  const double encoder = source * (2 * 4 * h * (m + h) + 2 * 4 * h * 2 * h);
  const double decoder = target * (2 * 4 * h * (m + fed + h) + 2 * 4 * h * 2 * h);
  return encoder + decoder + target * 2 * h * h + pairs * 4 * h +
         target * (2 * 2 * h * h + 2 * h * v);
}

double decoding_flop(const Workload& w, int64_t beam, int64_t steps) {
  Workload all = w;
  all.target = beam * steps;
  return forward_flop(all);
}

}  // namespace weft::bench
