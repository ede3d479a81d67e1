// models/search/proposals.cpp -- a row's scores, and what is taken of them.
#include "models/search/proposals.h"

#include "ir/error.h"
#include "models/data/random.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace weft::search {
namespace {

constexpr double kBanned = -HUGE_VAL;

bool better(const Candidate& a, const Candidate& b) {
  return std::tuple(-a.score, a.origin, a.token) < std::tuple(-b.score, b.origin, b.token);
}

// The best of those offered, at most so many.
class Best {
 public:
  explicit Best(int64_t most) : most_(static_cast<size_t>(most)) {}

  bool takes(double score) const {
    return score != kBanned && (heap_.size() < most_ || score >= heap_.front().score);
  }
  void offer(const Candidate& c) {
    if (heap_.size() == most_) {
      if (!better(c, heap_.front())) return;
      std::pop_heap(heap_.begin(), heap_.end(), better);
      heap_.pop_back();
    }
    heap_.push_back(c);
    std::push_heap(heap_.begin(), heap_.end(), better);
  }
  std::vector<Candidate> sorted() {
    std::sort_heap(heap_.begin(), heap_.end(), better);
    return std::move(heap_);
  }

 private:
  size_t most_;
  std::vector<Candidate> heap_;  // the worst in front
};

double mean_of(EnsembleMean mean, std::span<const double> p) {
  double sum = 0;
  if (mean == EnsembleMean::log_probabilities) {
    for (const double x : p) sum += x;
    return sum / static_cast<double>(p.size());
  }
  const double top = *std::max_element(p.begin(), p.end());
  if (top == kBanned || std::isnan(top)) return top;
  for (const double x : p) sum += std::exp(x - top);
  return top + std::log(sum / static_cast<double>(p.size()));
}

}  // namespace

Rules::Rules(const SearchOptions& o, int64_t k, const data::SpecialIds& special)
    : options(o),
      beam(k),
      ids(special),
      processors(search::processors(o, special.end)),
      warpers(search::warpers(o)),
      reads_history(!processors.empty()),
      on_logits(need_normalizer(o, k)) {}

int32_t Rules::forced(int64_t tokens, bool at_limit) const {
  const TokenRules& r = options.rules;
  if (at_limit && r.forced_last != TokenRules::kNone) return r.forced_last;
  return tokens == 0 ? r.forced_first : TokenRules::kNone;
}

int64_t Distribution::first(int64_t row) const {
  const int64_t beams = members.front()->dim(1);
  return (sentence * beams + std::min(row, beams - 1)) * vocabulary();
}

double Distribution::normalizer(int64_t row) const {
  return normalizers == nullptr ? 0 : normalizers->at(first(row) / vocabulary());
}

double Distribution::at(int64_t row, int32_t token) const {
  const int64_t place = first(row) + token;
  if (members.size() == 1) return members.front()->at(place);
  std::vector<double> p;
  for (const ir::Array* member : members) p.push_back(member->at(place));
  return mean_of(mean, p);
}

void Distribution::copy(int64_t row, std::vector<double>& to) const {
  const int64_t width = vocabulary(), from = first(row);
  to.resize(static_cast<size_t>(width));
  const ir::Array& x = *members.front();
  if (members.size() > 1)
    for (int64_t v = 0; v < width; ++v)
      to[static_cast<size_t>(v)] = at(row, static_cast<int32_t>(v));
  else if (x.dtype() == ir::DType::f32)
    std::copy_n(x.data<float>() + from, width, to.begin());
  else
    for (int64_t v = 0; v < width; ++v) to[static_cast<size_t>(v)] = x.at(from + v);
  for (const double p : to)
    if (std::isnan(p))
      throw ir::GraphError("a search met a NaN among the model's log-probabilities");
}

void Proposals::score(const Beam& beam, size_t i, std::span<const int32_t> chosen) {
  const auto row = beam.first() + static_cast<int64_t>(i);
  std::vector<double>& scores = rules_.scores;
  const auto allow_only = [&](int32_t token) {
    const double score = distribution_.at(row, token);
    std::fill(scores.begin(), scores.end(), kBanned);
    scores[static_cast<size_t>(token)] = score;
  };
  distribution_.copy(row, scores);
  if (beam.steps() < std::ssize(prefix_))
    return allow_only(prefix_[static_cast<size_t>(beam.steps())]);
  if (rules_.reads_history || !by_source_.empty()) {
    std::vector<int32_t> history{rules_.ids.begin};
    for (const int32_t place : history_.places(beam.place(row)))
      history.push_back(history_.at(place).id);
    const double shift = rules_.on_logits ? distribution_.normalizer(row) : 0;
    if (shift != 0)
      for (double& s : scores) s += shift;
    if (row == 0)
      for (const Processor& p : by_source_.first_row) p(history, scores);
    for (const Processor& p : by_source_.all_rows) p(history, scores);
    for (const Processor& p : rules_.processors) p(history, scores);
    if (shift != 0)
      for (double& s : scores) s -= shift;
  }
  for (const int32_t id : {rules_.ids.pad, rules_.ids.begin})
    if (id != data::SpecialIds::kNone && rules_.ids.is_never_produced(id))
      scores[static_cast<size_t>(id)] = kBanned;
  if (rules_.options.no_unknown && rules_.ids.unknown != data::SpecialIds::kNone)
    scores[static_cast<size_t>(rules_.ids.unknown)] = kBanned;
  if (rules_.options.search_rules == SearchRules::fairseq && beam.at_last_step())
    return allow_only(rules_.ids.end);
  for (const int32_t token : chosen) scores[static_cast<size_t>(token)] -= rules_.options.diversity;
}

