// ir/passes/fuse/attention/attention_band.cpp -- masks that compare positions, read as a band.
#include "ir/passes/fuse/attention/attention_band.h"

#include "ir/error.h"
#include "ir/passes/fuse/attention/attention_product.h"

#include <algorithm>
#include <cmath>

namespace weft::ir {
namespace {

// t*queries + j*keys + constant, of positions t and j.
struct Line {
  int64_t t = 0, j = 0, constant = 0;
  bool known = true;  // else there is a number in it that is known at run time only

  bool counts() const { return t != 0 || j != 0; }
};

Line sum(const Line& a, const Line& b, int64_t sign) {
  return {a.t + sign * b.t, a.j + sign * b.j, a.constant + sign * b.constant, a.known && b.known};
}

// Numbers so small that no sum of some of them and positions leaves 32 bits.
constexpr double kMostConstant = 1 << 24;

bool counts_exactly(DType dtype) {
  return dtype == DType::s32 || dtype == DType::s64 || dtype == DType::f32;
}

class Lines {
 public:
  explicit Lines(const GraphUses& readers) : r_(readers) {}

  std::optional<Line> of(Value v) const {
    const TensorType& type = r_.graph->type(v);
    if (!counts_exactly(type.dtype)) return std::nullopt;
    if (const auto c = r_.scalar(v)) {
      if (std::abs(*c) > kMostConstant || *c != std::floor(*c)) return std::nullopt;
      return Line{0, 0, static_cast<int64_t>(*c)};
    }
    const Node* n = r_.producer(v);
    if (type.rank() == 0) return Line{0, 0, 0, false};
    if (n == nullptr) return std::nullopt;
    if (n->op == &ops::iota) return counted(*n);
    if (n->op == &ops::broadcast || n->op == &ops::cast) return of(n->operands[0]);
    if (n->op == &ops::reshape) return reshaped(*n);
    if (n->op == &ops::neg) return combined(Line{}, of(n->operands[0]), -1);
    if (n->op == &ops::add) return combined(of(n->operands[0]), of(n->operands[1]), 1);
    if (n->op == &ops::sub) return combined(of(n->operands[0]), of(n->operands[1]), -1);
    return std::nullopt;
  }

 private:
  static std::optional<Line> combined(std::optional<Line> a, std::optional<Line> b, int64_t sign) {
    if (!a || !b) return std::nullopt;
    const Line line = sum(*a, *b, sign);
    return std::abs(line.constant) <= kMostConstant ? std::optional(line) : std::nullopt;
  }

  // 0, 1, 2, ... along the queries or the keys; along an axis of size 1 nothing but 0.
  std::optional<Line> counted(const Node& iota) const {
    const Shape& shape = r_.shape(iota.results[0]);
    const size_t axis = shape.size() - static_cast<size_t>(r_.view(iota).axis());
    if (at(shape, axis).is(1)) return Line{};
    if (axis > 2) return std::nullopt;
    return axis == 1 ? Line{0, 1, 0} : Line{1, 0, 0};
  }

  // Its only axis moved by others of size 1, or queries and keys left where they are.
  std::optional<Line> reshaped(const Node& reshape) const {
    const Shape &from = r_.shape(reshape.operands[0]), &to = r_.shape(reshape.results[0]);
    std::optional<Line> line = of(reshape.operands[0]);
    if (!line || !line->counts()) return line;
    if (at(from, 1) == at(to, 1) && at(from, 2) == at(to, 2)) return line;
    const auto wide = [](const Shape& shape) {
      std::vector<size_t> axes;
      for (size_t axis = 1; axis <= shape.size(); ++axis)
        if (!at(shape, axis).is(1)) axes.push_back(axis);
      return axes;
    };
    const std::vector<size_t> before = wide(from), after = wide(to);
    if (before.size() != 1 || after.size() != 1 || after[0] > 2) return std::nullopt;
    const int64_t by = line->t + line->j;  // one of them is 0
    (after[0] == 1 ? line->j : line->t) = by;
    (after[0] == 1 ? line->t : line->j) = 0;
    return line;
  }

