// models/data/published/families.cpp -- the families, one by one, and what they share.
#include "ir/error.h"
#include "models/data/published/family.h"

#include <algorithm>
#include <utility>

namespace weft::data::published {
namespace {

using ir::concat;
using ir::GraphError;

TokenModels open_mbart(const FolderSettings& folder) { return open_fairseq(folder, "mbart"); }
TokenModels open_mbart50(const FolderSettings& folder) { return open_fairseq(folder, "mbart50"); }
TokenModels open_nllb(const FolderSettings& folder) { return open_fairseq(folder, "nllb"); }

constexpr Family kFamilies[] = {
    {.name = "T5",
     .classes = "T5Tokenizer MT5Tokenizer",
     .model_types = "t5 mt5 umt5 longt5",
     .needs = "spiece.model",
     .open = open_t5,
     .starts_with_pad = true,
     .ends_once = true},
    {.name = "Pegasus",
     .classes = "PegasusTokenizer",
     .model_types = "pegasus pegasus_x bigbird_pegasus",
     .needs = "spiece.model",
     .open = open_pegasus,
     .starts_with_pad = true},
    {.name = "Marian",
     .classes = "MarianTokenizer",
     .model_types = "marian",
     .needs = "source.spm target.spm vocab.json",
     .open = open_marian,
     .starts_with_pad = true},
    {.name = "mBART-25",
     .classes = "MBartTokenizer",
     .model_types = "mbart",
     .needs = "sentencepiece.bpe.model",
     .open = open_mbart,
     .language = LanguagePlace::behind,
     .languages = "mbart",
     .usual_source = "en_XX"},
    {.name = "mBART-50",
     .classes = "MBart50Tokenizer",
     .model_types = "",
     .needs = "sentencepiece.bpe.model",
     .open = open_mbart50,
     .language = LanguagePlace::before,
     .languages = "mbart50",
     .usual_source = "en_XX"},
    {.name = "NLLB",
     .classes = "NllbTokenizer",
     .model_types = "nllb-moe",
     .needs = "sentencepiece.bpe.model",
     .open = open_nllb,
     .language = LanguagePlace::before,
     .languages = "nllb",
     .usual_source = "eng_Latn"},
    {.name = "M2M-100",
     .classes = "M2M100Tokenizer",
     .model_types = "m2m_100",
     .needs = "sentencepiece.bpe.model vocab.json",
     .open = open_m2m100,
     .language = LanguagePlace::before,
     .languages = "m2m100",
     .usual_source = "en",
     .mark = "__"},
    {.name = "BART",
     .classes = "BartTokenizer RobertaTokenizer LEDTokenizer LongformerTokenizer",
     .model_types = "bart led",
     .needs = "vocab.json merges.txt",
     .open = open_byte_level},
    {.name = "GPT-2",
     .classes = "GPT2Tokenizer",
     .model_types = "gpt2",
     .needs = "vocab.json merges.txt",
     .open = open_byte_level},
    {.name = "tokenizer.json",
     .classes = "PreTrainedTokenizer",
     .model_types = "",
     .needs = "tokenizer.json",
     .open = open_tokenizer_json},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

std::vector<std::string> vocabulary_of(const Json& json, const std::string& where) {
  if (!json.is_object() || json.empty())
    throw GraphError(concat(where, ": is no object of tokens and their ids"));
  const int64_t most = 2 * static_cast<int64_t>(json.size()) + 4096;
  std::vector<std::string> tokens;
  std::vector<bool> taken;
  for (const auto& [token, value] : json.items()) {
    const std::string quoted = Json(token).dump();
    const int32_t id = token_id(value, concat(where, ": ", quoted.substr(0, 80)));
    if (id >= most)
      throw GraphError(concat(where, ": ", quoted.substr(0, 80), " has id ", id,
                              ", far behind the ", json.size(), " tokens there are"));
    const auto at = static_cast<size_t>(id);
    if (at >= tokens.size()) tokens.resize(at + 1), taken.resize(at + 1);
    if (taken[at])
      throw GraphError(concat(where, ": ", quoted.substr(0, 80), " and ",
                              Json(tokens[at]).dump().substr(0, 80), " both have id ", id));
    taken[at] = true;
    tokens[at] = token;
  }
  return tokens;
}

std::vector<std::string> read_vocabulary(const ModelFiles& files, const std::string& name) {
  return vocabulary_of(files.json(name), files.path(name));
}

std::optional<int32_t> find_token(std::span<const std::string> tokens, std::string_view content) {
  const auto at = std::find(tokens.begin(), tokens.end(), content);
  if (at == tokens.end() || content.empty()) return std::nullopt;
  return static_cast<int32_t>(at - tokens.begin());
}

}  // namespace weft::data::published