Candidate Proposals::candidate(const Beam& beam, size_t i, int32_t token) const {
  const Candidate& open = beam.open()[i];
  const auto row = static_cast<int32_t>(beam.first() + static_cast<int64_t>(i));
  return {open.score + rules_.scores[static_cast<size_t>(token)], token, row,
          open.log_probability + distribution_.at(row, token)};
}

std::vector<Candidate> Proposals::best(const Beam& beam, std::span<const int32_t> chosen) {
  // As many as can end, and as many again that go on.
  const int64_t ends = 1 + std::ssize(rules_.options.rules.more_ends);
  Best best((1 + ends) * beam.width());
  for (size_t i = 0; i < beam.open().size(); ++i) {
    score(beam, i, chosen);
    const double so_far = beam.open()[i].score;
    for (size_t v = 0; v < rules_.scores.size(); ++v)
      if (best.takes(so_far + rules_.scores[v]))
        best.offer(candidate(beam, i, static_cast<int32_t>(v)));
  }
  return best.sorted();
}

std::vector<Candidate> Proposals::drawn(const Beam& beam, uint64_t noise) {
  score(beam, 0, {});
  std::vector<double>& from = rules_.drawn_from;
  from = rules_.scores;
  for (const Processor& p : rules_.warpers) p({}, from);
  const double top = *std::max_element(from.begin(), from.end());
  if (top == kBanned) return {};
  double sum = 0;
  for (double& x : from) sum += x = std::exp(x - top);
  // A number of its own for every sample and step.
  data::Random random(
      noise, static_cast<uint64_t>(beam.first()) << 32 | static_cast<uint64_t>(beam.steps()));
  double left = random.uniform() * sum;
  int32_t token = 0;
  for (size_t v = 0; v < from.size(); ++v) {
    if (from[v] == 0) continue;
    token = static_cast<int32_t>(v);
    left -= from[v];
    if (left < 0) break;
  }
  return {candidate(beam, 0, token)};
}

Choice Proposals::constrained(const Beam& beam, std::span<const PhraseProgress> progress,
                              int64_t limit) {
  const int64_t left = limit - beam.steps() - 1, most = 2 * beam.width();
  Best best(most), complete(most);
  std::vector<Candidate> pool, further;
  for (size_t i = 0; i < beam.open().size(); ++i) {
    score(beam, i, {});
    const PhraseProgress& before = progress[i];
    const bool ends = before.missing() == 0;
    for (const int32_t token : before.wanted()) {
      double& s = rules_.scores[static_cast<size_t>(token)];
      if (s == kBanned)  // what must be there is not banned
        s = distribution_.at(beam.first() + static_cast<int64_t>(i), token);
      further.push_back(candidate(beam, i, token));
    }
    if (!ends) rules_.scores[static_cast<size_t>(rules_.ids.end)] = kBanned;
    Best of_row(1);
    Best& all = ends ? complete : best;
    const double so_far = beam.open()[i].score;
    for (size_t v = 0; v < rules_.scores.size(); ++v) {
      const double s = so_far + rules_.scores[v];
      if (!all.takes(s) && !of_row.takes(s)) continue;
      const Candidate c = candidate(beam, i, static_cast<int32_t>(v));
      all.offer(c);
      if (c.token != rules_.ids.end) of_row.offer(c);
    }
    for (const Candidate& c : of_row.sorted()) pool.push_back(c);
  }
  Choice choice = beam.choose(complete.sorted());
  for (std::vector<Candidate>* more : {&choice.next, &further}) {
    pool.insert(pool.end(), more->begin(), more->end());
    more->clear();
  }
  const std::vector<Candidate> of_all = best.sorted();
  pool.insert(pool.end(), of_all.begin(), of_all.end());
  std::sort(pool.begin(), pool.end(), better);
  const auto same = [](const Candidate& a, const Candidate& b) {
    return a.origin == b.origin && a.token == b.token;
  };
  pool.erase(std::unique(pool.begin(), pool.end(), same), pool.end());

  // Banks by how many tokens of phrases are there.
  std::vector<std::vector<Candidate>> banks(static_cast<size_t>(progress.front().total()) + 1);
  for (const Candidate& c : pool) {
    const PhraseProgress after =
        progress[static_cast<size_t>(c.origin - beam.first())].after(c.token);
    if (after.missing() <= left)
      banks[static_cast<size_t>(after.total() - after.missing())].push_back(c);
  }
  const auto count = std::ssize(banks);
  std::vector<int64_t> taken(banks.size(), 0);
  int64_t free = beam.width();
  const auto take = [&](size_t bank, int64_t wanted) {
    const int64_t n = std::min({wanted, free, std::ssize(banks[bank]) - taken[bank]});
    taken[bank] += n, free -= n;
  };
  // Those with most have what the width does not divide into, and what others leave.
  for (size_t b = banks.size(); b-- > 0;)
    take(b, beam.width() / count + (b + 1 == banks.size() ? beam.width() % count : 0));
  for (size_t b = banks.size(); b-- > 0;) take(b, free);
  for (size_t b = 0; b < banks.size(); ++b)
    choice.next.insert(choice.next.end(), banks[b].begin(), banks[b].begin() + taken[b]);
  std::sort(choice.next.begin(), choice.next.end(), better);
  return choice;
}

}  // namespace weft::search
