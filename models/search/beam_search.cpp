// models/search/beam_search.cpp -- the host loop.
#include "models/search/beam_search.h"

#include "ir/error.h"
#include "models/search/sentence.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>

namespace weft::search {
namespace {

using formats::NamedArrays;
using ir::Array;

constexpr int64_t kRowGroup = 8;  // of rows that matrix products treat alike, however many
// Caches grow with the hypotheses: they begin this long, or a multiple of the unit where the limit
// is less, and double.
constexpr int64_t kFirstCapacity = 64, kCapacityUnit = 16;

int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Rows of a dense array, each `times` times; where `rows` has -1, row 0 of `x`.
Array picked(const Array& x, std::span<const int64_t> rows, int64_t times = 1) {
  ir::Dims dims = x.dims();
  const int64_t bytes = x.bytes() / x.dim(0);
  dims[0] = std::ssize(rows) * times;
  Array y(x.dtype(), dims);
  auto* to = static_cast<char*>(y.raw());
  for (const int64_t row : rows)
    for (int64_t i = 0; i < times; ++i, to += bytes)
      std::memcpy(to, static_cast<const char*>(x.raw()) + std::max<int64_t>(row, 0) * bytes,
                  static_cast<size_t>(bytes));
  return y;
}

void check(const SearchOptions& o, int64_t beam) {
  const auto need = [](bool holds, const auto&... parts) {
    if (!holds) throw ir::GraphError(ir::concat(parts...));
  };
  need(o.n_best >= 1 && o.n_best <= beam, "n_best is ", o.n_best, ", needed is 1 to the beam, ",
       beam);
  // n^20 is far from overflow for any n there can be.
  need(o.length_penalty >= 0 && o.length_penalty <= kMostLengthPenalty, "length_penalty is ",
       o.length_penalty, ", needed is 0 to ", kMostLengthPenalty);
  check(o.max_length);
  need(o.min_length >= 0, "min_length is ", o.min_length, ", needed is 0 or more");
}

// The sentences of one batch on their way.
class BatchSearch {
 public:
  BatchSearch(Decoder& decoder, ParameterStore& store, const Array& source, const Array& lengths,
              const SearchOptions& options)
      : decoder_(decoder), store_(store) {
    for (int64_t b = 0; b < source.dim(0); ++b) {
      int64_t limit = options.max_length.of(lengths.integer_at(b));
      if (const int64_t most = decoder.traits.max_positions; most > 0)
        limit = std::min(limit, most);
      sentences_.emplace_back(decoder.beam, limit, decoder.traits.ids.end, options);
      longest_ = std::max(longest_, limit);
      rows_.push_back(b);
    }
    capacity_ = std::min(most_capacity(), kFirstCapacity);
    rows_.resize(static_cast<size_t>(round_up(std::ssize(rows_), kRowGroup)), -1);
    start(source, lengths);
  }

  std::vector<Hypotheses> run() {
    for (int32_t t = 0;; ++t) {
      if (t == capacity_ && capacity_ < most_capacity()) grow_caches();
      if (position_ != nullptr) position_->set_integer(0, t);
      step_->run();
      const int64_t live = advance();
      if (live == 0) break;
      if (round_up(live, kRowGroup) * 2 <= std::ssize(rows_)) drop_finished();
    }
    std::vector<Hypotheses> found;
    for (const Sentence& s : sentences_) found.push_back(s.best());
    return found;
  }

