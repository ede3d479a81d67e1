// models/search/search_options.cpp -- the options as fields, and which go together.
#include "models/search/search_options.h"

#include "ir/error.h"

namespace weft::search {
namespace {

constexpr settings::Choices<LengthNorm, 5> kLengthNorms{{{"none", LengthNorm::none},
                                                         {"average", LengthNorm::average},
                                                         {"lenpen", LengthNorm::lenpen},
                                                         {"gnmt", LengthNorm::gnmt},
                                                         {"marian", LengthNorm::marian}}};
constexpr settings::Choices<SearchRules, 3> kSearchRules{{{"huggingface", SearchRules::huggingface},
                                                          {"fairseq", SearchRules::fairseq},
                                                          {"marian", SearchRules::marian}}};
constexpr settings::Choices<EarlyStopping, 3> kEarlyStopping{
    {{"true", EarlyStopping::yes}, {"false", EarlyStopping::no}, {"never", EarlyStopping::never}}};
constexpr settings::Choices<EnsembleMean, 2> kEnsembleMeans{
    {{"log_probabilities", EnsembleMean::log_probabilities},
     {"probabilities", EnsembleMean::probabilities}}};
constexpr settings::Whole kLengths{0, 1'000'000};
// n^20 is far from overflow for any n there can be.
constexpr settings::Interval kExponents = settings::up_to(20);
constexpr settings::Interval kShares = settings::above_zero(1);

void need(bool holds, const auto&... parts) {
  if (!holds) throw ir::GraphError(ir::concat(parts...));
}

}  // namespace

void fields(SearchOptions& o, settings::Fields& f) {
  f.choice(
      "length_norm", o.length_norm, kLengthNorms,
      "how scores weigh lengths, S being the log-probability of n tokens: none S, average S/n, "
      "lenpen S/n^A, gnmt S/((5+n)/6)^A, marian (S - W n)/n^A, A the length penalty");
  f.real("length_penalty", o.length_penalty, kExponents,
         "A of lenpen, gnmt and marian: 0 favours short results");
  f.real("word_penalty", o.word_penalty, {-100, 100}, "W of marian: taken off for every token");
  f.real("coverage_penalty", o.coverage_penalty, settings::up_to(100),
         "how much a source token costs that the result has hardly looked at (Wu et al. 2016, eq. "
         "14); 0: nothing");
  f.choice("search_rules", o.search_rules, kSearchRules,
           "which hypotheses finish and when a search is done, as these programs have it");
  f.choice("early_stopping", o.early_stopping, kEarlyStopping,
           "of huggingface's rules, once the beam is full of finished ones: true stops, false goes "
           "on while the best open one scores better as it is, never while it could at any length");
  std::string limit = str(o.max_length);
  f.text("max_length", limit,
         "tokens at which a result is cut: a number, or by those of its source, as 3x or 2x+10");
  if (limit != str(o.max_length)) o.max_length = length_limit_named(limit);
  f.integer("min_length", o.min_length, kLengths, "tokens that a result has at least");
  f.real("repetition_penalty", o.repetition_penalty, settings::above_zero(100),
         "log-probabilities of tokens that a result has already are multiplied by it (CTRL); 1: no "
         "penalty");
  f.integer("no_repeat_ngram", o.no_repeat_ngram, {0, 1000},
            "no sequence of so many tokens stands twice in a result; 0: any may");
  f.flag("no_unknown", o.no_unknown, "never produce the unknown token");
  f.flag("sample", o.sample,
         "draw results at random, as many as the beam has, instead of searching");
  f.real("temperature", o.temperature, settings::above_zero(1000),
         "sampling: log-probabilities are divided by it");
  f.integer("top_k", o.top_k, {0, 1 << 24}, "sampling: from the likeliest so many; 0: from all");
  f.real("top_p", o.top_p, kShares,
         "sampling: from the likeliest that have this probability together");
  f.real("min_p", o.min_p, settings::up_to(1),
         "sampling: from those at least so likely as this share of the likeliest");
  f.real("typical_p", o.typical_p, kShares,
         "sampling: from those of most typical information that have this probability together");
  f.real("epsilon_cutoff", o.epsilon_cutoff, settings::kShare,
         "sampling: from those at least so likely, and the likeliest");
  f.real("eta_cutoff", o.eta_cutoff, settings::kShare,
         "sampling: likewise, the less the more the distribution is spread (Hewitt et al. 2022)");
  settings::seed_field(f, "seed", o.seed, "of sampling");
  f.integer("groups", o.groups, {1, 1024}, "diverse beams: groups that the beam is cut into");
  f.real("diversity", o.diversity, settings::up_to(1000),
         "diverse beams: what a group loses for a token that an earlier one has just chosen");
  f.choice("ensemble_mean", o.ensemble_mean, kEnsembleMeans,
           "of several models: what of theirs is averaged");
}

void check(const SearchOptions& o, int64_t beam) {
  settings::check_ranges(settings::fields_of(o));
  check(o.max_length);
  need(o.n_best >= 1 && o.n_best <= beam, "n_best is ", o.n_best, ", needed is 1 to the beam, ",
       beam);
  const std::string_view norm = settings::name_of(kLengthNorms, o.length_norm);
  const bool has_exponent =
      o.length_norm != LengthNorm::none && o.length_norm != LengthNorm::average;
  need(o.length_penalty == 0 || has_exponent, "length_penalty is ", o.length_penalty,
       ", but length_norm is ", norm, ", which has none; lenpen, gnmt and marian have");
  need(o.word_penalty == 0 || o.length_norm == LengthNorm::marian, "word_penalty is ",
       o.word_penalty, ", but length_norm is ", norm, "; marian has one");
  need(o.early_stopping == EarlyStopping::no || o.search_rules == SearchRules::huggingface,
       "early_stopping is ", settings::name_of(kEarlyStopping, o.early_stopping),
       ", but search_rules are ", settings::name_of(kSearchRules, o.search_rules),
       ", which have their own end");
  need(o.groups == 1 || (o.groups <= beam && beam % o.groups == 0), "groups is ", o.groups,
       ", needed is a number that divides the beam, ", beam);
  need(o.groups == 1 || o.diversity > 0, "groups is ", o.groups,
       ", but diversity is 0: all would find the same");
  need(o.diversity == 0 || o.groups > 1, "diversity is ", o.diversity, ", but groups is 1");
  need(!o.sample || o.groups == 1, "sample draws hypotheses that are independent, groups is ",
       o.groups);
  need(!o.sample ||
           (o.search_rules == SearchRules::huggingface && o.early_stopping == EarlyStopping::no),
       "sample knows neither search_rules nor early_stopping: every draw ends by itself");
  const auto sampling = [&](bool is_default, std::string_view name, const auto& value) {
    need(o.sample || is_default, name, " is ", value, ", which belongs to sample");
  };
  sampling(o.temperature == 1, "temperature", o.temperature);
  sampling(o.top_k == 0, "top_k", o.top_k);
  sampling(o.top_p == 1, "top_p", o.top_p);
  sampling(o.min_p == 0, "min_p", o.min_p);
  sampling(o.typical_p == 1, "typical_p", o.typical_p);
  sampling(o.epsilon_cutoff == 0, "epsilon_cutoff", o.epsilon_cutoff);
  sampling(o.eta_cutoff == 0, "eta_cutoff", o.eta_cutoff);
  for (const Phrase& p : o.bad_words) need(!p.empty(), "a bad word has no tokens");
}

void check(const Demands& demands, const SearchOptions& o) {
  if (demands.phrases.empty()) return;
  need(!o.sample && o.groups == 1 && o.search_rules == SearchRules::huggingface,
       "phrases that a result must contain need search_rules huggingface, without sample and "
       "groups");
  for (const Phrase& p : demands.phrases) need(!p.empty(), "a phrase to be contained is empty");
}

bool need_distribution(const SearchOptions& o) {
  const TokenRules& r = o.rules;
  if (!r.suppressed.empty() || !r.suppressed_first.empty() || !r.more_ends.empty() ||
      !r.biases.empty() || r.growth != 1 || r.renormalize || r.source_ngram > 0 ||
      r.source_repetition_penalty != 1)
    return true;
  // fairseq's last step takes </s> of every row, likely or not.
  return o.sample || o.groups > 1 || o.no_repeat_ngram > 0 || o.repetition_penalty != 1 ||
         !o.bad_words.empty() || o.no_unknown || o.search_rules == SearchRules::fairseq;
}

bool need_normalizer(const SearchOptions& o, int64_t beam) {
  return o.rules.on_logits && (beam == 1 || o.sample) &&
         (o.repetition_penalty != 1 || o.rules.growth != 1 ||
          o.rules.source_repetition_penalty != 1);
}

}  // namespace weft::search
