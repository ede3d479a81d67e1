// models/data/published/published_tokenizers.cpp -- which family a folder is of, and what its files set.
#include "models/data/published/published_tokenizers.h"

#include "ir/error.h"
#include "models/data/published/family.h"
#include "models/data/published/languages.h"
#include "models/data/published/number_codec.h"

#include <algorithm>
#include <utility>

namespace weft::data {
namespace published {
namespace {

using ir::concat;
using ir::GraphError;

constexpr std::string_view kConfig = "tokenizer_config.json";

// What a codec is made of anew.
struct Origin {
  std::shared_ptr<const ModelFiles> files;
  PublishedOptions options;
  std::string side;
};

// A model between the special tokens of one side.
class PublishedCodec final : public TokenCodec {
 public:
  PublishedCodec(std::shared_ptr<const TokenModel> model, Frame frame, int64_t rows, Origin origin)
      : model_(std::move(model)),
        frame_(std::move(frame)),
        rows_(rows),
        origin_(std::move(origin)) {}

  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> ids;
    for (const Piece& piece : checked(text)) ids.push_back(piece.id);
    return frame_.around(std::move(ids));
  }

  std::vector<std::string> pieces(std::string_view text) const override {
    std::vector<int32_t> ids;
    std::vector<std::string> all, texts;
    for (Piece& piece : checked(text)) {
      ids.push_back(piece.id);
      texts.push_back(std::move(piece.text));
    }
    const size_t inner = ids.size(), before = frame_.before.size();
    ids = frame_.around(std::move(ids));
    for (size_t i = 0; i < ids.size(); ++i)
      all.push_back(i >= before && i < before + inner
                        ? std::move(texts[i - before])
                        : model_->tokens()[static_cast<size_t>(ids[i])]);
    return all;
  }

  std::string decode(std::span<const int32_t> ids) const override {
    return model_->decode(ids, true);
  }

  std::vector<int32_t> resample(std::span<const int32_t> ids, double alpha, int64_t best,
                                Random& random) const override {
    const auto begins = [&](std::span<const int32_t> all, std::span<const int32_t> part) {
      return std::ranges::equal(all.first(std::min(all.size(), part.size())), part);
    };
    std::span<const int32_t> inner = ids;
    if (begins(inner, frame_.before)) inner = inner.subspan(frame_.before.size());
    if (inner.size() >= frame_.behind.size() &&
        begins(inner.last(frame_.behind.size()), frame_.behind))
      inner = inner.first(inner.size() - frame_.behind.size());
    std::vector<int32_t> all(ids.begin(), ids.begin() + (inner.data() - ids.data()));
    const std::vector<int32_t> other = model_->resample(inner, alpha, best, random);
    all.insert(all.end(), other.begin(), other.end());
    all.insert(all.end(), inner.data() + inner.size(), ids.data() + ids.size());
    return all;
  }

  std::string serialized(const SpecialIds& s) const override {
    Json json = origin_.files->serialized();
    const PublishedOptions& o = origin_.options;
    json["format"] = 1;
    json["side"] = origin_.side;
    json["source_language"] = o.source_language;
    json["target_language"] = o.target_language;
    json["rows"] = {o.source_rows, o.target_rows};
    json["special"] = {s.pad, s.begin, s.end, s.unknown};
    json["all_produced"] = s.all_produced;
    return json.dump(1) + "\n";
  }

 private:
  std::vector<Piece> checked(std::string_view text) const {
    std::vector<Piece> pieces = model_->encode(text);
    for (const Piece& piece : pieces)
      if (rows_ > 0 && piece.id >= rows_)
        throw GraphError(concat("holds '", piece.text, "', token ", piece.id,
                                ", and the model has ", rows_, " rows for tokens"));
    return pieces;
  }

