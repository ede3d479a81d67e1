// models/data/published/sentencepiece_families.cpp -- how each family numbers the pieces of its
// SentencePiece model.
#include "ir/error.h"
#include "models/data/published/family.h"
#include "models/data/published/languages.h"
#include "models/data/published/sentencepiece_ids.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace weft::data::published {
namespace {

using ir::concat;
using ir::GraphError;

// Ids, special tokens and options that do not differ between the families.
class Numbering {
 public:
  Numbering(const FolderSettings& folder, const std::string& encoder,
            const std::string& decoder = {})
      : folder_(folder),
        path_(folder.files.path(encoder)),
        s_{.encoder = Subwords::from_bytes(folder.files.content(encoder), path_)} {
    if (!decoder.empty())
      s_.decoder = Subwords::from_bytes(folder.files.content(decoder), folder.files.path(decoder));
    const JsonObject config = folder.object();
    if (const Json* more = config.find("sp_model_kwargs"); more != nullptr && !more->empty())
      config.fail("sets \"sp_model_kwargs\", which is not done here");
    if (config.flag("do_lower_case", false))
      config.fail("sets \"do_lower_case\", which is not done here");
    if (config.flag("split_special_tokens", false))
      config.fail("sets \"split_special_tokens\", which is not done here");
    s_.clean_up = config.flag("clean_up_tokenization_spaces", false);
  }

  SentencePieceSettings& settings() { return s_; }
  const Subwords& encoder() const { return s_.encoder; }
  const std::string& path() const { return path_; }
  int64_t size() const { return std::ssize(s_.tokens); }

  // Piece i has id i + `by`.
  void shift(int32_t by) {
    s_.ids.resize(static_cast<size_t>(encoder().size()));
    std::iota(s_.ids.begin(), s_.ids.end(), by);
    s_.tokens.assign(static_cast<size_t>(by), "");
    for (int32_t i = 0; i < encoder().size(); ++i) s_.tokens.push_back(encoder().piece(i));
    s_.unknown = encoder().unknown() + by;
  }
  // Pieces have the ids of these tokens; those that are none of them are unknown.
  void number_by(std::vector<std::string> tokens, const std::string& unknown,
                 const std::string& where) {
    s_.tokens = std::move(tokens);
    of_vocabulary_ = true;
    std::unordered_map<std::string_view, int32_t> ids;
    for (size_t i = 0; i < s_.tokens.size(); ++i)
      ids.emplace(s_.tokens[i], static_cast<int32_t>(i));
    if (!ids.contains(unknown))
      throw GraphError(concat(where, ": has no '", unknown, "', the token for what is unknown"));
    s_.unknown = ids.at(unknown);
    bool any = false;
    for (int32_t i = 0; i < encoder().size(); ++i) {
      const auto at = ids.find(encoder().piece(i));
      s_.ids.push_back(at == ids.end() ? -1 : at->second);
      any = any || (at != ids.end() && encoder().is_text(i));
    }
    if (!any) throw GraphError(concat(where, ": has none of the pieces of ", path_));
  }
  // A special token at an id of its own.
  void put(const std::string& content, int64_t id, bool lstrip = false, bool rstrip = false) {
    AddedToken token{.content = content, .lstrip = lstrip, .rstrip = rstrip, .special = true};
    token.id = static_cast<int32_t>(id);
    add(std::move(token));
  }
  // The special token for a role where it has an id in the vocabulary.
  void put_role(const std::string& role, const std::string& usual) {
    const std::string content = folder_.special.spelling(role, usual);
    if (const auto id = find_token(s_.tokens, content)) put(content, *id);
  }

  // With what the folder's files add.
  TokenModels finish() {
    for (const auto& [id, token] : folder_.special.by_id) add(token);
    for (const auto& [role, token] : folder_.special.roles) add_last(token);
    for (const AddedToken& token : folder_.special.additional) add_last(token);
    const auto model = sentencepiece_model(std::move(s_));
    return {.source = model, .target = model, .frame = std::nullopt};
  }

 private:
  void add(AddedToken token) {
    token.normalized = false;  // SentencePiece normalises by itself
    if (std::cmp_less_equal(s_.tokens.size(), token.id)) {
      if (token.id > 2 * size() + 1024)
        throw GraphError(concat(folder_.files.folder(), ": '", token.content, "' has id ", token.id,
                                ", far behind the ", size(), " tokens there are"));
      s_.tokens.resize(static_cast<size_t>(token.id) + 1);
    }
    const std::string& known = s_.tokens[static_cast<size_t>(token.id)];
    const AddedToken* same = s_.added.find(token.id);
    if (!known.empty() && known != token.content && same == nullptr &&
        (of_vocabulary_ || is_piece(token.id)))
      throw GraphError(concat(folder_.files.folder(), ": says that id ", token.id, " is '",
                              token.content, "', ", of_vocabulary_ ? "its vocabulary" : path_,
                              " that it is '", known, "'"));
    s_.tokens[static_cast<size_t>(token.id)] = token.content;
    s_.added.add(std::move(token));
  }
  // Of those, SentencePiece cannot produce control symbols; a family may give them another name.
  bool is_piece(int32_t id) const {
    const auto at = std::find(s_.ids.begin(), s_.ids.end(), id);
    return at != s_.ids.end() && encoder().is_text(static_cast<int32_t>(at - s_.ids.begin()));
  }
  // Where it has no id yet, behind all others.
  void add_last(AddedToken token) {
    if (const AddedToken* known = s_.added.find(token.content)) {
      token.id = known->id;
      token.normalized = false;
      if (token.lstrip || token.rstrip || token.single_word) s_.added.add(std::move(token));
      return;
    }
    const auto id = find_token(s_.tokens, token.content);
    token.id = id ? *id : static_cast<int32_t>(s_.tokens.size());
    add(std::move(token));
  }

