// models/data/filters.h -- which pairs of a corpus are trained on, and how many went, and why.
#pragma once
#include "models/data/corpus.h"
#include "models/settings/fields.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace weft::data {

enum class Misfit { refuse, drop };  // what is done about a line that does not fit
inline constexpr settings::Choices<Misfit, 2> kMisfits{
    {{"error", Misfit::refuse}, {"drop", Misfit::drop}}};

struct FilterSettings {
  int64_t max_tokens = 1000;  // of either side
  Misfit long_lines = Misfit::refuse;
  Misfit empty_lines = Misfit::refuse;
  double max_ratio = 0;          // of the longer side's tokens to the shorter's; 0: no limit
  bool drop_duplicates = false;  // pairs whose two texts were there before

  bool operator==(const FilterSettings&) const = default;
};
void fields(FilterSettings& s, settings::Fields& f);

// Of a file.
struct FilterCounts {
  int64_t lines = 0;
  int64_t empty = 0, duplicates = 0, too_long = 0, ratio = 0;  // of these, dropped

  int64_t dropped() const { return empty + duplicates + too_long + ratio; }
  // "3 of 100 lines dropped: 2 with an empty side, 1 twice"
  std::string str() const;
};

// The hashes of what was seen, in 8 to 16 bytes each.
class SeenTexts {
 public:
  SeenTexts() : slots_(1 << 10) {}
  // Was it there already? By 64 bits of hash: of 20 million texts, one is taken for another with a
  // probability of 1e-5.
  bool add(std::string_view source, std::string_view target);

 private:
  bool insert(uint64_t hash);

  std::vector<uint64_t> slots_;  // open addressing; 0: free
  size_t count_ = 0;
};

// Asked about each line of all files, in order, first as text and then by its tokens.
class PairFilter {
 public:
  explicit PairFilter(const FilterSettings& settings) : settings_(settings) {}

  // Both count what they drop. Throw GraphError ("the source is empty") for what is refused.
  bool keeps(const Example& pair, FilterCounts& counts);
  bool keeps(int64_t source_tokens, int64_t target_tokens, FilterCounts& counts) const;

 private:
  FilterSettings settings_;
  SeenTexts seen_;
};

}  // namespace weft::data
