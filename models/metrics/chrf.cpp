// models/metrics/chrf.cpp -- statistics of a segment: of each order, characters first, the n-grams
// of the hypothesis, of the reference, and of both.
#include "models/metrics/chrf.h"

#include "models/metrics/ngrams.h"
#include "models/metrics/unicode.h"

#include <fmt/format.h>

#include <cctype>

namespace weft::metrics {
namespace {

using Units = std::vector<std::string>;

Units characters(std::string_view text, bool white_space) {
  Units units;
  for (const char32_t c : code_points(text))
    if (white_space || !is_space(c)) units.push_back(utf8(c));
  return units;
}

bool is_ascii_mark(char32_t c) { return c < 128 && std::ispunct(static_cast<int>(c)) != 0; }

// Words, one ASCII mark at their end or else at their beginning apart.
Units words(std::string_view text) {
  Units units;
  for (const std::string& word : split_words(text)) {
    const std::u32string w = code_points(word);
    if (w.size() > 1 && is_ascii_mark(w.back())) {
      units.push_back(word.substr(0, word.size() - 1));
      units.push_back(word.substr(word.size() - 1));
    } else if (w.size() > 1 && is_ascii_mark(w.front())) {
      units.push_back(word.substr(0, 1));
      units.push_back(word.substr(1));
    } else {
      units.push_back(word);
    }
  }
  return units;
}

std::vector<NgramCounts> counts_of(std::string_view text, const ChrfSettings& s) {
  const std::string lower = s.lower_case ? lower_case(text) : std::string(text);
  const Units chars = characters(lower, s.white_space);
  const Units tokens = s.word_order > 0 ? words(lower) : Units();
  std::vector<NgramCounts> counts;
  for (int n = 1; n <= s.char_order; ++n)
    counts.push_back(count_ngrams(chars, static_cast<size_t>(n)));
  for (int n = 1; n <= s.word_order; ++n)
    counts.push_back(count_ngrams(tokens, static_cast<size_t>(n)));
  return counts;
}

double f_score(std::span<const double> s, double beta) {
  double precision = 0, recall = 0;
  int orders = 0;
  for (size_t i = 0; i + 2 < s.size(); i += 3) {
    if (s[i] == 0 || s[i + 1] == 0) continue;
    precision += s[i + 2] / s[i];
    recall += s[i + 2] / s[i + 1];
    ++orders;
  }
  if (precision + recall == 0) return 0;
  precision /= orders, recall /= orders;
  return 100 * (1 + beta * beta) * precision * recall / (beta * beta * precision + recall);
}

Statistics against(const std::vector<NgramCounts>& said, const std::vector<NgramCounts>& wanted) {
  Statistics s;
  for (size_t n = 0; n < said.size(); ++n) {
    // Where the reference is too short for this order, what the hypothesis has is not held against it.
    s.push_back(wanted[n].empty() ? 0.0 : static_cast<double>(total(said[n])));
    s.push_back(static_cast<double>(total(wanted[n])));
    s.push_back(static_cast<double>(matches(said[n], wanted[n])));
  }
  return s;
}

}  // namespace

Metric chrf(const ChrfSettings& settings) {
  return {.name = fmt::format("chrF{:g}{}", settings.beta,
                              std::string(static_cast<size_t>(settings.word_order), '+')),
          .signature = fmt::format("case:{}|eff:yes|nc:{}|nw:{}|space:{}",
                                   settings.lower_case ? "lc" : "mixed", settings.char_order,
                                   settings.word_order, settings.white_space ? "yes" : "no"),
          .statistics =
              [settings](std::string_view hypothesis, References references) {
                const std::vector<NgramCounts> said = counts_of(hypothesis, settings);
                Statistics best;
                double best_score = -1;
                for (const std::string& reference : references) {
                  Statistics s = against(said, counts_of(reference, settings));
                  const double score = f_score(s, settings.beta);
                  if (score > best_score) best_score = score, best = std::move(s);
                }
                return best;
              },
          .score =
              [beta = settings.beta](std::span<const double> sums) { return f_score(sums, beta); }};
}

}  // namespace weft::metrics
