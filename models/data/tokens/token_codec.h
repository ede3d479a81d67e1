// models/data/tokens/token_codec.h -- text to ids and back as a published model has it: what a Tokenizer of
// the kind `published` hands its work to.
#pragma once
#include "models/data/random.h"
#include "models/data/tokens/special_ids.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::data {

// Objects do not change, and may be used by many threads at once.
class TokenCodec {
 public:
  virtual ~TokenCodec() = default;

  // With the special tokens that this model has before and behind a text; the end of a target, which
  // batches add, left out. GraphError where a text is more than the model has ids for.
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;
  // The same as they are spelled, one for each id; what is unknown as it is in the text.
  virtual std::vector<std::string> pieces(std::string_view text) const = 0;
  // Special tokens are left out, wherever they stand; so are ids that are no tokens.
  virtual std::string decode(std::span<const int32_t> ids) const = 0;
  // Other pieces of the text that `ids` is, see Tokenizer::resample.
  virtual std::vector<int32_t> resample(std::span<const int32_t> ids, double alpha, int64_t best,
                                        Random& random) const = 0;
  // All that a tokeniser with these special ids depends on, as read_published_tokenizer reads it.
  virtual std::string serialized(const SpecialIds& special) const = 0;
};

}  // namespace weft::data
