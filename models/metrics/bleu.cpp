// models/metrics/bleu.cpp -- statistics of a segment: c, r, then matches and totals of each order.
#include "models/metrics/bleu.h"

#include "models/metrics/ngrams.h"
#include "models/metrics/tokenizers.h"
#include "models/metrics/unicode.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

namespace weft::metrics {
namespace {

constexpr size_t kOrders = 4;

double smooth_value(const BleuSettings& s) {
  if (s.smooth_value >= 0) return s.smooth_value;
  return s.smoothing == Smoothing::floor ? 0.1 : 1.0;
}

std::string smoothing_name(const BleuSettings& s) {
  switch (s.smoothing) {
    case Smoothing::none:
      return "none";
    case Smoothing::floor:
      return fmt::format("floor[{:.2f}]", smooth_value(s));
    case Smoothing::add_k:
      return fmt::format("add-k[{:.2f}]", smooth_value(s));
    case Smoothing::exp:
      break;
  }
  return "exp";
}

Statistics segment(const Tokenizer& tokenizer, bool lower, std::string_view hypothesis,
                   References references) {
  const auto words = [&](std::string_view text) {
    return tokenizer.words(lower ? lower_case(text) : std::string(text));
  };
  const std::vector<std::string> said = words(hypothesis);
  const auto length = static_cast<int64_t>(said.size());
  Statistics s(2 + 2 * kOrders);
  std::vector<NgramCounts> most(kOrders);  // of any reference
  int64_t closest = -1;
  for (const std::string& reference : references) {
    const std::vector<std::string> wanted = words(reference);
    const auto size = static_cast<int64_t>(wanted.size());
    const int64_t distance = std::abs(size - length), best = std::abs(closest - length);
    if (closest < 0 || distance < best || (distance == best && size < closest)) closest = size;
    for (size_t n = 0; n < kOrders; ++n)
      for (const auto& [ngram, count] : count_ngrams(wanted, n + 1))
        most[n][ngram] = std::max(most[n][ngram], count);
  }
  s[0] = static_cast<double>(length);
  s[1] = static_cast<double>(closest);
  for (size_t n = 0; n < kOrders; ++n) {
    const NgramCounts counts = count_ngrams(said, n + 1);
    s[2 + 2 * n] = static_cast<double>(matches(counts, most[n]));
    s[3 + 2 * n] = static_cast<double>(total(counts));
  }
  return s;
}

}  // namespace

BleuParts bleu_parts(const BleuSettings& settings, std::span<const double> sums) {
  BleuParts parts{.score = 0,
                  .brevity_penalty = 1,
                  .precisions = std::vector<double>(kOrders),
                  .hypothesis_words = sums[0],
                  .reference_words = sums[1]};
  if (sums[0] < sums[1])
    parts.brevity_penalty = sums[0] > 0 ? std::exp(1 - sums[1] / sums[0]) : 0.0;
  bool any = false;
  for (size_t n = 0; n < kOrders; ++n) any = any || sums[2 + 2 * n] > 0;
  if (!any) return parts;

  size_t order = kOrders;
  double unmatched = 1;
  for (size_t n = 0; n < kOrders; ++n) {
    double matched = sums[2 + 2 * n], all = sums[3 + 2 * n];
    if (settings.smoothing == Smoothing::add_k && n > 0) {
      matched += smooth_value(settings);
      all += smooth_value(settings);
    }
    if (all == 0) break;
    if (settings.effective_order) order = n + 1;
    if (matched == 0) {
      if (settings.smoothing == Smoothing::exp) matched = 1 / (unmatched *= 2);
      if (settings.smoothing == Smoothing::floor) matched = smooth_value(settings);
    }
    parts.precisions[n] = 100 * matched / all;
  }
  double logs = 0;
  for (size_t n = 0; n < order; ++n) {
    if (parts.precisions[n] == 0) return parts;
    logs += std::log(parts.precisions[n]);
  }
  parts.score = parts.brevity_penalty * std::exp(logs / static_cast<double>(order));
  return parts;
}

Metric bleu(const BleuSettings& settings) {
  const Tokenizer& t = tokenizer(settings.tokenize);
  return {
      .name = "BLEU",
      .signature =
          fmt::format("case:{}|eff:{}|tok:{}|smooth:{}", settings.lower_case ? "lc" : "mixed",
                      settings.effective_order ? "yes" : "no", t.name, smoothing_name(settings)),
      .statistics =
          [&t, lower = settings.lower_case](std::string_view hypothesis, References references) {
            return segment(t, lower, hypothesis, references);
          },
      .score =
          [settings](std::span<const double> sums) { return bleu_parts(settings, sums).score; }};
}

}  // namespace weft::metrics
