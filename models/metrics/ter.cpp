// models/metrics/ter.cpp -- shifts, the best first, until none lowers the edit distance.
#include "models/metrics/ter.h"

#include "models/metrics/unicode.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <tuple>

namespace weft::metrics {
namespace {

using Word = int;  // words of the segment, numbered
using Sentence = std::vector<Word>;

constexpr int kLongestShift = 10, kFarthestShift = 50, kCandidates = 1000, kBeam = 25;
constexpr int kUnreached = std::numeric_limits<int>::max() / 2;

enum class Edit : char { none, keep, substitute, insert, remove };  // of the hypothesis

// The least edits that make `reference` of `hypothesis`, and what they are, in order. Cells far
// from the diagonal are left out.
struct Alignment {
  int distance = 0;
  std::vector<Edit> edits;
};

Alignment align(const Sentence& hypothesis, const Sentence& reference) {
  const int rows = static_cast<int>(hypothesis.size()),
            columns = static_cast<int>(reference.size());
  const double ratio = rows > 0 ? static_cast<double>(columns) / rows : 1;
  const int beam = kBeam < ratio / 2 ? static_cast<int>(std::ceil(ratio / 2 + kBeam)) : kBeam;
  struct Cell {
    int cost = kUnreached;
    Edit edit = Edit::none;
  };
  const auto width = static_cast<size_t>(columns) + 1;
  std::vector<Cell> cells((static_cast<size_t>(rows) + 1) * width);
  const auto cell = [&](int i, int j) -> Cell& {
    return cells[static_cast<size_t>(i) * width + static_cast<size_t>(j)];
  };
  for (int j = 0; j <= columns; ++j) cell(0, j) = {j, Edit::insert};
  for (int i = 1; i <= rows; ++i) {
    const int diagonal = static_cast<int>(std::floor(i * ratio));
    const int first = std::max(0, diagonal - beam);
    const int last = i == rows ? columns : std::min(columns, diagonal + beam - 1);
    for (int j = first; j <= last; ++j) {
      Cell best;
      const auto offer = [&](int cost, Edit edit) {
        if (cost < best.cost) best = {cost, edit};
      };
      if (j > 0) {
        const bool same =
            hypothesis[static_cast<size_t>(i - 1)] == reference[static_cast<size_t>(j - 1)];
        offer(cell(i - 1, j - 1).cost + (same ? 0 : 1), same ? Edit::keep : Edit::substitute);
      }
      offer(cell(i - 1, j).cost + 1, Edit::remove);
      if (j > 0) offer(cell(i, j - 1).cost + 1, Edit::insert);
      cell(i, j) = best;
    }
  }
  Alignment a{.distance = cell(rows, columns).cost, .edits = {}};
  for (int i = rows, j = columns; i > 0 || j > 0;) {
    const Edit e = cell(i, j).edit;
    a.edits.push_back(e);
    i -= e == Edit::insert ? 0 : 1;
    j -= e == Edit::remove ? 0 : 1;
  }
  std::reverse(a.edits.begin(), a.edits.end());
  return a;
}

// By position: is it part of an edit; and of each place of the reference, the hypothesis' last word
// at or before it (-1: none).
struct Errors {
  std::vector<bool> hypothesis, reference;
  std::vector<int> place;
};

Errors errors_of(const Alignment& a) {
  Errors e;
  for (const Edit edit : a.edits) {
    const bool wrong = edit != Edit::keep;
    if (edit != Edit::insert) e.hypothesis.push_back(wrong);
    if (edit == Edit::remove) continue;
    e.reference.push_back(wrong);
    e.place.push_back(static_cast<int>(e.hypothesis.size()) - 1);
  }
  return e;
}

bool any(const std::vector<bool>& flags, int from, int count) {
  return std::any_of(flags.begin() + from, flags.begin() + from + count, [](bool f) { return f; });
}

// `length` words from `start` moved in front of what stood at `target`; a target within or right
// behind them moves them on by as many places.
Sentence shifted(const Sentence& words, int start, int length, int target) {
  Sentence phrase(words.begin() + start, words.begin() + start + length), rest = words;
  rest.erase(rest.begin() + start, rest.begin() + start + length);
  int at = target;
  if (target > start + length) at = target - length;
  at = std::min(at, static_cast<int>(rest.size()));
  rest.insert(rest.begin() + at, phrase.begin(), phrase.end());
  return rest;
}

class Shifter {
 public:
  Shifter(Sentence hypothesis, const Sentence& reference)
      : hypothesis_(std::move(hypothesis)), reference_(reference) {}