  std::shared_ptr<const TokenModel> model_;
  Frame frame_;
  int64_t rows_;
  Origin origin_;
};

bool names(std::string_view list, std::string_view word) {
  for (const std::string& w : split_tokens(list))
    if (w == word) return true;
  return false;
}

// A text that config.json or tokenizer_config.json has for a key; empty where there is none.
std::string said(const ModelFiles& files, const std::string& file, const std::string& key) {
  if (!files.has(file)) return {};
  const Json json = files.json(file);
  return JsonObject(json, files.path(file)).text(key, "");
}

const Family& family_of(const ModelFiles& files) {
  for (const std::string file : {"tokenizer_config.json", "config.json"}) {
    std::string name = said(files, file, "tokenizer_class");
    if (name.empty()) continue;
    const std::string whole = name;
    if (name.ends_with("Fast")) name.resize(name.size() - 4);
    for (const Family& f : families())
      if (names(f.classes, name)) return f;
    if (files.has("tokenizer.json")) return families().back();
    throw GraphError(concat(files.path(file), ": names the tokeniser ", whole,
                            ", which is not known here, and there is no tokenizer.json"));
  }
  const std::string type = said(files, "config.json", "model_type");
  for (const Family& f : families())
    if (!type.empty() && names(f.model_types, type)) return f;
  if (files.has("tokenizer.json")) return families().back();
  throw GraphError(concat(files.folder(),
                          ": neither tokenizer_config.json nor config.json says which "
                          "tokeniser its models need, and there is no tokenizer.json"));
}

bool has_all(const ModelFiles& files, std::string_view needed) {
  const auto all = split_tokens(needed);
  return std::all_of(all.begin(), all.end(), [&](const auto& f) { return files.has(f); });
}

TokenModels open_models(const Family& family, const FolderSettings& folder) {
  if (has_all(folder.files, family.needs)) return family.open(folder);
  if (folder.files.has("tokenizer.json")) return open_tokenizer_json(folder);
  std::string missing;
  for (const std::string& file : split_tokens(family.needs))
    if (!folder.files.has(file)) missing += (missing.empty() ? "" : " and ") + file;
  throw GraphError(concat(folder.files.folder(), ": has no ", missing, ", which the tokeniser of ",
                          family.name, " needs, nor a tokenizer.json"));
}

// An opened folder, its languages and special ids found.
class Opened {
 public:
  Opened(std::shared_ptr<const ModelFiles> files, const PublishedOptions& options)
      : shared_(std::move(files)), files_(*shared_), options_(options), family_(family_of(files_)) {
    if (files_.has(std::string(kConfig))) folder_.config = files_.json(std::string(kConfig));
    (void)folder_.object();
    folder_.special = read_special_tokens(files_);
    models_ = open_models(family_, folder_);
    read_languages();
  }

  PublishedTokenizers tokenizers() {
    PublishedTokenizers t;
    t.family = family_.name;
    t.languages = languages_;
    t.source_language = source_;
    t.target_language = target_;
    if (family_.language == LanguagePlace::before && !target_.empty()) t.first = language(target_);
    const Json* most = folder_.object().find("model_max_length");
    if (most != nullptr && most->is_number_integer() && most->get<int64_t>() > 0)
      t.longest = most->get<int64_t>();
    const auto special = std::pair(special_of(*models_.source), special_of(*models_.target));
    const std::vector<int32_t> end_of_source{special.first.end}, end{special.second.end};
    Frame source = frame(end_of_source, source_), target = frame(end, target_);
    // What stands behind the end is not said to the decoder, and batches add the end.
    const auto at = std::find(target.behind.begin(), target.behind.end(), special.second.end);
    target.behind.erase(at, target.behind.end());
    target.once = false;
    if (family_.language == LanguagePlace::before)
      target = {.before = t.first ? std::vector{*t.first} : std::vector<int32_t>()};
    t.source = side("source", models_.source, source, options_.source_rows, special.first);
    t.target = side("target", models_.target, target, options_.target_rows, special.second);
    for (const auto& [name, content] : files_.read()) t.files.push_back(name);
    return t;
  }

