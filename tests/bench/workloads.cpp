// tests/bench/workloads.cpp -- the fixed workloads, their batches and operation counts.
#include "tests/bench/workloads.h"

#include "models/data/random.h"
#include "models/data/tokens/vocabulary.h"

#include <algorithm>
#include <cmath>

namespace weft::bench {
namespace {

constexpr data::SpecialIds kIds;

constexpr int64_t kVocabulary = 8000;

rnn::Config luong(bool feeding) {
  rnn::Config c;
  c.source.vocabulary = c.target_vocabulary = kVocabulary;
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
  c.source.vocabulary = c.target_vocabulary = kVocabulary;
  c.readout = rnn::Readout::tanh;
  return c;
}

transformer::Config transformer_of(int64_t width, int64_t heads, int64_t feed_forward,
                                   int64_t layers) {
  transformer::Config c;
  c.source.vocabulary = c.target_vocabulary = kVocabulary;
  c.width = width;
  c.heads = heads;
  c.feed_forward = feed_forward;
  c.encoder_layers = c.decoder_layers = layers;
  c.label_smoothing = 0.1;
  return c;
}

rnn::Config demo() {
  rnn::Config c;
  c.source.vocabulary = 30;
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
                         kIds.unknown + static_cast<int64_t>(random.below(
                                            static_cast<uint64_t>(vocabulary - kIds.unknown))));
  }
  return {lengths, tokens};
}

}  // namespace

const std::vector<Workload>& training_workloads() {
  static const std::vector<Workload> all{{"W1", additive()},
                                         {"W2", luong(false)},
                                         {"W2b", luong(true)},
                                         {"W3", transformer_of(256, 4, 1024, 3)},
                                         {"W3b", transformer_of(512, 8, 2048, 6), 16, 64, 64},
                                         {"demo", demo(), 64, 10, 8}};
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

ir::NamedArrays random_batch(const Workload& w, uint64_t seed, double padding) {
  data::Random random(seed);
  const auto [source_lengths, source] =
      side(random, w.batch, w.source, seq2seq::source_vocabulary(w.config), padding);
  const auto [target_lengths, target_out] =
      side(random, w.batch, w.target, seq2seq::target_vocabulary(w.config), padding);
  ir::Array target_in(ir::DType::s32, {w.batch, w.target}), rows(ir::DType::s64, {w.batch});
  for (int64_t b = 0; b < w.batch; ++b) {
    rows.set_integer(b, b);
    for (int64_t t = 0; t < w.target; ++t)
      target_in.set_integer(b * w.target + t,
                            t == 0 ? kIds.begin : target_out.integer_at(b * w.target + t - 1));
  }
  ir::NamedArrays batch;
  batch.add("source", source);
  batch.add("source_lengths", source_lengths);
  batch.add("target_in", target_in);
  batch.add("target_out", target_out);
  batch.add("target_lengths", target_lengths);
  batch.add("row_ids", rows);
  return batch;
}

namespace {

// What operations are counted over: tokens, and pairs of a query and a key.
struct Counts {
  double rows, source, target;
  double source_pairs, target_pairs, cross_pairs;
};

Counts counts_of(const Workload& w, const ir::NamedArrays* lengths) {
  const auto rows = static_cast<double>(w.batch), s = static_cast<double>(w.source),
             t = static_cast<double>(w.target);
  if (lengths == nullptr)
    return {rows, rows * s, rows * t, rows * s * s, rows * t * t, rows * s * t};
  Counts c{rows, 0, 0, 0, 0, 0};
  for (int64_t b = 0; b < w.batch; ++b) {
    const double n = lengths->at("source_lengths").at(b), m = lengths->at("target_lengths").at(b);
    c.source += n, c.target += m;
    c.source_pairs += n * n, c.target_pairs += m * m, c.cross_pairs += n * m;
  }
  return c;
}

double flop(const rnn::Config& c, const Counts& n) {
  const auto h = static_cast<double>(c.hidden), m = static_cast<double>(c.embedding),
             v = static_cast<double>(c.target_vocabulary);
  if (c.cell == CellKind::gru) {
    const double encoder =
        n.source * (2 * 2 * 3 * h * (m + h) + 2 * 2 * h * h) + 2 * n.rows * h * h;
    const double decoder =
        n.target * (2 * h * h + 2 * 3 * h * (m + 2 * h + h)) + n.cross_pairs * (2 * h + 2 * 2 * h);
    return encoder + decoder + n.target * (2 * (3 * h + m) * h + 2 * h * v);
  }
  const double fed = c.input_feeding ? h : 0;
  const double encoder = n.source * (2 * 4 * h * (m + h) + 2 * 4 * h * 2 * h);
  const double decoder = n.target * (2 * 4 * h * (m + fed + h) + 2 * 4 * h * 2 * h);
  return encoder + decoder + n.target * 2 * h * h + n.cross_pairs * 4 * h +
         n.target * (2 * 2 * h * h + 2 * h * v);
}

double flop(const transformer::Config& c, const Counts& n) {
  const auto d = static_cast<double>(c.width), f = static_cast<double>(c.feed_forward),
             v = static_cast<double>(c.target_vocabulary);
  const double encoder = n.source * (2 * 4 * d * d + 4 * d * f) + 4 * n.source_pairs * d;
  const double decoder = n.target * (2 * 6 * d * d + 4 * d * f) + n.source * 4 * d * d +
                         4 * (n.target_pairs + n.cross_pairs) * d;
  return static_cast<double>(c.encoder_layers) * encoder +
         static_cast<double>(c.decoder_layers) * decoder + n.target * 2 * d * v;
}

}  // namespace

double forward_flop(const Workload& w, const ir::NamedArrays* lengths) {
  const Counts n = counts_of(w, lengths);
  return &w.config.family() == &rnn::kFamily ? flop(w.config.as<rnn::Config>(), n)
                                             : flop(w.config.as<transformer::Config>(), n);
}

double decoding_flop(const Workload& w, int64_t beam, int64_t steps) {
  Workload all = w;
  all.target = beam * steps;
  return forward_flop(all);
}

}  // namespace weft::bench
