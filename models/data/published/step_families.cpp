// models/data/published/step_families.cpp -- folders whose tokenisers are made of steps: byte-level BPE of
// vocab.json and merges.txt, and tokenizer.json.
#include "ir/error.h"
#include "models/data/published/family.h"
#include "models/data/published/tokenizer_json.h"

#include <algorithm>
#include <utility>

namespace weft::data::published {
namespace {

using ir::concat;
using ir::GraphError;

bool cleans_up(const FolderSettings& folder) {
  const JsonObject config = folder.object();
  if (config.flag("do_lower_case", false))
    config.fail("sets \"do_lower_case\", which is not done here");
  if (config.flag("split_special_tokens", false))
    config.fail("sets \"split_special_tokens\", which is not done here");
  if (const std::string errors = config.text("errors", "replace"); errors != "replace")
    config.fail(concat("sets \"errors\" to '", errors.substr(0, 40), "'; replace is done here"));
  return config.flag("clean_up_tokenization_spaces", false);
}

std::optional<bool> prefix_space(const FolderSettings& folder) {
  if (folder.object().find("add_prefix_space") == nullptr) return std::nullopt;
  return folder.object().flag("add_prefix_space");
}

// RoBERTa's and BART's special tokens, or GPT-2's: role, spelling.
using Roles = std::vector<std::pair<std::string, std::string>>;

Roles roles_of(bool gpt) {
  if (gpt) {
    const std::string one = "<|endoftext|>";
    return {{"bos_token", one}, {"eos_token", one}, {"unk_token", one}};
  }
  return {{"bos_token", "<s>"},    {"eos_token", "</s>"}, {"unk_token", "<unk>"},
          {"sep_token", "</s>"},   {"cls_token", "<s>"},  {"pad_token", "<pad>"},
          {"mask_token", "<mask>"}};
}

// The added tokens of a folder with vocab.json; those that have no id get the next ones.
AddedTokens added_of(const FolderSettings& folder, const std::vector<std::string>& tokens,
                     const Roles& roles) {
  AddedTokens added;
  auto next = static_cast<int32_t>(tokens.size());
  const auto add = [&](AddedToken token, bool has_id) {
    const auto id = find_token(tokens, token.content);
    if (has_id && id && *id != token.id)
      throw GraphError(concat(folder.path(), ": gives '", token.content, "' id ", token.id, ", ",
                              folder.files.path("vocab.json"), " id ", *id));
    const AddedToken* known = added.find(token.content);
    if (!has_id) token.id = id ? *id : known != nullptr ? known->id : next;
    if (std::cmp_greater(token.id, 2 * tokens.size() + 4096))
      throw GraphError(concat(folder.path(), ": gives '", token.content, "' id ", token.id,
                              ", far behind the ", tokens.size(), " tokens there are"));
    if (std::cmp_less(token.id, tokens.size()) && !id &&
        !tokens[static_cast<size_t>(token.id)].empty())
      throw GraphError(concat(folder.path(), ": says that id ", token.id, " is '", token.content,
                              "', ", folder.files.path("vocab.json"), " that it is '",
                              tokens[static_cast<size_t>(token.id)], "'"));
    next = std::max(next, token.id + 1);
    added.add(std::move(token));
  };
  for (const auto& [id, token] : folder.special.by_id) add(token, true);
  for (const auto& [role, usual] : roles) {
    const auto said = folder.special.roles.find(role);
    AddedToken token{.content = usual, .lstrip = role == "mask_token", .special = true};
    if (said != folder.special.roles.end()) {
      const bool lstrip = token.lstrip;
      token = said->second;
      token.lstrip = token.lstrip || lstrip;
    } else if (!find_token(tokens, usual) && added.find(usual) == nullptr) {
      continue;  // a model without one
    }
    if (added.find(token.content) == nullptr) add(std::move(token), false);
  }
  for (const AddedToken& token : folder.special.additional)
    if (added.find(token.content) == nullptr) add(token, false);
  return added;
}

}  // namespace

TokenModels open_tokenizer_json(const FolderSettings& folder) {
  const std::string path = folder.files.path("tokenizer.json");
  const StepTokenizer made = read_tokenizer_json(folder.files.json("tokenizer.json"), path,
                                                 prefix_space(folder), cleans_up(folder));
  const std::vector<std::string>& tokens = made.model->tokens();
  for (const auto& [id, token] : folder.special.by_id)
    if (id < std::ssize(tokens) && tokens[static_cast<size_t>(id)] != token.content)
      throw GraphError(concat(folder.path(), ": says that id ", id, " is '", token.content, "', ",
                              path, " that it is '", tokens[static_cast<size_t>(id)], "'"));
  return {.source = made.model, .target = made.model, .frame = made.around.frame()};
}

TokenModels open_byte_level(const FolderSettings& folder) {
  if (folder.files.has("tokenizer.json")) {
    TokenModels models = open_tokenizer_json(folder);
    const std::vector<std::string>& known = models.source->tokens();
    const auto tokens = read_vocabulary(folder.files, "vocab.json");
    for (size_t id = 0; id < tokens.size(); ++id)
      if (!tokens[id].empty() && (id >= known.size() || known[id] != tokens[id]))
        throw GraphError(concat(folder.files.path("vocab.json"), ": says that id ", id, " is '",
                                tokens[id], "', tokenizer.json that it is ",
                                id < known.size() ? "'" + known[id] + "'" : "none"));
    return models;
  }
  const bool clean_up = cleans_up(folder);
  std::vector<std::string> tokens = read_vocabulary(folder.files, "vocab.json");
  const bool gpt = !find_token(tokens, folder.special.spelling("cls_token", "<s>"));
  const Roles roles = roles_of(gpt);
  const AddedTokens added = added_of(folder, tokens, roles);
  const auto id_of = [&](const std::string& role) {
    for (const auto& [name, usual] : roles)
      if (name == role)
        if (const AddedToken* token = added.find(folder.special.spelling(role, usual)))
          return token->id;
    throw GraphError(concat(folder.files.folder(), ": has no ", role));
  };
  Template around;
  if (!gpt) {
    const int32_t cls = id_of("cls_token"), sep = id_of("sep_token");
    around = {.single = {cls, Template::kA, sep},
              .pair = {cls, Template::kA, sep, sep, Template::kB, sep}};
  } else if (folder.object().flag("add_bos_token", false)) {
    const int32_t bos = id_of("bos_token");
    around = {.single = {bos, Template::kA}, .pair = {bos, Template::kA, bos, Template::kB}};
  }
  // What a vocabulary that lacks bytes does not know.
  const std::string unknown = folder.special.spelling("unk_token", gpt ? "<|endoftext|>" : "<unk>");
  std::optional<std::string> known;
  if (find_token(tokens, unknown)) known = unknown;
  const StepTokenizer made = byte_level_tokenizer(
      std::move(tokens), folder.files.content("merges.txt"), folder.files.path("merges.txt"), added,
      std::move(known), prefix_space(folder).value_or(false), clean_up);
  return {.source = made.model, .target = made.model, .frame = around.frame()};
}

}  // namespace weft::data::published
