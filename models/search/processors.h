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

Processor temperature(double t);
// Those as likely as the k-th stay.
Processor top_k(int64_t k);
// The fewest of the likeliest whose probability is `p` or more.
Processor top_p(double p);
Processor min_p(double share);
// The fewest of those nearest to the expected information whose probability is `p` or more.
Processor typical_p(double p);

// What the options ask for: of any choice, and of sampling from it.
Processors processors(const SearchOptions& options, int32_t end);
Processors warpers(const SearchOptions& options);

}  // namespace weft::search
