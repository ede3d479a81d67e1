// models/search/search_options.h -- what is asked of a search.
//
// S is the sum of a hypothesis's log-probabilities, n the number of its tokens, </s> included, A the
// length penalty, K the beam.
//
//   length_norm   score of a finished hypothesis
//   none          S
//   average       S / n
//   lenpen        S / n^A                               (fairseq, Hugging Face; A = 0: none)
//   gnmt          S / ((5 + n) / 6)^A                   (Wu et al. 2016, eq. 14)
//   marian        (S - W n) / n^A                       (W: word penalty)
//
// Each may be joined by the coverage penalty of Wu et al. 2016, eq. 14, which is added:
// C * sum over source positions i of log(min(1, sum over the n steps of the weight on i)).
//
// search_rules say which hypotheses finish, and when a sentence is done:
//   huggingface   Every step looks at the best 2K continuations. Those that end among the first K
//                 finish, the best K that do not end go on; the K finished of the best scores are
//                 kept. At the limit open hypotheses finish as they are, cut. A sentence is done
//                 at the limit, or when K have finished and, with early_stopping
//                   true    at once;
//                   false   when the likeliest open one, if it ended now, would not score better
//                           than the worst of them (Hugging Face's heuristic);
//                   never   when no open one can get a better score at any length up to the limit,
//                           its log-probability falling no further: exact but for what has left
//                           the beam. (Hugging Face's "never" is this, for A >= 0.)
//                 (transformers 4.50 and later, a sentence at a time.)
//   fairseq       The same 2K and K; finished ones are kept in the order they are met until there
//                 are K, then the sentence is done. The last token before the limit can only be
//                 </s>. (A limit of N is fairseq's max_len of N - 1.)
//   marian        Every step keeps the best L continuations, at first L = K; those that end finish
//                 and make L smaller. Done when L is 0, or at the limit, where the open ones finish
//                 cut.
// Hypotheses that nothing may follow, because every token is banned, finish cut.
//
// Options that change probabilities act on log-probabilities in this order (as in transformers):
// repetition penalty, n-grams, bad words, minimal length; then diversity; then, for sampling,
// temperature, top_k, top_p, min_p, typical_p. A hypothesis's `score` is made of the changed ones
// (before temperature and what follows it), its `log_probability` of the model's own. Banned tokens
// leave their probability unused.
//
// Sampling (`sample`) draws K hypotheses independently, one from each row of the beam. The numbers
// are a function of seed, source, sample and step alone: never of what else is translated.
//
// Diverse beams (Vijayakumar et al. 2016): the beam is cut into `groups`; at every step a group
// loses `diversity` for every time an earlier group has just chosen the same token.
//
// Several models choose together: a token's log-probability is the mean of theirs (as in Marian, but
// for the number of models, by which Marian does not divide), or the logarithm of the mean of their
// probabilities (as in fairseq).
#pragma once
#include "models/search/length_limit.h"
#include "models/settings/fields.h"

#include <cstdint>
#include <vector>

namespace weft::search {

enum class LengthNorm { none, average, lenpen, gnmt, marian };
enum class SearchRules { huggingface, fairseq, marian };
enum class EarlyStopping { yes, no, never };
enum class EnsembleMean { log_probabilities, probabilities };

using Phrase = std::vector<int32_t>;

struct SearchOptions {
  int64_t n_best = 1;         // hypotheses returned of a sentence; at most the beam
  double length_penalty = 0;  // A
  LengthLimit max_length;     // and never more than the decoder has positions
  int64_t min_length = 0;     // tokens before </s>

  LengthNorm length_norm = LengthNorm::lenpen;
  double word_penalty = 0;      // W
  double coverage_penalty = 0;  // C; needs a decoder that yields attention weights
  SearchRules search_rules = SearchRules::huggingface;
  EarlyStopping early_stopping = EarlyStopping::yes;

  double repetition_penalty = 1;  // log-probabilities of tokens already there are multiplied by it
  int64_t no_repeat_ngram = 0;    // no n-gram of this length twice; 0: any
  std::vector<Phrase> bad_words;  // never produced
  bool no_unknown = false;        // nor the unknown token

  bool sample = false;
  double temperature = 1;
  int64_t top_k = 0;     // of the likeliest so many; 0: of all
  double top_p = 1;      // of the likeliest that make up this share (Holtzman et al. 2020)
  double min_p = 0;      // of those at least this share of the likeliest one
  double typical_p = 1;  // of the most typical that make up this share (Meister et al. 2022)
  uint64_t seed = 1;     // of sampling

  int64_t groups = 1;
  double diversity = 0;

  EnsembleMean ensemble_mean = EnsembleMean::log_probabilities;
};

// What users set, each once: name, range and meaning (bad words are ids of a vocabulary, and not
// among them).
void fields(SearchOptions& options, settings::Fields& f);

// Throws GraphError where a field is out of range or fields do not go together, by their names.
void check(const SearchOptions& options, int64_t beam);

// What is asked of one sentence alone.
struct Demands {
  Phrase prefix;  // what the result begins with; all of it where </s> stands at its end
  std::vector<Phrase> phrases;  // what it contains: lexical constraints

  bool empty() const { return prefix.empty() && phrases.empty(); }
};

// GraphError where they do not go together with the options.
void check(const Demands& demands, const SearchOptions& options);

// Do these need every token's log-probability, where otherwise a step's best candidates do?
bool need_distribution(const SearchOptions& options);

}  // namespace weft::search
