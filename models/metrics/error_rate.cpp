// models/metrics/error_rate.cpp -- rates from counts.
#include "models/metrics/error_rate.h"

#include "models/data/corpus.h"

#include <fmt/format.h>

namespace weft::metrics {
namespace {

double ratio(int64_t part, int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

// Edits, tokens of the closest reference, is it wrong, 1.
Statistics segment(std::string_view hypothesis, References references) {
  std::vector<std::vector<std::string>> wanted;
  for (const std::string& r : references) wanted.push_back(data::split_tokens(r));
  ErrorRate rate;
  rate.add(data::split_tokens(hypothesis), wanted);
  return {static_cast<double>(rate.edits), static_cast<double>(rate.reference_tokens),
          static_cast<double>(rate.wrong_words), static_cast<double>(rate.words)};
}

Metric rate(const char* name, bool higher_is_better,
            std::function<double(std::span<const double>)> score) {
  return {.name = name,
          .signature = "tok:spaces|case:mixed",
          .higher_is_better = higher_is_better,
          .statistics = segment,
          .score = std::move(score)};
}

}  // namespace

Metric token_error_rate() {
  return rate("PER", false, [](std::span<const double> s) {
    return s[1] > 0 ? 100 * s[0] / s[1] : s[0] > 0 ? 100.0 : 0.0;
  });
}
Metric line_error_rate() {
  return rate("WER", false, [](std::span<const double> s) { return 100 * s[2] / s[3]; });
}
Metric line_accuracy() {
  return rate("accuracy", true, [](std::span<const double> s) { return 100 - 100 * s[2] / s[3]; });
}

double ErrorRate::phone_error_rate() const { return ratio(edits, reference_tokens); }
double ErrorRate::word_error_rate() const { return ratio(wrong_words, words); }

std::string ErrorRate::str() const {
  return fmt::format("PER {:.2f} % ({} of {} tokens), WER {:.2f} % ({} of {} lines)",
                     100 * phone_error_rate(), edits, reference_tokens, 100 * word_error_rate(),
                     wrong_words, words);
}

double TokenAccuracy::share() const { return ratio(correct, tokens); }

void TokenAccuracy::add(const ir::Array& predicted, const ir::Array& wanted,
                        const ir::Array& lengths) {
  if (predicted.rank() != 2 || predicted.dims() != wanted.dims() || lengths.rank() != 1 ||
      lengths.dim(0) != predicted.dim(0))
    throw ir::GraphError(ir::concat(
        "token accuracy needs [B,T], [B,T] and [B], not ", ir::dims_str(predicted.dims()), ", ",
        ir::dims_str(wanted.dims()), " and ", ir::dims_str(lengths.dims())));
  const int64_t width = predicted.dim(1);
  for (int64_t b = 0; b < predicted.dim(0); ++b) {
    const int64_t end = std::min(lengths.integer_at(b), width);
    for (int64_t t = 0; t < end; ++t, ++tokens)
      correct += predicted.integer_at(b * width + t) == wanted.integer_at(b * width + t);
  }
}

}  // namespace weft::metrics
