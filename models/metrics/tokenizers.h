// models/metrics/tokenizers.h -- how BLEU cuts text into words, so that scores can be compared.
//
//   none  at white space
//   13a   as mteval-v13a of the WMT campaigns (Latin scripts): the default
//   intl  as mteval-v14: every punctuation mark and symbol of Unicode apart, but for numbers
//   zh    Chinese characters apart, the rest as 13a
//   char  every character
//
// They give the words of sacreBLEU 2 (Post 2018, "A Call for Clarity in Reporting BLEU Scores").
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::metrics {

struct Tokenizer {
  std::string_view name, doc;
  std::vector<std::string> (*words)(std::string_view line);
};

std::span<const Tokenizer> tokenizers();

// By name; throws GraphError that lists the names there are.
const Tokenizer& tokenizer(std::string_view name);

}  // namespace weft::metrics