 private:
  void start(const Array& source, const Array& lengths) {
    const Array padded = picked(lengths, rows_);
    RepeatedRun encode = decoder_.encode.repeated(
        store_, {{"source", picked(source, rows_)}, {"source_lengths", padded}});
    encode.run();
    const ir::Graph& graph = decoder_.step.graph();
    const int64_t rows = std::ssize(rows_);
    const ir::Bindings sizes{
        {"B", rows},
        {"C", capacity_},
        {"S", decoder_.traits.patches > 0 ? decoder_.traits.patches : source.dim(1)}};
    std::vector<int64_t> all(static_cast<size_t>(rows));
    std::iota(all.begin(), all.end(), int64_t{0});
    NamedArrays inputs;
    for (const ir::Argument& a : graph.arguments()) {
      if (a.kind != ir::ArgumentKind::input) continue;
      const std::string& name = graph.info(a.value).name;
      const ir::TensorType& type = graph.type(a.value);
      const Array* const given = encode.find_result(name);
      if (name == "source_lengths") {
        inputs.add(name, padded);
      } else if (given != nullptr && a.donated) {
        inputs.add(name,
                   picked(*given, all, decoder_.beam).reshaped(ir::values(type.shape, sizes)));
      } else if (given != nullptr) {
        inputs.add(name, *given);
      } else {
        inputs.add(name, Array(ir::is_float(type.dtype) ? decoder_.step.options().real : type.dtype,
                               ir::values(type.shape, sizes)));
      }
    }
    bind(inputs);
    for (int64_t row = 0; row < rows * decoder_.beam; ++row) {
      token_->set_integer(row, decoder_.traits.ids.begin);
      score_->set(row, row % decoder_.beam == 0 ? 0 : -HUGE_VAL);
    }
  }

  void bind(const NamedArrays& inputs) {
    step_.emplace(decoder_.step.repeated(store_, inputs));
    token_ = &step_->input("token");
    score_ = &step_->input("score");
    origin_ = step_->find_input("origin");
    position_ = step_->find_input("position");
  }

  // What every sentence makes of its candidates; the number of those that go on.
  int64_t advance() {
    const Array &score = step_->result("candidate_score"),
                &token = step_->result("candidate_token"),
                &origin = step_->result("candidate_origin");
    const Array* const weights = decoder_.weights ? &step_->result("weights") : nullptr;
    const int64_t beam = decoder_.beam, count = score.dim(1);
    std::vector<Candidate> candidates(static_cast<size_t>(count));
    std::vector<std::vector<float>> looked;
    int64_t live = 0;
    for (int64_t row = 0; row < std::ssize(rows_); ++row) {
      const int64_t at = rows_[static_cast<size_t>(row)];
      if (at < 0 || sentences_[static_cast<size_t>(at)].done()) continue;
      for (int64_t i = 0; i < count; ++i)
        candidates[static_cast<size_t>(i)] = {
            score.at(row * count + i), static_cast<int32_t>(token.integer_at(row * count + i)),
            static_cast<int32_t>(origin.integer_at(row * count + i))};
      if (weights != nullptr) looked = weights_of(*weights, row);
      Sentence& sentence = sentences_[static_cast<size_t>(at)];
      const std::span<const Candidate> next = sentence.advance(candidates, looked);
      live += sentence.done() ? 0 : 1;
      for (int64_t i = 0; i < beam; ++i) {
        const bool open = i < std::ssize(next);
        const Candidate c =
            open ? next[static_cast<size_t>(i)] : Candidate{-HUGE_VAL, decoder_.traits.ids.end, 0};
        token_->set_integer(row * beam + i, c.token);
        score_->set(row * beam + i, c.score);
        if (origin_ != nullptr) origin_->set_integer(row * beam + i, c.origin);
      }
    }
    return live;
  }

  std::vector<std::vector<float>> weights_of(const Array& weights, int64_t row) const {
    const int64_t width = weights.dim(-1);
    std::vector<std::vector<float>> by_beam;
    for (int64_t k = 0; k < decoder_.beam; ++k) {
      std::vector<float>& w = by_beam.emplace_back();
      for (int64_t s = 0; s < width; ++s)
        w.push_back(static_cast<float>(weights.at((row * decoder_.beam + k) * width + s)));
    }
    return by_beam;
  }