  const FolderSettings& folder_;
  std::string path_;
  SentencePieceSettings s_;
  bool of_vocabulary_ = false;  // ids are those of a file beside
};

}  // namespace

TokenModels open_t5(const FolderSettings& folder) {
  Numbering n(folder, "spiece.model");
  n.shift(0);
  const JsonObject config = folder.object();
  const int64_t extra = config.whole("extra_ids", 100);
  if (extra < 0 || extra > 100'000)
    config.fail(concat("has ", extra, " \"extra_ids\", 0 to 100000 are possible"));
  if (!config.flag("add_prefix_space", true))
    config.fail("sets \"add_prefix_space\" to false, which is not done here");
  const int64_t pieces = n.size();
  for (int64_t i = extra - 1; i >= 0; --i)
    n.put(concat("<extra_id_", i, ">"), pieces + extra - 1 - i, true, true);
  n.put_role("pad_token", "<pad>");
  n.put_role("eos_token", "</s>");
  n.put_role("unk_token", "<unk>");
  if (!config.flag("legacy", true)) {
    // A second "normalizer_spec" (field 3) with "add_dummy_prefix" (field 3) = false, which counts.
    constexpr std::string_view kNoPrefix("\x1A\x02\x18\x00", 4);
    n.settings().inner_encoder =
        Subwords::from_bytes(n.encoder().bytes() + std::string(kNoPrefix), n.path());
  }
  return n.finish();
}

TokenModels open_pegasus(const FolderSettings& folder) {
  Numbering n(folder, "spiece.model");
  const JsonObject config = folder.object();
  const int64_t offset = config.whole("offset", 103);
  if (offset < 4 || offset > 10'000)
    config.fail(concat("has an \"offset\" of ", offset, ", 4 to 10000 are possible"));
  n.shift(static_cast<int32_t>(offset));
  n.put(folder.special.spelling("pad_token", "<pad>"), 0);
  n.put(folder.special.spelling("eos_token", "</s>"), 1);
  n.put(config.text("mask_token_sent", "<mask_1>"), 2);
  n.put(folder.special.spelling("mask_token", "<mask_2>"), 3);
  for (int64_t i = 2; i < offset; ++i) n.put(concat("<unk_", i, ">"), i + 2);
  n.put(folder.special.spelling("unk_token", "<unk>"), n.encoder().unknown() + offset);
  return n.finish();
}

TokenModels open_marian(const FolderSettings& folder) {
  const auto side = [&](const std::string& encoder, const std::string& vocabulary) {
    Numbering n(folder, encoder, encoder == "target.spm" ? std::string() : "target.spm");
    n.number_by(read_vocabulary(folder.files, vocabulary),
                folder.special.spelling("unk_token", "<unk>"), folder.files.path(vocabulary));
    n.put_role("pad_token", "<pad>");
    n.put_role("eos_token", "</s>");
    n.put_role("unk_token", "<unk>");
    n.settings().language_marks = true;
    return n.finish().source;
  };
  const bool separate = folder.object().flag("separate_vocabs", false);
  return {.source = side("source.spm", "vocab.json"),
          .target = side("target.spm", separate ? "target_vocab.json" : "vocab.json"),
          .frame = std::nullopt};
}

TokenModels open_fairseq(const FolderSettings& folder, std::string_view languages) {
  Numbering n(folder, "sentencepiece.bpe.model");
  if (n.encoder().unknown() != 0)
    throw GraphError(concat(n.path(), ": has its unknown piece at ", n.encoder().unknown(),
                            ", the ids of this model need it at 0"));
  n.shift(1);
  n.put("<s>", 0);
  n.put("<pad>", 1);
  n.put("</s>", 2);
  n.put("<unk>", 3);
  n.settings().ids[0] = n.settings().unknown = 3;
  const int64_t pieces = n.size();
  std::vector<std::string> codes = languages_of(languages);
  // The folder's own list counts: there are models of fewer languages.
  std::vector<std::string> own;
  for (const AddedToken& token : folder.special.additional) own.push_back(token.content);
  if (languages == "nllb" && !own.empty()) codes = own;
  for (size_t i = 0; i < codes.size(); ++i) n.put(codes[i], pieces + static_cast<int64_t>(i));
  n.put(folder.special.spelling("mask_token", "<mask>"), pieces + std::ssize(codes), true);
  if (languages != "mbart50") n.settings().joining = Joining::text;
  return n.finish();
}

TokenModels open_m2m100(const FolderSettings& folder) {
  Numbering n(folder, "sentencepiece.bpe.model");
  n.number_by(read_vocabulary(folder.files, "vocab.json"),
              folder.special.spelling("unk_token", "<unk>"), folder.files.path("vocab.json"));
  for (const auto& [role, usual] :
       {std::pair("bos_token", "<s>"), std::pair("pad_token", "<pad>"),
        std::pair("eos_token", "</s>"), std::pair("unk_token", "<unk>")})
    n.put_role(role, usual);
  const JsonObject config = folder.object();
  const int64_t tokens = n.size();
  std::vector<std::string> codes = languages_of(config.text("language_codes", "m2m100"));
  for (size_t i = 0; i < codes.size(); ++i)
    n.put(concat("__", codes[i], "__"), tokens + static_cast<int64_t>(i));
  const int64_t more = config.whole("num_madeup_words", 8);
  if (more < 0 || more > 10'000)
    config.fail(concat("has ", more, " \"num_madeup_words\", 0 to 10000 are possible"));
  n.settings().tokens.resize(static_cast<size_t>(n.size() + more));
  return n.finish();
}

}  // namespace weft::data::published
