// models/data/published/family.h -- tokenisers that the hub's library has classes for: which files they
// read, how ids are numbered, what stands around a text.
#pragma once
#include "models/data/published/frame.h"
#include "models/data/published/model_files.h"
#include "models/data/published/special_tokens.h"
#include "models/data/published/token_model.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::data::published {

// What a folder says beside its vocabularies.
struct FolderSettings {
  const ModelFiles& files;
  Json config;  // tokenizer_config.json, {} where there is none
  SpecialTokens special;

  std::string path() const { return files.path("tokenizer_config.json"); }
  JsonObject object() const { return {config, path()}; }
};

// The cutting of both sides, often the same one.
struct TokenModels {
  std::shared_ptr<const TokenModel> source, target;
  std::optional<Frame> frame = {};  // where the files say it themselves
};

// Where a language's token stands in a text.
enum class LanguagePlace { none, before, behind };

struct Family {
  std::string_view name;
  std::string_view classes;      // of the hub's library, "Fast" left out, by spaces
  std::string_view model_types;  // of config.json, for folders that name no class
  std::string_view needs;        // files, by spaces; tokenizer.json does too
  TokenModels (*open)(const FolderSettings&);

  bool starts_with_pad = false;  // the decoder, else with the end
  bool ends_once = false;        // see Frame
  LanguagePlace language = LanguagePlace::none;
  // "mbart" of languages.h, and what is read where the folder does not say it.
  std::string_view languages = {};
  std::string_view usual_source = {};
  std::string_view mark = {};  // before and behind a language in its token: "__"
};

std::span<const Family> families();

// Vocabularies of the families' files. GraphError where these are damaged or contradict each other.
TokenModels open_t5(const FolderSettings& folder);
TokenModels open_pegasus(const FolderSettings& folder);
TokenModels open_marian(const FolderSettings& folder);
TokenModels open_fairseq(const FolderSettings& folder, std::string_view languages);
TokenModels open_m2m100(const FolderSettings& folder);
TokenModels open_byte_level(const FolderSettings& folder);
TokenModels open_tokenizer_json(const FolderSettings& folder);

// "vocab.json": tokens by id. GraphError where two have one id, or ids are far apart.
std::vector<std::string> read_vocabulary(const ModelFiles& files, const std::string& name);
std::vector<std::string> vocabulary_of(const Json& json, const std::string& where);

std::optional<int32_t> find_token(std::span<const std::string> tokens, std::string_view content);

}  // namespace weft::data::published
