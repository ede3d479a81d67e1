// models/metrics/table.h -- metrics by the names that commands take.
#pragma once
#include "models/metrics/metric.h"

#include <span>
#include <string_view>

namespace weft::metrics {

struct MetricKind {
  std::string_view name, doc;
  bool per_cent;                                                // is its value said with a "%"?
  Metric (*make)(std::string_view tokenizer, bool lower_case);  // what does not apply is ignored
};

std::span<const MetricKind> metric_kinds();  // bleu, chrf, chrf++, ter, per, wer, accuracy

// Throws GraphError that lists the names there are; `tokenizer` is one of tokenizers.h.
Metric metric_named(std::string_view name, std::string_view tokenizer = "13a",
                    bool lower_case = false);

}  // namespace weft::metrics
