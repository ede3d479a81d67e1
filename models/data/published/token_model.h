// models/data/published/token_model.h -- what cuts a text into ids, before special tokens are put
// around them.
#pragma once
#include "models/data/published/added_tokens.h"
#include "models/data/random.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::data::published {

struct Piece {
  int32_t id;
  std::string text;  // as the vocabulary spells it; what is unknown as it is in the text
};

class TokenModel {
 public:
  virtual ~TokenModel() = default;
  virtual std::vector<Piece> encode(std::string_view text) const = 0;
  // Ids that are no tokens give nothing. `skip_special`: special tokens neither.
  virtual std::string decode(std::span<const int32_t> ids, bool skip_special) const = 0;
  // Another way to cut the text that `ids` is.
  virtual std::vector<int32_t> resample(std::span<const int32_t> ids, double alpha, int64_t best,
                                        Random& random) const = 0;
  // By id; empty where there is none.
  virtual const std::vector<std::string>& tokens() const = 0;
  // The special tokens, and those that were added.
  virtual const AddedTokens& added() const = 0;

  bool is_special(int32_t id) const {
    const AddedToken* token = added().find(id);
    return token != nullptr && token->special;
  }
};

}  // namespace weft::data::published
