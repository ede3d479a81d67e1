// models/metrics/table.cpp -- the list of metrics.
#include "models/metrics/table.h"

#include "ir/error.h"
#include "models/metrics/bleu.h"
#include "models/metrics/chrf.h"
#include "models/metrics/error_rate.h"
#include "models/metrics/ter.h"

#include <array>
#include <string>

namespace weft::metrics {
namespace {

constexpr std::array<MetricKind, 7> kKinds{{
    {"bleu", "BLEU of 1 to 4 words", false,
     [](std::string_view tokenizer, bool lower_case) {
       return bleu({.tokenize = std::string(tokenizer), .lower_case = lower_case});
     }},
    {"chrf", "F-score of 1 to 6 characters", false,
     [](std::string_view, bool lower_case) { return chrf({.lower_case = lower_case}); }},
    {"chrf++", "chrf with 1 and 2 words", false,
     [](std::string_view, bool lower_case) {
       return chrf({.word_order = 2, .lower_case = lower_case});
     }},
    {"ter", "edits, shifts of phrases among them, by words of the reference; lower-cased", true,
     [](std::string_view, bool) { return ter(); }},
    {"per", "edits by tokens of the closest reference; tokens stand between spaces", true,
     [](std::string_view, bool) { return token_error_rate(); }},
    {"wer", "share of lines that equal no reference, as of a word that is spelled", true,
     [](std::string_view, bool) { return line_error_rate(); }},
    {"accuracy", "share of lines that equal a reference", true,
     [](std::string_view, bool) { return line_accuracy(); }},
}};

}  // namespace

std::span<const MetricKind> metric_kinds() { return kKinds; }

Metric metric_named(std::string_view name, std::string_view tokenizer, bool lower_case) {
  std::string names;
  for (const MetricKind& kind : kKinds) {
    if (kind.name == name) return kind.make(tokenizer, lower_case);
    names += (names.empty() ? "" : ", ") + std::string(kind.name);
  }
  throw ir::GraphError(ir::concat("there is no metric '", name, "' (there are: ", names, ")"));
}

}  // namespace weft::metrics
