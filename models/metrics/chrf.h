// models/metrics/chrf.h -- character n-gram F-score (Popovic 2015; chrF++ 2017).
//
//   chrF_b = (1 + b^2) P R / (b^2 P + R)
//   P, R   = precision and recall averaged over the orders that both sides have: n-grams of 1 to 6
//            characters, white space taken out, and of 1 to `word_order` words (chrF++: 2), one
//            leading or trailing ASCII mark of a word split off
//
// Of several references the one with the best F of the segment counts. Equal to sacreBLEU 2.
#pragma once
#include "models/metrics/metric.h"

namespace weft::metrics {

struct ChrfSettings {
  int char_order = 6, word_order = 0;
  double beta = 2;
  bool lower_case = false, white_space = false;  // white_space: it counts as characters
};

Metric chrf(const ChrfSettings& settings = {});

}  // namespace weft::metrics