  // Rows of sentences that are done are left out, and those that stay moved together.
  void drop_finished() {
    std::vector<int64_t> kept;
    for (int64_t row = 0; row < std::ssize(rows_); ++row) {
      const int64_t at = rows_[static_cast<size_t>(row)];
      if (at >= 0 && !sentences_[static_cast<size_t>(at)].done()) kept.push_back(row);
    }
    std::vector<int64_t> rows;
    for (const int64_t row : kept) rows.push_back(rows_[static_cast<size_t>(row)]);
    const auto padded = static_cast<size_t>(round_up(std::ssize(rows), kRowGroup));
    kept.resize(padded, -1);
    rows.resize(padded, -1);
    NamedArrays inputs;
    const ir::Graph& graph = decoder_.step.graph();
    for (const ir::Argument& a : graph.arguments()) {
      if (a.kind != ir::ArgumentKind::input) continue;
      const Array& x = step_->input(graph.info(a.value).name);
      inputs.add(graph.info(a.value).name, x.rank() == 0 ? x : picked(x, kept));
    }
    rows_ = std::move(rows);
    bind(inputs);
  }

  // Rings hold a window; until they have gone round they are caches like any other.
  int64_t most_capacity() const {
    const int64_t all = round_up(longest_, kCapacityUnit), window = decoder_.traits.window;
    return window > 0 ? std::min(all, window) : all;
  }

  void grow_caches() {
    const ir::Graph& graph = decoder_.step.graph();
    NamedArrays inputs;
    capacity_ = std::min(2 * capacity_, most_capacity());
    for (const ir::Argument& a : graph.arguments()) {
      if (a.kind != ir::ArgumentKind::input) continue;
      const std::string& name = graph.info(a.value).name;
      inputs.add(name, grown(step_->input(name), graph.type(a.value).shape));
    }
    bind(inputs);
  }

  // `x` with the room that its shape now asks for along the axis of the capacity, zeros behind.
  Array grown(const Array& x, const ir::Shape& shape) const {
    const auto at = std::find(shape.begin(), shape.end(), ir::Dim::symbol("C"));
    if (at == shape.end()) return x;
    const auto axis = at - shape.begin();
    ir::Dims dims = x.dims();
    int64_t blocks = 1;
    for (int64_t i = 0; i < axis; ++i) blocks *= dims[static_cast<size_t>(i)];
    dims[static_cast<size_t>(axis)] = capacity_;
    Array y(x.dtype(), dims);
    const int64_t from = x.bytes() / blocks, to = y.bytes() / blocks;
    for (int64_t i = 0; i < blocks; ++i)
      std::memcpy(static_cast<char*>(y.raw()) + i * to,
                  static_cast<const char*>(x.raw()) + i * from, static_cast<size_t>(from));
    return y;
  }

  Decoder& decoder_;
  ParameterStore& store_;
  int64_t longest_ = 1, capacity_ = 0;  // the largest limit; steps that the caches have room for
  std::vector<Sentence> sentences_;
  std::vector<int64_t> rows_;  // by row of the executable: its sentence; -1: none
  std::optional<RepeatedRun> step_;
  Array *token_ = nullptr, *score_ = nullptr, *origin_ = nullptr, *position_ = nullptr;
};

}  // namespace

std::vector<Hypotheses> search(Decoder& decoder, ParameterStore& store, const Array& source,
                               const Array& source_lengths, const SearchOptions& options) {
  check(options, decoder.beam);
  if (source.dim(0) == 0) return {};
  return BatchSearch(decoder, store, source, source_lengths, options).run();
}

std::vector<Hypotheses> search(Decoder& decoder, ParameterStore& store,
                               std::span<const data::EncodedExample> examples,
                               data::BatchOptions batch, const SearchOptions& options) {
  batch.one_source_width = true;
  batch.widest = decoder.traits.max_positions;
  batch.target_ids = decoder.traits.ids;
  for (const data::EncodedExample& e : examples)
    if (batch.widest > 0 && e.source_length() > batch.widest)
      throw ir::GraphError(ir::concat("the source of example ", e.id, " has ", e.source_length(),
                                      " tokens, the model has ", batch.widest, " positions"));
  std::vector<Hypotheses> all(examples.size());
  for (const std::vector<int64_t>& rows : data::plan_in_order(examples, batch)) {
    const data::Batch b = data::make_batch(examples, rows, batch);
    auto found = search(decoder, store, b.source, b.source_lengths, options);
    for (size_t i = 0; i < rows.size(); ++i)
      all[static_cast<size_t>(rows[i])] = std::move(found[i]);
  }
  return all;
}

}  // namespace weft::search
