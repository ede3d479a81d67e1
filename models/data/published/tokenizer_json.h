// models/data/published/tokenizer_json.h -- tokenisers made of steps: added tokens, a normaliser, a
// pre-tokeniser, a model, a decoder, special tokens around it; as tokenizer.json describes them, or as
// vocab.json and merges.txt imply.
//
// Of tokenizer.json all is read, or refused by name: "truncation" and "padding" alone, which the hub's
// library replaces by its callers' wishes, count for nothing.
#pragma once
#include "models/data/published/added_tokens.h"
#include "models/data/published/frame.h"
#include "models/data/published/text_steps.h"
#include "models/data/published/token_model.h"
#include "models/data/published/word_model.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::data::published {

struct StepSettings {
  AddedTokens added;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::shared_ptr<const WordModel> model;
  Decoder decoder;
  bool clean_up = false;  // spaces before punctuation go where ids become text
};

std::shared_ptr<const TokenModel> step_model(StepSettings settings);

// What a post-processor puts around texts: A and B are one's and the other's ids.
struct Template {
  static constexpr int32_t kA = -1, kB = -2;
  std::vector<int32_t> single = {kA}, pair = {kA, kB};

  Frame frame() const;  // of one text
  std::vector<int32_t> around(const std::vector<int32_t>& a, const std::vector<int32_t>& b) const;
};

struct StepTokenizer {
  std::shared_ptr<const TokenModel> model;
  Template around;
};

// `add_prefix_space`: of ByteLevel, whatever the file says.
StepTokenizer read_tokenizer_json(const Json& json, const std::string& path,
                                  std::optional<bool> add_prefix_space, bool clean_up);
// GPT-2's way: `merges` is the text of merges.txt.
StepTokenizer byte_level_tokenizer(std::vector<std::string> tokens, const std::string& merges,
                                   const std::string& merges_path, const AddedTokens& added,
                                   std::optional<std::string> unknown, bool add_prefix_space,
                                   bool clean_up);

}  // namespace weft::data::published
