// models/data/published/text_steps.h -- what tokenizer.json does to a text before its model, and to
// tokens behind it: normalisers, pre-tokenisers, decoders.
//
//   normalisers      Sequence NFC NFD NFKC NFKD Lowercase Strip StripAccents Replace Prepend Precompiled
//   pre-tokenisers   Sequence ByteLevel Metaspace WhitespaceSplit Split
//   decoders         Sequence ByteLevel Metaspace Replace Strip ByteFallback Fuse
//
// Others, and settings that are not known, are GraphErrors that name them.
#pragma once
#include "models/data/published/json.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::data::published {

using Normalizer = std::function<std::string(std::string_view)>;

// A stretch of normalised text that is cut further. `first`: it begins where the text does.
struct Word {
  std::string text;
  bool first = false;
};
using PreTokenizer = std::function<std::vector<Word>(std::vector<Word>)>;

using Decoder = std::function<std::vector<std::string>(std::vector<std::string>)>;

// `where` stands in errors: "folder/tokenizer.json: normalizer". Null gives what changes nothing; of a
// decoder an empty function: tokens are joined with spaces.
Normalizer normalizer_of(const Json& json, const std::string& where);
PreTokenizer pre_tokenizer_of(const Json& json, const std::string& where);
Decoder decoder_of(const Json& json, const std::string& where);

}  // namespace weft::data::published
