// models/search/beam_search.cpp -- the host loop.
#include "models/search/beam_search.h"

#include "ir/error.h"
#include "models/search/batch_rows.h"
#include "models/search/sentence.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace weft::search {
namespace {

using ir::Array;
using ir::NamedArrays;

// Rows of finished sentences leave where a step then computes this share of the rows, or less.
constexpr double kWorthLeaving = 0.8;

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

// The continuations of a sentence's hypotheses, the best first; of equals, that of the first beam.
class Candidates {
 public:
  // Of each hypothesis as many as the graph names; the best 2K are wanted.
  explicit Candidates(const Decoder& decoder)
      : ids_(decoder.traits.ids), scores_(decoder.scores), most_(2 * decoder.beam) {}

  // The tokens that the graph names for beams of a row, and what it makes of them: [beams,named].
  std::span<const Candidate> of(std::span<const Candidate> hypotheses, const int32_t* tokens,
                                const Array& scores, int64_t first, int64_t named) {
    all_.clear();
    for (size_t k = 0; k < hypotheses.size(); ++k)
      for (int64_t i = 0; i < named; ++i) {
        const int64_t at = static_cast<int64_t>(k) * named + i;
        if (ids_.is_never_produced(tokens[at])) continue;
        const double so_far = scores_ ? hypotheses[k].score : 0;
        all_.push_back({so_far + scores.at(first + at), tokens[at], static_cast<int32_t>(k)});
      }
    if (hypotheses.size() == 1) return first_of_all();
    std::stable_sort(all_.begin(), all_.end(), [](const Candidate& a, const Candidate& b) {
      return a.score > b.score || (std::isnan(a.score) && !std::isnan(b.score));
    });
    return first_of_all();
  }

 private:
  std::span<const Candidate> first_of_all() const {
    return std::span(all_).first(std::min(all_.size(), static_cast<size_t>(most_)));
  }

  data::SpecialIds ids_;
  bool scores_;
  int64_t most_;
  std::vector<Candidate> all_;
};

// The sentences of one batch on their way.
class BatchSearch {
 public:
  BatchSearch(Decoder& decoder, ParameterStore& store, const Array& source, const Array& lengths,
              const SearchOptions& options)
      : decoder_(decoder), candidates_(decoder) {
    int64_t longest = 1;
    for (int64_t b = 0; b < source.dim(0); ++b) {
      int64_t limit = options.max_length.of(lengths.integer_at(b));
      if (const int64_t most = decoder.traits.max_positions; most > 0)
        limit = std::min(limit, most);
      sentences_.emplace_back(decoder.beam, limit, decoder.traits.ids.end, options);
      longest = std::max(longest, limit);
      places_.push_back(static_cast<size_t>(b));
    }
    rows_.emplace(decoder, store, source, lengths, longest);
  }

  std::vector<Hypotheses> run() {
    for (;;) {
      rows_->run();
      const std::vector<int64_t> live = advance();
      if (live.empty()) break;
      if (static_cast<double>(padded_rows(std::ssize(live))) <=
          kWorthLeaving * static_cast<double>(rows_->padded()))
        keep(live);
    }
    std::vector<Hypotheses> found;
    for (const Sentence& s : sentences_) {
      found.push_back(s.best());
      for (Hypothesis& h : found.back())
        if (!decoder_.scores)
          h.log_probability = h.score = std::numeric_limits<double>::quiet_NaN();
    }
    return found;
  }

 private:
  // What every sentence makes of its candidates; the rows of those that go on.
  std::vector<int64_t> advance() {
    const Array &token = rows_->result("candidate_token"),
                &score = rows_->result(decoder_.scores ? "candidate_score" : "candidate_logit");
    const int64_t named = token.dim(-1), of_row = rows_->beams() * named;
    std::vector<int64_t> live;
    for (int64_t row = 0; row < rows_->count(); ++row) {
      Sentence& sentence = sentences_[places_[static_cast<size_t>(row)]];
      if (sentence.done()) continue;
      const auto candidates = candidates_.of(sentence.open(), token.data<int32_t>() + row * of_row,
                                             score, row * of_row, named);
      const std::span<const Candidate> next = sentence.advance(candidates, weights_of(row));
      if (!sentence.done()) live.push_back(row);
      for (int64_t k = 0; k < decoder_.beam; ++k) {
        const Candidate c = k < std::ssize(next) ? next[static_cast<size_t>(k)]
                                                 : Candidate{0, decoder_.traits.ids.end, 0};
        rows_->continue_with(row, k, c.token, c.origin);
      }
    }
    return live;
  }

  // By beam, of the present step; nothing where the decoder yields none.
  std::vector<std::vector<float>> weights_of(int64_t row) const {
    std::vector<std::vector<float>> by_beam;
    if (!decoder_.weights) return by_beam;
    const Array& weights = rows_->result("weights");
    const int64_t width = weights.dim(-1);
    for (int64_t k = 0; k < rows_->beams(); ++k) {
      std::vector<float>& w = by_beam.emplace_back();
      for (int64_t s = 0; s < width; ++s)
        w.push_back(static_cast<float>(weights.at((row * rows_->beams() + k) * width + s)));
    }
    return by_beam;
  }

  void keep(std::span<const int64_t> live) {
    std::vector<size_t> places;
    for (const int64_t row : rows_->keep(live)) places.push_back(places_[static_cast<size_t>(row)]);
    places_ = std::move(places);
  }

  Decoder& decoder_;
  std::vector<Sentence> sentences_;
  std::vector<size_t> places_;  // by row: which of the sentences
  Candidates candidates_;
  std::optional<BatchRows> rows_;
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
