// models/search/processors.h -- what changes a row's log-probabilities before a choice is made.
//
// Each is a function of one hypothesis alone; a search has a list of them, applied in order. Their
// meaning is that of the processors and warpers of that name in transformers.
#pragma once
#include "models/search/search_options.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace weft::search {

// history: the hypothesis's tokens, the begin first; scores: log-probabilities by token, -inf for
// what may not follow.
using Processor = std::function<void(std::span<const int32_t> history, std::span<double> scores)>;
using Processors = std::vector<Processor>;

// Scores of tokens in the history, once each: below 0 times the penalty, above divided by it
// (Keskar et al. 2019).
Processor repetition_penalty(double penalty);
// Bans what would complete an n-gram that the history has.
Processor no_repeat_ngram(int64_t n);
// Bans the last token of each word behind the others of it.
Processor bad_words(std::vector<Phrase> words);
// Bans `end` while the history has fewer tokens behind its begin.
Processor min_length(int64_t tokens, int32_t end);
// Adds the bias to a phrase's last token behind the others of it; in a history shorter than the
// phrase to none.
Processor sequence_bias(std::vector<std::pair<Phrase, double>> biases);
// Behind `from` tokens, s becomes s + |s| (growth^n - 1) at the n-th, s being the score of each end.
Processor growing_end(double growth, int64_t from, std::vector<int32_t> ends);
Processor suppress(std::vector<int32_t> tokens);
// Only of the token behind `position` others.
Processor suppress_at(int64_t position, std::vector<int32_t> tokens);
Processor renormalize();
// As repetition_penalty and no_repeat_ngram, of the source's tokens; the penalty is turned round.
Processor source_repetition_penalty(double penalty, std::vector<int32_t> source);
Processor no_source_ngram(int64_t n, std::vector<int32_t> source);

Processor temperature(double t);
// Those as likely as the k-th stay.
Processor top_k(int64_t k);
// The fewest of the likeliest whose probability is `p` or more.
Processor top_p(double p);
Processor min_p(double share);
// The fewest of those nearest to the expected information whose probability is `p` or more.
Processor typical_p(double p);
Processor epsilon_cutoff(double epsilon);
Processor eta_cutoff(double epsilon);

// What the options ask for: of any choice, and of sampling from it.
Processors processors(const SearchOptions& options, int32_t end);
Processors warpers(const SearchOptions& options);
// ... and of any choice, by the tokens of the source; before the others.
struct SourceProcessors {
  Processors first_row;  // of a beam: transformers penalises no other
  Processors all_rows;

  bool empty() const { return first_row.empty() && all_rows.empty(); }
};
SourceProcessors source_processors(const SearchOptions& options, std::span<const int32_t> source);

}  // namespace weft::search
