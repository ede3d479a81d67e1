// models/data/published/frame.h -- the special tokens that stand around a text.
#pragma once
#include <cstdint>
#include <vector>

namespace weft::data::published {

struct Frame {
  std::vector<int32_t> before = {}, behind = {};
  bool once = false;  // `behind` is not put where a text ends with it already (T5)

  std::vector<int32_t> around(std::vector<int32_t> ids) const {
    const bool there = once && !behind.empty() && !ids.empty() && ids.back() == behind.back();
    ids.insert(ids.begin(), before.begin(), before.end());
    if (!there) ids.insert(ids.end(), behind.begin(), behind.end());
    return ids;
  }
  bool operator==(const Frame&) const = default;
};

}  // namespace weft::data::published
