// models/data/tokens/special_ids.h -- the ids that are no words: each vocabulary has its own.
#pragma once
#include <cstdint>

namespace weft::data {

struct SpecialIds {
  static constexpr int32_t kNone = -1;

  int32_t pad = 0;            // behind the end of a row; kNone: 0 stands there
  int32_t begin = 1;          // before the first token of a target; may be `pad` or `end`
  int32_t end = 2;            // behind its last
  int32_t unknown = 3;        // for tokens of no id; kNone: those are errors
  bool all_produced = false;  // a search passes over none of them, as in Hugging Face's models

  int32_t padding() const { return pad == kNone ? 0 : pad; }
  // Is it one that a search must pass over? The end of a target is produced, whatever else it is.
  bool is_never_produced(int32_t id) const {
    return !all_produced && id != end && (id == pad || id == begin);
  }
  bool contains(int32_t id) const { return id == pad || id == begin || id == end || id == unknown; }
  bool operator==(const SpecialIds&) const = default;
};

}  // namespace weft::data
