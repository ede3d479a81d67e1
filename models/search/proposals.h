// models/search/proposals.h -- candidates out of whole distributions: the best of them, one drawn
// from them, or those that bring phrases into the result.
#pragma once
#include "ir/host/array.h"
#include "models/data/tokens/special_ids.h"
#include "models/search/beam.h"
#include "models/search/phrases.h"
#include "models/search/processors.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weft::search {

// What the sentences of a search share.
struct Rules {
  Rules(const SearchOptions& options, int64_t beam, const data::SpecialIds& ids);

  SearchOptions options;
  int64_t beam;
  data::SpecialIds ids;
  Processors processors, warpers;
  bool reads_history;  // some processor does
  bool on_logits;      // penalties act on logits
  // What the next token must be, behind `tokens` others; TokenRules::kNone: anything.
  int32_t forced(int64_t tokens, bool at_limit) const;
  std::vector<double> scores, drawn_from;  // of the row at hand: room that is used again
};

// A step's distributions, of one sentence, by one model or the mean of several.
struct Distribution {
  std::span<const ir::Array* const> members;  // each f[B,K,V]; K is 1 in the first step
  EnsembleMean mean;
  int64_t sentence;                        // its place in B
  const ir::Array* normalizers = nullptr;  // f[B,K], of one model: a logit less its log-probability

  int64_t vocabulary() const { return members.front()->dim(-1); }
  // log-probability of a token behind the sentence's hypothesis `row`
  double at(int64_t row, int32_t token) const;
  // of all tokens; GraphError where one is NaN
  void copy(int64_t row, std::vector<double>& to) const;
  double normalizer(int64_t row) const;

 private:
  int64_t first(int64_t row) const;  // where its distribution begins
};

class Proposals {
 public:
  Proposals(Rules& rules, const Distribution& distribution, const History& history,
            const Demands& demands, const SourceProcessors& by_source)
      : rules_(rules),
        distribution_(distribution),
        history_(history),
        prefix_(demands.prefix),
        by_source_(by_source) {}

  // The 2 * width best continuations of a beam, the best first. chosen: tokens of earlier groups.
  std::vector<Candidate> best(const Beam& beam, std::span<const int32_t> chosen);
  // One, of a beam that is one row; noise: of the sentence
  std::vector<Candidate> drawn(const Beam& beam, uint64_t noise);
  // Dynamic beam allocation (Post and Vilar 2018): every hypothesis goes on with its best token, with
  // all that bring it further and with what is among the best of all; the beam is shared out among
  // those with equally many tokens of phrases. `progress`: by row, `limit`: of tokens. A hypothesis
  // goes on only with what leaves room for all that is missing, and ends only when nothing is.
  Choice constrained(const Beam& beam, std::span<const PhraseProgress> progress, int64_t limit);

 private:
  // Into rules_.scores: log-probabilities of what may follow row i of the beam.
  void score(const Beam& beam, size_t i, std::span<const int32_t> chosen);
  Candidate candidate(const Beam& beam, size_t i, int32_t token) const;

  Rules& rules_;
  const Distribution& distribution_;
  const History& history_;
  const Phrase& prefix_;
  const SourceProcessors& by_source_;
};

}  // namespace weft::search