 private:
  int32_t language(const std::string& code) const {
    const AddedToken* token =
        models_.source->added().find(concat(family_.mark, code, family_.mark));
    if (std::find(languages_.begin(), languages_.end(), code) == languages_.end() ||
        token == nullptr) {
      std::string some;
      size_t more = languages_.size();
      for (const std::string& l : languages_)
        if (l.substr(0, 1) == code.substr(0, 1)) some += (some.empty() ? "" : ", ") + l, --more;
      throw GraphError(concat(files_.folder(), ": has no language '", code.substr(0, 40),
                              "'; it has ", some, some.empty() ? "" : " and ", more, " more"));
    }
    return token->id;
  }

  void read_languages() {
    if (family_.language == LanguagePlace::none) return;
    const JsonObject config = folder_.object();
    std::string list(family_.languages);
    if (family_.name == "M2M-100") list = config.text("language_codes", list);
    std::vector<std::string> codes = languages_of(list);
    // Special tokens that are no others.
    if (family_.name == "NLLB" && !folder_.special.additional.empty()) {
      codes.clear();
      for (const AddedToken& t : folder_.special.additional) codes.push_back(t.content);
    }
    for (std::string& code : codes)
      if (models_.source->added().find(concat(family_.mark, code, family_.mark)) != nullptr)
        languages_.push_back(std::move(code));
    source_ = options_.source_language;
    if (source_.empty()) source_ = config.text("src_lang", std::string(family_.usual_source));
    target_ = options_.target_language;
    if (target_.empty()) target_ = config.text("tgt_lang", "");
    if (target_.empty()) target_ = language_of_generation();
    (void)language(source_);
    if (!target_.empty()) (void)language(target_);
  }

  // The language that the model begins with where nothing else is said, of its configuration.
  std::string language_of_generation() const {
    const std::string key = family_.language == LanguagePlace::behind ? "decoder_start_token_id"
                                                                      : "forced_bos_token_id";
    for (const std::string file : {"generation_config.json", "config.json"}) {
      if (!files_.has(file)) continue;
      const Json json = files_.json(file);
      const int64_t id = JsonObject(json, files_.path(file)).whole(key, -1);
      if (id < 0 || id >= std::ssize(models_.target->tokens())) continue;
      std::string_view code = models_.target->tokens()[static_cast<size_t>(id)];
      if (code.size() < 2 * family_.mark.size()) continue;
      code.remove_prefix(family_.mark.size());
      code.remove_suffix(family_.mark.size());
      const auto known = std::find(languages_.begin(), languages_.end(), code);
      if (known != languages_.end()) return *known;
    }
    return {};
  }

  int32_t role(const TokenModel& model, const std::string& key, const std::string& usual) const {
    const std::string spelling = folder_.special.spelling(key, usual);
    if (const AddedToken* token = model.added().find(spelling)) return token->id;
    const auto id = find_token(model.tokens(), spelling);
    return id ? *id : SpecialIds::kNone;
  }

  SpecialIds special_of(const TokenModel& model) const {
    const bool gpt = family_.name == "GPT-2";
    const std::string end = gpt ? "<|endoftext|>" : "</s>";
    SpecialIds ids{.pad = role(model, "pad_token", "<pad>"),
                   .begin = SpecialIds::kNone,
                   .end = role(model, "eos_token", end),
                   .unknown = role(model, "unk_token", gpt ? end : "<unk>")};
    if (ids.end == SpecialIds::kNone)
      throw GraphError(concat(files_.folder(), ": has no token '",
                              folder_.special.spelling("eos_token", end),
                              "' for the end of a text"));
    if (ids.unknown == ids.end) ids.unknown = SpecialIds::kNone;
    ids.begin = family_.starts_with_pad && ids.pad != SpecialIds::kNone ? ids.pad : ids.end;
    if (family_.language == LanguagePlace::behind && !target_.empty())
      ids.begin = language(target_);
    return ids;
  }

  Frame frame(const std::vector<int32_t>& end, const std::string& code) const {
    if (family_.language != LanguagePlace::none) {
      const bool behind = family_.language == LanguagePlace::behind ||
                          folder_.object().flag("legacy_behaviour", false);
      Frame f{.behind = end};
      if (!code.empty()) (behind ? f.behind : f.before).push_back(language(code));
      return f;
    }
    if (models_.frame) return *models_.frame;
    return {.behind = end, .once = family_.ends_once};
  }