  int edits() {
    int shifts = 0;
    while (shift_once()) ++shifts;
    return shifts + align(hypothesis_, reference_).distance;
  }

 private:
  // Larger is better: edits saved, words moved, then the earliest phrase and place. Ties beyond
  // that fall to the greater sentence, in the order of its words' spelling.
  using Candidate = std::tuple<int, int, int, int, Sentence>;

  bool shift_once() {
    now_ = align(hypothesis_, reference_);
    errors_ = errors_of(now_);
    best_.reset();
    const int rows = static_cast<int>(hypothesis_.size()),
              columns = static_cast<int>(reference_.size());
    for (int h = 0; h < rows && tried_ < kCandidates; ++h)
      for (int r = 0; r < columns && tried_ < kCandidates; ++r)
        if (std::abs(r - h) <= kFarthestShift) try_phrases(h, r);
    if (tried_ >= kCandidates || !best_ || std::get<0>(*best_) <= 0) return false;
    hypothesis_ = std::get<Sentence>(*best_);
    return true;
  }

  // Phrases that stand at h in the hypothesis and at r in the reference.
  void try_phrases(int h, int r) {
    const int most = std::min({kLongestShift, static_cast<int>(hypothesis_.size()) - h,
                               static_cast<int>(reference_.size()) - r});
    for (int length = 1; length <= most && tried_ < kCandidates; ++length) {
      if (hypothesis_[static_cast<size_t>(h + length - 1)] !=
          reference_[static_cast<size_t>(r + length - 1)])
        return;
      if (!any(errors_.hypothesis, h, length) || !any(errors_.reference, r, length)) continue;
      const int place = errors_.place[static_cast<size_t>(r)];
      if (place >= h && place < h + length) continue;
      try_targets(h, r, length);
    }
  }

  void try_targets(int h, int r, int length) {
    int before = -1;
    for (int offset = -1; offset < length; ++offset) {
      const int at = r + offset;
      const int target = at < 0 ? 0 : errors_.place[static_cast<size_t>(at)] + 1;
      if (target == before) continue;
      before = target;
      Sentence moved = shifted(hypothesis_, h, length, target);
      Candidate c{now_.distance - align(moved, reference_).distance, length, -h, -target,
                  std::move(moved)};
      ++tried_;
      if (!best_ || c > *best_) best_ = std::move(c);
    }
  }

  Sentence hypothesis_;
  const Sentence& reference_;
  Alignment now_;
  Errors errors_;
  std::optional<Candidate> best_;
  int tried_ = 0;
};

// Words as numbers that compare as their spellings do.
class Numbers {
 public:
  void add(const std::vector<std::string>& words) {
    for (const std::string& w : words) numbers_[w] = 0;
  }
  void close() {
    int n = 0;
    for (auto& [word, number] : numbers_) number = n++;
  }
  Sentence of(const std::vector<std::string>& words) const {
    Sentence s;
    for (const std::string& w : words) s.push_back(numbers_.at(w));
    return s;
  }

 private:
  std::map<std::string, int> numbers_;
};

Statistics segment(std::string_view hypothesis, References references) {
  const std::vector<std::string> said = split_words(lower_case(hypothesis));
  double least = std::numeric_limits<double>::infinity(), length = 0;
  for (const std::string& reference : references) {
    const std::vector<std::string> wanted = split_words(lower_case(reference));
    Numbers numbers;
    numbers.add(said);
    numbers.add(wanted);
    numbers.close();
    const Sentence target = numbers.of(wanted);
    const int edits =
        wanted.empty() ? static_cast<int>(said.size()) : Shifter(numbers.of(said), target).edits();
    least = std::min(least, static_cast<double>(edits));
    length += static_cast<double>(wanted.size());
  }
  return {least, length / static_cast<double>(references.size())};
}

}  // namespace

Metric ter() {
  return {.name = "TER",
          .signature = "case:lc|tok:tercom|norm:no|punct:yes|asian:no",
          .higher_is_better = false,
          .statistics = segment,
          .score = [](std::span<const double> sums) {
            if (sums[1] > 0) return 100 * sums[0] / sums[1];
            return sums[0] > 0 ? 100.0 : 0.0;
          }};
}

}  // namespace weft::metrics
