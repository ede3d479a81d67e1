// models/data/published/special_tokens.cpp -- special and added tokens of several files.
#include "models/data/published/special_tokens.h"

#include "ir/error.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace weft::data::published {
namespace {

using ir::concat;
using ir::GraphError;

constexpr std::string_view kRoles[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                       "pad_token", "cls_token", "mask_token"};

// "<mask>", or {"content": "<mask>", "lstrip": true, ...}.
AddedToken token_of(const Json& value, const std::string& where) {
  AddedToken token{.content = {}, .special = true};
  if (value.is_string()) {
    token.content = value.get<std::string>();
  } else {
    const JsonObject object(value, where);
    object.pass("__type");
    object.pass("id");
    token.content = object.text("content");
    token.single_word = object.flag("single_word", false);
    token.lstrip = object.flag("lstrip", false);
    token.rstrip = object.flag("rstrip", false);
    token.normalized = object.flag("normalized", false);
    token.special = object.flag("special", true);
    object.finish();
  }
  if (token.content.empty()) throw GraphError(concat(where, ": is an empty token"));
  return token;
}

class Reader {
 public:
  explicit Reader(const ModelFiles& files) : files_(files) {}

  SpecialTokens read() {
    if (files_.has("tokenizer_config.json")) {
      read_names("tokenizer_config.json");
      read_by_id();
    }
    if (files_.has("special_tokens_map.json")) read_names("special_tokens_map.json");
    if (files_.has("added_tokens.json")) read_added();
    return std::move(all_);
  }

 private:
  void read_names(const std::string& file) {
    const std::string path = files_.path(file);
    const Json json = files_.json(file);
    const JsonObject object(json, path);
    for (const std::string_view key : kRoles) {
      const std::string role(key);
      const Json* value = object.find(role);
      if (value == nullptr) continue;
      AddedToken token = token_of(*value, concat(path, ": ", role));
      const auto [at, added] = all_.roles.emplace(role, token);
      if (!added && at->second.content != token.content)
        throw GraphError(concat(path, ": says that ", role, " is '", token.content,
                                "', tokenizer_config.json that it is '", at->second.content, "'"));
    }
    const Json* more = object.find("additional_special_tokens");
    if (more == nullptr) more = object.find("extra_special_tokens");
    if (more == nullptr || !all_.additional.empty()) return;
    if (more->is_object()) return;  // of models that read something else than text
    if (!more->is_array()) throw GraphError(concat(path, ": additional_special_tokens is no list"));
    for (const Json& value : *more)
      all_.additional.push_back(token_of(value, concat(path, ": additional_special_tokens")));
  }

  void read_by_id() {
    const std::string path = files_.path("tokenizer_config.json");
    const Json json = files_.json("tokenizer_config.json");
    const Json* tokens = JsonObject(json, path).find("added_tokens_decoder");
    if (tokens == nullptr) return;
    const std::string where = concat(path, ": added_tokens_decoder");
    const JsonObject object(*tokens, where);
    for (const auto& [key, value] : object.value().items()) {
      int64_t id = -1;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      if (error != std::errc() || end != key.data() + key.size())
        throw GraphError(concat(where, ": '", key.substr(0, 40), "' is no id"));
      AddedToken token = token_of(value, concat(where, ": ", key));
      token.id = token_id(Json(id), where);
      add(std::move(token), where);
    }
  }

  void read_added() {
    const std::string path = files_.path("added_tokens.json");
    const Json json = files_.json("added_tokens.json");
    for (const auto& [content, id] : JsonObject(json, path).value().items()) {
      AddedToken token{.content = content, .id = token_id(id, concat(path, ": '", content, "'"))};
      // What it is beside its id stands elsewhere.
      const auto known = all_.by_id.find(token.id);
      if (known != all_.by_id.end() && known->second.content == content) continue;
      for (const AddedToken& t : all_.additional)
        if (t.content == content) token.special = true;
      for (const auto& [role, t] : all_.roles)
        if (t.content == content) token.special = true;
      add(std::move(token), path);
    }
  }

  void add(AddedToken token, const std::string& where) {
    for (const auto& [id, other] : all_.by_id) {
      if (id == token.id)
        throw GraphError(concat(where, ": says that id ", id, " is '", token.content,
                                "', another place that it is '", other.content, "'"));
      if (other.content == token.content)
        throw GraphError(concat(where, ": says that '", token.content, "' has id ", token.id,
                                ", another place that it has id ", id));
    }
    all_.by_id.emplace(token.id, std::move(token));
  }

  const ModelFiles& files_;
  SpecialTokens all_;
};

}  // namespace

std::string SpecialTokens::spelling(const std::string& role, const std::string& otherwise) const {
  const auto at = roles.find(role);
  return at == roles.end() ? otherwise : at->second.content;
}

SpecialTokens read_special_tokens(const ModelFiles& files) { return Reader(files).read(); }

}  // namespace weft::data::published
