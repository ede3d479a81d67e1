// models/data/corpus.h -- pairs of texts, and their ids.
#pragma once
#include "ir/host/array.h"
#include "models/data/tokens/tokenizer.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace weft::data {

struct Example {
  std::string source, target;
  int64_t id = 0;  // its own for good: the line it came from
};
using Examples = std::vector<Example>;
// One after the other; nothing at the end.
using NextExample = std::function<std::optional<Example>()>;

struct EncodedExample {
  std::vector<int32_t> source, target;  // without their begin and end
  int64_t id = 0;
  // Instead of the source's tokens: frames f32[n,F] or an image f32[H,W,C], and the positions they
  // take.
  ir::Array features = {};
  int64_t positions = 0;

  int64_t source_length() const {
    return features.empty() ? static_cast<int64_t>(source.size()) : positions;
  }
};

// Of tokens. With features instead, see features.h.
EncodedExample encode(const Example& example, const Tokenizer& source, const Tokenizer& target);

}  // namespace weft::data