  Tokenizer side(const std::string& name, const std::shared_ptr<const TokenModel>& model,
                 Frame frame, int64_t rows, const SpecialIds& special) const {
    Origin origin{.files = shared_, .options = options_, .side = name};
    origin.options.source_language = source_;
    origin.options.target_language = target_;
    std::vector<std::string> tokens = model->tokens();
    if (rows > 0) tokens.resize(static_cast<size_t>(rows));
    for (const int32_t id : {special.pad, special.begin, special.end, special.unknown})
      if (id >= std::ssize(tokens))
        throw GraphError(concat(files_.folder(), ": its special token ", id, " is none of the ",
                                tokens.size(), " rows for ", name, " tokens"));
    return {Vocabulary::from_published(std::move(tokens), files_.folder(), special),
            std::make_shared<const PublishedCodec>(model, std::move(frame), rows, origin)};
  }

  std::shared_ptr<const ModelFiles> shared_;
  const ModelFiles& files_;
  const PublishedOptions& options_;
  const Family& family_;
  FolderSettings folder_{.files = files_, .config = Json::object(), .special = {}};
  TokenModels models_;
  std::vector<std::string> languages_;
  std::string source_, target_;
};

}  // namespace
}  // namespace published

PublishedTokenizers open_published_tokenizers(const std::string& folder,
                                              const PublishedOptions& options) {
  return published::Opened(std::make_shared<const published::ModelFiles>(folder), options)
      .tokenizers();
}

bool have_languages(const std::string& folder) {
  return published::family_of(published::ModelFiles(folder)).language !=
         published::LanguagePlace::none;
}

Tokenizer read_published_tokenizer(const std::string& text, const std::string& name) {
  using published::Json;
  const Json json = published::parse_json(text, name);
  const published::JsonObject object(json, name);
  if (object.whole("format") != 1) object.fail("is of a later version");
  const auto numbers = [&](const std::string& key, size_t count) {
    std::vector<int64_t> list;
    for (const Json& n : object.at(key))
      if (n.is_number_integer()) list.push_back(n.get<int64_t>());
    if (list.size() != count)
      object.fail(ir::concat("has other \"", key, "\" than ", count, " numbers"));
    return list;
  };
  constexpr int64_t kMostRows = int64_t{1} << 24;
  const auto special = [&](int64_t size) -> SpecialIds {
    const auto ids = numbers("special", 4);
    for (const int64_t id : ids)
      if (id < SpecialIds::kNone || id >= size)
        object.fail(ir::concat("has the special token ", id, " among ", size, " tokens"));
    return {.pad = static_cast<int32_t>(ids[0]),
            .begin = static_cast<int32_t>(ids[1]),
            .end = static_cast<int32_t>(ids[2]),
            .unknown = static_cast<int32_t>(ids[3]),
            .all_produced = object.flag("all_produced")};
  };
  if (object.find("numbers") != nullptr) {
    const int64_t size = object.whole("numbers");
    if (size < 1 || size > kMostRows) object.fail(ir::concat("has ", size, " numbers"));
    return published::numbers(size, special(size));
  }
  auto files =
      std::make_shared<const published::ModelFiles>(published::ModelFiles::parse(text, name));
  PublishedOptions options{.source_language = object.text("source_language"),
                           .target_language = object.text("target_language")};
  const auto rows = numbers("rows", 2);
  for (const int64_t n : rows)
    if (n < 0 || n > kMostRows) object.fail(ir::concat("has ", n, " rows"));
  options.source_rows = rows[0];
  options.target_rows = rows[1];
  const std::string side = object.text("side");
  const PublishedTokenizers t = published::Opened(std::move(files), options).tokenizers();
  const Tokenizer& tokenizer = side == "source" ? t.source : t.target;
  return tokenizer.with_special(special(tokenizer.size()));
}

}  // namespace weft::data
