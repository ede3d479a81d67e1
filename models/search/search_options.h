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
//                 (transformers 4.50 and later, a sentence at a time.) A beam of 1 is greedy search:
//                 it is done when it ends.
//   fairseq       The same 2K and K; finished ones are kept in the order they are met until there
//                 are K, then the sentence is done. The last token before the limit can only be
//                 </s>. (A limit of N is fairseq's max_len of N - 1.)
//   marian        Every step keeps the best L continuations, at first L = K; those that end finish
//                 and make L smaller. Done when L is 0, or at the limit, where the open ones finish
//                 cut.
// Hypotheses that nothing may follow, because every token is banned, finish cut.
//
// Options that change probabilities act on log-probabilities in this order (as in transformers):
// biases, repetition penalty, n-grams, bad words, minimal length, growth of the end, suppressed tokens;
// then diversity; then, for sampling, temperature, top_k, top_p, min_p, typical_p, epsilon_cutoff,
// eta_cutoff. A hypothesis's `score` is made of the changed ones
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

// Rules about ids that come with a published model (models/published/generation.h); as in
// transformers.
struct TokenRules {
  static constexpr int32_t kNone = -1;

  std::vector<int32_t> suppressed;        // never produced
  std::vector<int32_t> suppressed_first;  // not as the first token that is not forced
  // The first token, and the last one before the limit. They are certain: they count 0 in scores and
  // log-probabilities.
  int32_t forced_first = kNone, forced_last = kNone;
  std::vector<int32_t> more_ends;  // end a hypothesis as well; they stay among its tokens
  // Added to the score of a phrase's last token behind the others of it.
  std::vector<std::pair<Phrase, double>> biases;
  // Behind `growth_from` tokens the score s of the end becomes s + |s| (growth^n - 1) at the n-th.
  double growth = 1;
  int64_t growth_from = 0;
  double source_repetition_penalty = 1;  // tokens of the source: above 1 they are favoured
  int64_t source_ngram = 0;              // no n-gram of this length that the source has; 0: any
  bool renormalize = false;
  // With a beam of 1 and in sampling, penalties act on logits.
  bool on_logits = false;
};

struct SearchOptions {
  int64_t n_best = 1;         // hypotheses returned of a sentence; at most the beam
  double length_penalty = 0;  // A
  LengthLimit max_length;     // and never more than the decoder has positions
  int64_t min_length = 0;     // tokens before </s>

  LengthNorm length_norm = LengthNorm::lenpen;
  double word_penalty = 0;      // W
  double coverage_penalty = 0;  // C; needs a decoder that yields attention weights
  SearchRules search_rules = SearchRules::huggingface;
  EarlyStopping early_stopping = EarlyStopping::no;

  double repetition_penalty = 1;  // log-probabilities of tokens already there are multiplied by it
  int64_t no_repeat_ngram = 0;    // no n-gram of this length twice; 0: any
  std::vector<Phrase> bad_words;  // never produced
  TokenRules rules;
  bool no_unknown = false;  // nor the unknown token

  bool sample = false;
  double temperature = 1;
  int64_t top_k = 0;     // of the likeliest so many; 0: of all
  double top_p = 1;      // of the likeliest that make up this share (Holtzman et al. 2020)
  double min_p = 0;      // of those at least this share of the likeliest one
  double typical_p = 1;  // of the most typical that make up this share (Meister et al. 2022)
  // Of those at least so likely; the likeliest always is (Hewitt et al. 2022). eta: lowered by
  // sqrt(eta) exp(-entropy) where that is less.
  double epsilon_cutoff = 0, eta_cutoff = 0;
  uint64_t seed = 1;  // of sampling

  int64_t groups = 1;
  double diversity = 0;

  EnsembleMean ensemble_mean = EnsembleMean::log_probabilities;
};

// What users set, each once: name, range and meaning (bad words and rules are about ids of a
// vocabulary, and not among them).
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
// ... and what their logits sum up to?
bool need_normalizer(const SearchOptions& options, int64_t beam);

}  // namespace weft::search
