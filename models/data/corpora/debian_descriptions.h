// models/data/corpora/debian_descriptions.h -- parallel text from Debian's translated package descriptions.
//
//   Package: abacus                                  an index that apt fetches, Translation-en
//   Description-md5: 0cc1...                         or Translation-fr, has such paragraphs
//   Description-en: counts with beads
//    What the package is for, in lines.
//    .
//    Another paragraph.
//
// A description and its translation belong together where package and md5 agree. Their first lines
// are a pair. The rest is cut at empty lines into paragraphs, paragraphs into items of lists, items
// into sentences, as long as both sides have equally many of them and none is out of proportion;
// where they do not, the larger part is the pair, and a whole text whose paragraphs differ in number
// gives none.
#pragma once
#include "frontend/formats/text.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::data {

struct TextPair {
  std::string source, target;
  bool operator==(const TextPair&) const = default;
};

// Descriptions in one language, by package and md5.
struct DescriptionIndex {
  using Lines = std::vector<std::string>;  // without the space before all but the first

  std::string language;  // "fr", "pt_BR": as in Description-fr
  std::map<std::pair<std::string, std::string>, Lines> descriptions = {};
};

// Adds the descriptions of both languages; of two with one package and md5 the first stays. GraphError
// "path:line: ..." on what is no such index.
void read_descriptions(formats::LineReader& lines, DescriptionIndex& source,
                       DescriptionIndex& target);

// The units that two texts have in common, from the largest that match down to sentences.
std::vector<TextPair> align_description(std::span<const std::string> source,
                                        std::span<const std::string> target,
                                        const std::string& source_language,
                                        const std::string& target_language);

struct DescriptionPairs {
  std::vector<TextPair> train, valid, test;
  int64_t descriptions = 0;  // translated ones
  int64_t identical = 0;     // units left out: source and target are the same,
  int64_t implausible = 0;   // or one is many times as long as the other, or has no letters,
  int64_t repeated = 0;      // or the pair, or its source in another part, was there already
};

// Part by hash(seed, package): no package is in two parts. Nor is a text of the source: it stays in
// the test part or, where that has none, in the validation part.
DescriptionPairs description_pairs(const DescriptionIndex& source, const DescriptionIndex& target,
                                   uint64_t seed = 1, double valid_share = 0.02,
                                   double test_share = 0.02);

}  // namespace weft::data