  const GraphUses& r_;
};

// --- comparisons

enum class Relation : uint8_t { at_most, at_least, equal };

struct Comparison {  // of left - right with 0
  Relation relation;
  bool strict = false;
};

std::optional<Comparison> comparison(const OpDef* op, bool negated) {
  const OpDef* const opposite = op == &ops::less            ? &ops::greater_equal
                                : op == &ops::less_equal    ? &ops::greater
                                : op == &ops::greater       ? &ops::less_equal
                                : op == &ops::greater_equal ? &ops::less
                                : op == &ops::not_equal     ? &ops::equal
                                                            : nullptr;
  if (negated) op = opposite;
  if (op == &ops::less) return Comparison{Relation::at_most, true};
  if (op == &ops::less_equal) return Comparison{Relation::at_most};
  if (op == &ops::greater) return Comparison{Relation::at_least, true};
  if (op == &ops::greater_equal) return Comparison{Relation::at_least};
  if (op == &ops::equal) return Comparison{Relation::equal};
  return std::nullopt;
}

// How far keys may be ahead of their query, both ends included; unlike in a band also below 0.
struct Distances {
  int64_t least = -kMostDistance, most = kMostDistance;
  static constexpr int64_t kMostDistance = INT64_C(1) << 40;
};

// d = +-(j - t) + constant compared with 0.
Distances distances(const Line& d, Relation relation, bool strict) {
  Distances found;
  const int64_t inside = strict ? 1 : 0;
  const bool at_most = relation != Relation::at_least, at_least = relation != Relation::at_most;
  if (d.j == 1) {
    if (at_most) found.most = -d.constant - inside;
    if (at_least) found.least = -d.constant + inside;
  } else {
    if (at_most) found.least = d.constant + inside;
    if (at_least) found.most = d.constant - inside;
  }
  return found;
}

BandRead as_band(const Distances& d) {
  if (d.most < 0) return {{}, concat("the nearest key it shows is ", -d.most, " behind its query")};
  if (d.least > 0)
    return {{}, concat("the nearest key it shows is ", d.least, " ahead of its query")};
  return {{d.least == -Distances::kMostDistance ? -1 : -d.least,
           d.most == Distances::kMostDistance ? -1 : d.most},
          {}};
}

BandRead compared(const Line& difference, const Comparison& by) {
  if (!difference.counts()) return {};
  if (difference.j == 0 || difference.t == 0) return {};  // of positions alone, not of distances
  if (std::abs(difference.j) != 1 || difference.t != -difference.j)
    return {{}, "it compares other than distances of keys and queries"};
  if (!difference.known) return {{}, "its limit is known at run time only"};
  return as_band(distances(difference, by.relation, by.strict));
}

// abs(distance) compared with a limit.
std::optional<BandRead> absolute(const GraphUses& r, Value left, Value right, Comparison by) {
  const Lines lines(r);
  const Node* n = r.producer(left, ops::abs);
  if (n == nullptr) {
    if ((n = r.producer(right, ops::abs)) == nullptr) return std::nullopt;
    std::swap(left, right);
    by.relation = by.relation == Relation::at_most    ? Relation::at_least
                  : by.relation == Relation::at_least ? Relation::at_most
                                                      : Relation::equal;
  }
  const auto inside = lines.of(n->operands[0]), limit = lines.of(right);
  if (!inside || !limit || limit->counts()) return std::nullopt;
  if (by.relation == Relation::equal) return BandRead{};
  if (by.relation == Relation::at_least)
    return BandRead{{}, inside->j != 0 && inside->t != 0 ? "it hides what is near" : ""};
  const BandRead below = compared(sum(*inside, *limit, -1), by);
  const BandRead above = compared(sum(*inside, *limit, 1), {Relation::at_least, by.strict});
  if (below.band.empty()) return below;
  return above.band.empty() ? above : BandRead{both(below.band, above.band), {}};
}

// A mask of constants [...,Tq,S], all of whose leading axes are 1.
BandRead constants(const GraphUses& r, const Node& n, const Mask& m) {
  const Reals& values = r.view(n).reals("values");
  if (!at(m.shape, 1).is_constant() || !at(m.shape, 2).is_constant()) return {};
  const int64_t queries = *at(m.shape, 2).constant(), keys = *at(m.shape, 1).constant();
  if (static_cast<int64_t>(values.size()) != queries * keys || queries < 2) return {};
  const auto shows = [&](int64_t t, int64_t j) {
    return (values[static_cast<size_t>(t * keys + j)] != 0) != m.negated;
  };
  int64_t behind = -1, ahead = -1;
  for (int64_t t = 0; t < queries; ++t)
    for (int64_t j = 0; j < keys; ++j)
      if (shows(t, j)) behind = std::max(behind, t - j), ahead = std::max(ahead, j - t);
  // A limit that hides nothing is none.
  if (behind >= queries - 1) behind = -1;
  if (ahead >= keys - 1) ahead = -1;
  const Integers band{behind, ahead};
  if (band == Integers{-1, -1}) return {};
  for (int64_t t = 0; t < queries; ++t) {
    const ops::Visible seen = ops::visible(band, t);
    for (int64_t j = 0; j < keys; ++j)
      if (shows(t, j) != (j >= seen.first && j < seen.last)) return {};
  }
  return {band, {}};
}

// Are the last two axes of the shape it is read in the mask's own?
bool keeps_last_axes(const GraphUses& r, const Mask& m) {
  const Shape& own = r.shape(m.value);
  return own == m.shape ||
         (own.size() >= 2 && at(own, 1) == at(m.shape, 1) && at(own, 2) == at(m.shape, 2));
}

}  // namespace

BandRead band_of(const GraphUses& r, const Mask& m) {
  const Node* n = r.producer(m.value);
  if (n == nullptr || !keeps_last_axes(r, m)) return {};
  if (n->op == &ops::constant) return constants(r, *n, m);
  if (n->op == &ops::reshape)
    return keeps_last_axes(r, {n->operands[0], m.negated, m.shape})
               ? band_of(r, {n->operands[0], m.negated, r.shape(n->operands[0])})
               : BandRead{};
  const auto by = comparison(n->op, m.negated);
  if (!by) return {};
  if (const auto found = absolute(r, n->operands[0], n->operands[1], *by)) return *found;
  const auto left = Lines(r).of(n->operands[0]), right = Lines(r).of(n->operands[1]);
  return left && right ? compared(sum(*left, *right, -1), *by) : BandRead{};
}

Integers both(const Integers& a, const Integers& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  const auto nearer = [](int64_t x, int64_t y) { return x < 0 ? y : y < 0 ? x : std::min(x, y); };
  return {nearer(a[0], b[0]), nearer(a[1], b[1])};
}

}  // namespace weft::ir
