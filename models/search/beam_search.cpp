// models/search/beam_search.cpp -- the host loop.
#include "models/search/beam_search.h"

#include "ir/error.h"
#include "models/data/random.h"
#include "models/search/batch_rows.h"
#include "models/search/sentence.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>

namespace weft::search {
namespace {

using ir::Array;
using ir::NamedArrays;

// Rows of finished sentences leave where a step then computes this share of the rows, or less.
constexpr double kWorthLeaving = 0.8;

// What the decoders must yield.
void check(std::span<const Member> members, const SearchOptions& o,
           std::span<const Demands> demands, int64_t sentences) {
  const auto need = [](bool holds, const auto&... parts) {
    if (!holds) throw ir::GraphError(ir::concat(parts...));
  };
  need(!members.empty(), "a search needs a model");
  const Decoder& first = *members.front().decoder;
  check(o, first.beam);
  need(demands.empty() || std::ssize(demands) == sentences, "there are ", demands.size(),
       " demands for ", sentences, " sentences");
  bool whole = need_distribution(o) || members.size() > 1;
  for (const Demands& of : demands) {
    whole = whole || !of.empty();
    check(of, o);
  }
  for (const Member& m : members) {
    const Decoder& d = *m.decoder;
    need(d.beam == first.beam && d.traits.ids == first.traits.ids,
         "models that choose together need one beam and the same special tokens");
    need(d.distributions || !whole,
         "the options need a decoder that yields whole distributions, this one yields candidates");
    need(d.normalizer || !need_normalizer(o, d.beam),
         "penalties that act on logits need a decoder that yields what these sum up to");
    need(d.weights || o.coverage_penalty == 0,
         "coverage_penalty needs attention weights, the decoder yields none");
  }
}

// Room for what is demanded, whatever the limit asked for.
int64_t limit_of(int64_t asked, const Demands& of, int64_t positions) {
  int64_t least = std::ssize(of.prefix) + (of.phrases.empty() ? 0 : 1);
  for (const Phrase& p : of.phrases) least += std::ssize(p);
  if (positions > 0 && least > positions)
    throw ir::GraphError(ir::concat("a prefix and phrases of ", least, " tokens, the model has ",
                                    positions, " positions"));
  const int64_t limit = std::max(asked, least);
  return positions > 0 ? std::min(limit, positions) : limit;
}

// A function of what the sentence is, not of where it stands.
uint64_t noise_of(const Array& source, int64_t row, int64_t positions, uint64_t seed) {
  const int64_t bytes = source.bytes() / source.dim(0);
  const int64_t used = source.rank() <= 3 ? bytes / source.dim(1) * positions : bytes;
  const auto* from = static_cast<const char*>(source.raw()) + row * bytes;
  return data::hash(seed, {from, static_cast<size_t>(used)});
}

// None where the source is no tokens.
std::span<const int32_t> tokens_of(const Array& source, int64_t row, int64_t positions) {
  if (source.rank() != 2 || source.dtype() != ir::DType::s32) return {};
  return {source.data<int32_t>() + row * source.dim(1), static_cast<size_t>(positions)};
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
        const double sum = so_far + scores.at(first + at);
        all_.push_back({sum, tokens[at], static_cast<int32_t>(k), sum});
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
  BatchSearch(std::span<const Member> members, const Array& source, const Array& lengths,
              const SearchOptions& options, const Requests& requests)
      : decoder_(*members.front().decoder),
        observer_(requests.observer),
        rules_(options, decoder_.beam, decoder_.traits.ids),
        whole_(decoder_.distributions),
        candidates_(decoder_) {
    int64_t longest = 1, positions = 0;
    for (const Member& m : members)
      if (const int64_t most = m.decoder->traits.max_target_positions; most > 0)
        positions = positions == 0 ? most : std::min(positions, most);
    for (int64_t b = 0; b < source.dim(0); ++b) {
      const Demands& of =
          requests.demands.empty() ? no_demands_ : requests.demands[static_cast<size_t>(b)];
      const int64_t length = lengths.integer_at(b),
                    limit = limit_of(options.max_length.of(length), of, positions);
      sentences_.emplace_back(rules_, of, limit, length,
                              options.sample ? noise_of(source, b, length, options.seed) : 0,
                              source_processors(options, tokens_of(source, b, length)));
      longest = std::max(longest, limit);
      places_.push_back(static_cast<size_t>(b));
    }
    for (const Member& m : members)
      rows_.emplace_back(*m.decoder, *m.store, source, lengths, longest);
  }

  std::vector<Hypotheses> run() {
    for (;;) {
      for (BatchRows& of_member : rows_) of_member.run();
      const std::vector<int64_t> live = advance();
      if (live.empty()) break;
      if (static_cast<double>(padded_rows(std::ssize(live))) <=
          kWorthLeaving * static_cast<double>(rows_.front().padded()))
        keep(live);
    }
    std::vector<Hypotheses> found;
    for (const Sentence& s : sentences_) {
      found.push_back(s.best());
      for (Hypothesis& h : found.back())
        if (!decoder_.scores) {
          h.log_probability = h.score = std::numeric_limits<double>::quiet_NaN();
          h.token_log_probabilities.clear();
        }
    }
    return found;
  }

 private:
  // What every sentence makes of its candidates; the rows of those that go on.
  std::vector<int64_t> advance() {
    std::vector<const Array*> distributions;
    if (whole_)
      for (const BatchRows& of_member : rows_)
        distributions.push_back(&of_member.result("log_probability"));
    const Array* normalizers = rules_.on_logits ? &rows_.front().result("log_normalizer") : nullptr;
    std::vector<int64_t> live;
    for (int64_t row = 0; row < rows_.front().count(); ++row) {
      const size_t place = places_[static_cast<size_t>(row)];
      Sentence& sentence = sentences_[place];
      if (sentence.done()) continue;
      const Distribution distribution{distributions, rules_.options.ensemble_mean, row,
                                      normalizers};
      const std::span<const Candidate> next = sentence.advance(
          {.candidates = whole_ ? std::span<const Candidate>() : candidates_of(row, sentence),
           .distribution = whole_ ? &distribution : nullptr,
           .weights = weights_of(row)});
      if (!sentence.done()) live.push_back(row);
      for (int64_t k = 0; k < decoder_.beam; ++k)
        for (BatchRows& of_member : rows_)
          of_member.continue_with(row, k, next[static_cast<size_t>(k)].token,
                                  next[static_cast<size_t>(k)].origin);
      if (observer_) observer_(static_cast<int64_t>(place), sentence.stable(), sentence.done());
    }
    return live;
  }

  std::span<const Candidate> candidates_of(int64_t row, const Sentence& sentence) {
    const BatchRows& rows = rows_.front();
    const Array &token = rows.result("candidate_token"),
                &score = rows.result(decoder_.scores ? "candidate_score" : "candidate_logit");
    const int64_t named = token.dim(-1), of_row = rows.beams() * named;
    return candidates_.of(sentence.open(), token.data<int32_t>() + row * of_row, score,
                          row * of_row, named);
  }

  // By beam, of the present step, the mean of those that yield them.
  StepWeights weights_of(int64_t row) const {
    StepWeights by_beam;
    double members = 0;
    for (const BatchRows& rows : rows_) {
      if (!rows.has_weights()) continue;
      const Array& weights = rows.result("weights");
      const int64_t width = weights.dim(-1);
      by_beam.resize(static_cast<size_t>(rows.beams()));
      for (int64_t k = 0; k < rows.beams(); ++k) {
        std::vector<float>& w = by_beam[static_cast<size_t>(k)];
        w.resize(std::max(w.size(), static_cast<size_t>(width)), 0);
        for (int64_t s = 0; s < width; ++s)
          w[static_cast<size_t>(s)] +=
              static_cast<float>(weights.at((row * rows.beams() + k) * width + s));
      }
      ++members;
    }
    if (members > 1)
      for (std::vector<float>& w : by_beam)
        for (float& x : w) x /= static_cast<float>(members);
    return by_beam;
  }

  void keep(std::span<const int64_t> live) {
    std::vector<size_t> places;
    std::vector<int64_t> order;
    for (BatchRows& of_member : rows_) order = of_member.keep(live);
    for (const int64_t row : order) places.push_back(places_[static_cast<size_t>(row)]);
    places_ = std::move(places);
  }

  const Decoder& decoder_;  // of the first member
  const Observer& observer_;
  const Demands no_demands_;
  Rules rules_;
  bool whole_;  // choices are made from whole distributions
  std::vector<Sentence> sentences_;
  std::vector<size_t> places_;  // by row: which of the sentences
  Candidates candidates_;
  std::deque<BatchRows> rows_;  // by member
};

}  // namespace

std::vector<Hypotheses> search(std::span<const Member> members, const Array& source,
                               const Array& source_lengths, const SearchOptions& options,
                               const Requests& requests) {
  check(members, options, requests.demands, source.dim(0));
  if (source.dim(0) == 0) return {};
  return BatchSearch(members, source, source_lengths, options, requests).run();
}

std::vector<Hypotheses> search(Decoder& decoder, ParameterStore& store, const Array& source,
                               const Array& source_lengths, const SearchOptions& options,
                               const Requests& requests) {
  const Member only{&decoder, &store};
  return search(std::span(&only, 1), source, source_lengths, options, requests);
}

std::vector<Hypotheses> search(std::span<const Member> members,
                               std::span<const data::EncodedExample> examples,
                               data::BatchOptions batch, const SearchOptions& options,
                               const Requests& requests) {
  check(members, options, requests.demands, std::ssize(examples));
  batch.one_source_width = true;
  batch.widest = 0;
  for (const Member& m : members)
    if (const int64_t most = m.decoder->traits.max_positions; most > 0)
      batch.widest = batch.widest == 0 ? most : std::min(batch.widest, most);
  batch.target_ids = members.front().decoder->traits.ids;
  for (const data::EncodedExample& e : examples)
    if (batch.widest > 0 && e.source_length() > batch.widest)
      throw ir::GraphError(ir::concat("the source of example ", e.id, " has ", e.source_length(),
                                      " tokens, the model has ", batch.widest, " positions"));
  std::vector<Hypotheses> all(examples.size());
  for (const std::vector<int64_t>& rows : data::plan_in_order(examples, batch)) {
    const data::Batch b = data::make_batch(examples, rows, batch);
    std::vector<Demands> demands;
    for (const int64_t row : rows)
      if (!requests.demands.empty()) demands.push_back(requests.demands[static_cast<size_t>(row)]);
    Requests of_batch{.demands = demands};
    if (requests.observer)
      of_batch.observer = [&](int64_t row, std::span<const int32_t> tokens, bool done) {
        requests.observer(rows[static_cast<size_t>(row)], tokens, done);
      };
    auto found = search(members, b.source, b.source_lengths, options, of_batch);
    for (size_t i = 0; i < rows.size(); ++i)
      all[static_cast<size_t>(rows[i])] = std::move(found[i]);
  }
  return all;
}

std::vector<Hypotheses> search(Decoder& decoder, ParameterStore& store,
                               std::span<const data::EncodedExample> examples,
                               data::BatchOptions batch, const SearchOptions& options,
                               const Requests& requests) {
  const Member only{&decoder, &store};
  return search(std::span(&only, 1), examples, batch, options, requests);
}

}  // namespace weft::search
