// ir/passes/fuse/attention/attention_scores.cpp -- reading masked, biased, scaled scores back to queries and keys.
#include "ir/passes/fuse/attention/attention_scores.h"

#include "ir/error.h"
#include "ir/passes/fuse/attention/attention_band.h"

#include <algorithm>
#include <cmath>

namespace weft::ir {
namespace {

// Takes masks, biases and factors off, the outermost first. `factor`: of those taken off so far.
class Peeling {
 public:
  explicit Peeling(const GraphUses& readers) : r_(readers) {}

  bool peel(Value e, Scores& s, double factor) const {
    if (find_product(r_, e, s)) {
      s.scale *= factor;
      return true;
    }
    if (const Node* n = r_.producer(e, ops::select)) return unmask(*n, s, factor);
    if (const Node* n = r_.producer(e, ops::add)) return unbias(*n, s, factor);
    const Node* n = r_.producer(e, ops::mul);
    const bool divided = n == nullptr && (n = r_.producer(e, ops::div)) != nullptr;
    return n != nullptr && unscale(*n, divided, s, factor);
  }

 private:
  bool unmask(const Node& n, Scores& s, double factor) const {
    const auto hides = hidden(r_, n);
    if (!hides) {
      const auto yes = r_.scalar(n.operands[1]), no = r_.scalar(n.operands[2]);
      if (const auto fill = yes ? yes : no; fill && *fill < -1000)
        s.reason =
            concat(r_.named(n.results[0]), " hides with ", *fill,
                   ", -inf would fuse: queries that see nothing then get zeros, not the mean "
                   "of all values");
      return false;
    }
    s.masked = true;
    s.nodes.push_back(r_.index(n));
    if (factor <= 0 || r_.shape(hides->rest) != r_.shape(n.results[0])) {
      s.reason = concat(r_.named(n.results[0]), factor <= 0 ? " is masked and then multiplied by "
                                                              "something that is not positive"
                                                            : ": its mask widens the scores");
      return false;
    }
    add_masks(r_, hides->mask, hides->negated, s.masks);
    return peel(hides->rest, s, factor);
  }

  bool unbias(const Node& n, Scores& s, double factor) const {
    for (const size_t i : {0, 1}) {
      const Value rest = n.operands[i], bias = n.operands[1 - i];
      if (r_.shape(rest) != r_.shape(n.results[0])) continue;
      Scores tried = s;
      tried.nodes.push_back(r_.index(n));
      if (const auto hides = hidden_by_sum(r_, bias)) {
        tried.masked = true;
        add_masks(r_, hides->mask, hides->negated, tried.masks);
      } else {
        tried.biases.push_back({bias, factor});
      }
      if (peel(rest, tried, factor)) {
        s = std::move(tried);
        return true;
      }
      if (s.reason.empty()) s.reason = tried.reason;
      s.masked |= tried.masked;
    }
    return false;
  }

  bool unscale(const Node& n, bool divided, Scores& s, double factor) const {
    for (const size_t i : {0, 1}) {
      const Value by = n.operands[1 - i];
      const auto c = r_.scalar(by);
      if ((divided && i == 1) || r_.graph->type(by).rank() != 0) continue;
      Scores tried = s;
      tried.nodes.push_back(r_.index(n));
      if (c) {
        if (divided && *c == 0) continue;
        if (!peel(n.operands[i], tried, divided ? factor / *c : factor * *c)) continue;
      } else {  // known at run time only: goes to the queries, so nothing may lie in between
        if (!find_product(r_, n.operands[i], tried)) continue;
        tried.scale *= factor;
        (divided ? tried.divide_by : tried.scale_by) = by;
      }
      s = std::move(tried);
      return true;
    }
    return false;
  }

  const GraphUses& r_;
};

// Factors go to queries and biases. Extreme ones would take them out of range where the score,
// multiplied afterwards, is in it.
bool has_sound_factors(Scores& s) {
  const auto is_sound = [](double x) { return std::abs(x) >= 1e-12 && std::abs(x) <= 1e12; };
  const bool all =
      is_sound(s.scale) && std::all_of(s.biases.begin(), s.biases.end(),
                                       [&](const ScoreBias& b) { return is_sound(b.factor); });
  if (!all) s.reason = concat("it is scaled by ", s.scale, ", out of the range of sound factors");
  return all;
}

// Masks of positions become the band.
void take_bands(const GraphUses& r, Scores& s) {
  if (s.single) return;
  std::erase_if(s.masks, [&](const Mask& m) {
    const BandRead read = band_of(r, m);
    if (!read.reason.empty())
      s.no_bands.push_back(
          concat(r.named(m.value), " is no band, all keys are read: ", read.reason));
    s.band = both(s.band, read.band);
    return !read.band.empty();
  });
}

// Biases that are of distances are read as that, unless one is of pairs.
void take_distances(const GraphUses& r, Scores& s) {
  if (s.single || s.v_a.valid() || s.biases.empty() || at(s.shape, 2).is(1)) return;
  s.by_distance = true;
  for (ScoreBias& bias : s.biases) {
    const Node* n = r.producer(bias.value, ops::by_distance);
    if (n == nullptr || at(r.shape(bias.value), 2) != at(s.shape, 2) ||
        at(r.shape(bias.value), 1) != at(s.shape, 1)) {
      s.by_distance = false;
      return;
    }
    bias.distances = n->operands[0];
  }
}

}  // namespace

bool find_scores(const GraphUses& r, Value e, Scores& s) {
  const bool found = Peeling(r).peel(e, s, 1);
  if (!found && s.reason.empty())
    s.reason = concat(r.named(e), " is neither a dot nor an additive score");
  if (!found || !has_sound_factors(s)) return false;
  take_bands(r, s);
  take_distances(r, s);
  return true;
}

}  // namespace weft::ir
