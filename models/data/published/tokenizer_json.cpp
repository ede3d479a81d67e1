// models/data/published/tokenizer_json.cpp -- the file, part by part; running the steps.
#include "models/data/published/tokenizer_json.h"

#include "ir/error.h"
#include "models/data/published/family.h"
#include "models/data/published/sentencepiece_ids.h"
#include "models/data/published/unicode.h"
#include "models/data/published/unigram_model.h"

#include <algorithm>
#include <utility>

namespace weft::data::published {
namespace {

using ir::concat;
using ir::GraphError;

class StepModel final : public TokenModel {
 public:
  explicit StepModel(StepSettings settings) : s_(std::move(settings)), tokens_(s_.model->tokens()) {
    s_.added.prepare(s_.normalizer);
    for (const auto& [id, token] : s_.added.by_id()) {
      if (std::cmp_less_equal(tokens_.size(), id)) tokens_.resize(static_cast<size_t>(id) + 1);
      tokens_[static_cast<size_t>(id)] = token.content;
    }
  }

  std::vector<Piece> encode(std::string_view text) const override {
    return encode(text, [&](std::string_view word) { return s_.model->cut(word); });
  }

  std::string decode(std::span<const int32_t> ids, bool skip_special) const override {
    std::vector<std::string> tokens;
    for (const int32_t id : ids) {
      if (id < 0 || std::cmp_greater_equal(id, tokens_.size())) continue;
      if (skip_special && is_special(id)) continue;
      if (!tokens_[static_cast<size_t>(id)].empty())
        tokens.push_back(tokens_[static_cast<size_t>(id)]);
    }
    std::string text;
    if (s_.decoder) {
      for (const std::string& part : s_.decoder(std::move(tokens))) text += part;
    } else {
      for (size_t i = 0; i < tokens.size(); ++i) text += (i > 0 ? " " : "") + tokens[i];
    }
    return s_.clean_up ? cleaned_up(std::move(text)) : text;
  }

  std::vector<int32_t> resample(std::span<const int32_t> ids, double alpha, int64_t,
                                Random& random) const override {
    const std::string text = decode(ids, false);
    std::vector<int32_t> result;
    for (const Piece& piece :
         encode(text, [&](std::string_view word) { return s_.model->sample(word, alpha, random); }))
      result.push_back(piece.id);
    // What ids do not tell (spaces that a decoder drops) would make another text of it.
    return decode(result, false) == text ? result : std::vector<int32_t>(ids.begin(), ids.end());
  }

  const std::vector<std::string>& tokens() const override { return tokens_; }
  const AddedTokens& added() const override { return s_.added; }

 private:
  template <typename CutWord>
  std::vector<Piece> encode(std::string_view text, const CutWord& cut) const {
    const std::string clean = well_formed(text);
    std::vector<Piece> pieces;
    const auto add = [&](const AddedToken& token) { pieces.push_back({token.id, token.content}); };
    for (const auto& raw : s_.added.split(clean, false)) {
      if (raw.token != nullptr) {
        add(*raw.token);
        continue;
      }
      const std::string normal = s_.normalizer(raw.text);
      for (const auto& segment : s_.added.split(normal, true)) {
        if (segment.token != nullptr) {
          add(*segment.token);
          continue;
        }
        std::vector<Word> words{{std::string(segment.text), raw.first && segment.first}};
        for (const Word& word : s_.pre_tokenizer(std::move(words)))
          add_word(word.text, cut, pieces);
      }
    }
    return pieces;
  }

  template <typename CutWord>
  void add_word(const std::string& word, const CutWord& cut, std::vector<Piece>& pieces) const {
    size_t at = 0;
    for (const auto& [id, bytes] : cut(word)) {
      const bool known = id != s_.model->unknown().value_or(-1);
      pieces.push_back({id, known ? tokens_[static_cast<size_t>(id)] : word.substr(at, bytes)});
      at += bytes;
    }
  }

  StepSettings s_;
  std::vector<std::string> tokens_;
};

std::pair<std::string, std::string> merge_of(const std::string& line, const std::string& where) {
  const size_t space = line.find(' ');
  if (space == line.npos || space == 0 || space + 1 == line.size() ||
      line.find(' ', space + 1) != line.npos)
    throw GraphError(concat(where, ": '", line.substr(0, 80), "' is no merge of two tokens"));
  return {line.substr(0, space), line.substr(space + 1)};
}

std::unique_ptr<const WordModel> bpe_of(const JsonObject& model) {
  BpeSettings s;
  s.tokens = vocabulary_of(model.at("vocab"), model.where() + ": vocab");
  const std::string where = model.where() + ": merges";
  const Json& merges = model.at("merges");
  if (!merges.is_array()) throw GraphError(where + " are no list");
  for (const Json& merge : merges) {
    if (merge.is_string()) {
      s.merges.push_back(merge_of(merge.get<std::string>(), where));
      continue;
    }
    if (!merge.is_array() || merge.size() != 2 || !merge[0].is_string() || !merge[1].is_string())
      throw GraphError(
          concat(where, ": ", merge.dump().substr(0, 80), " is no merge of two tokens"));
    s.merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
  }
  if (const Json* dropout = model.find("dropout"); dropout != nullptr && *dropout != 0.0)
    model.fail("sets \"dropout\", with which no text has ids of its own");
  if (model.find("unk_token") != nullptr) s.unknown = model.text("unk_token");
  s.prefix = model.text("continuing_subword_prefix", "");
  s.suffix = model.text("end_of_word_suffix", "");
  s.fuse_unknown = model.flag("fuse_unk", false);
  s.byte_fallback = model.flag("byte_fallback", false);
  s.ignore_merges = model.flag("ignore_merges", false);
  model.finish();
  return bpe_model(s, model.where());
}

std::unique_ptr<const WordModel> unigram_of(const JsonObject& model) {
  UnigramSettings s;
  const Json& pieces = model.at("vocab");
  if (!pieces.is_array()) model.fail("has a \"vocab\" that is no list");
  for (const Json& piece : pieces) {
    if (!piece.is_array() || piece.size() != 2 || !piece[0].is_string() || !piece[1].is_number())
      model.fail(concat("has ", piece.dump().substr(0, 80), ", which is no piece and its score"));
    s.pieces.emplace_back(piece[0].get<std::string>(), piece[1].get<double>());
  }
  if (model.find("unk_id") != nullptr) s.unknown = model.whole("unk_id");
  s.byte_fallback = model.flag("byte_fallback", false);
  model.finish();
  return unigram_model(std::move(s), model.where());
}

AddedTokens added_of(const JsonObject& file, const std::vector<std::string>& tokens) {
  AddedTokens added;
  const Json* list = file.find("added_tokens");
  if (list == nullptr) return added;
  if (!list->is_array()) file.fail("has \"added_tokens\" that are no list");
  for (const Json& entry : *list) {
    const JsonObject object(entry, file.where() + ": added_tokens");
    AddedToken token{.content = object.text("content"),
                     .id = token_id(object.at("id"), object.where()),
                     .single_word = object.flag("single_word", false),
                     .lstrip = object.flag("lstrip", false),
                     .rstrip = object.flag("rstrip", false),
                     .normalized = object.flag("normalized", false),
                     .special = object.flag("special", false)};
    object.finish();
    const auto at = static_cast<size_t>(token.id);
    if (token.content.empty()) object.fail("has an empty token");
    if (at > 2 * tokens.size() + 4096)
      object.fail(concat("gives '", token.content, "' id ", at, ", far behind the ", tokens.size(),
                         " tokens there are"));
    if (at < tokens.size() && !tokens[at].empty() && tokens[at] != token.content)
      object.fail(concat("says that id ", at, " is '", token.content, "', the model that it is '",
                         tokens[at], "'"));
    if (const auto id = find_token(tokens, token.content); id && *id != token.id)
      object.fail(concat("gives '", token.content, "' id ", token.id, ", the model id ", *id));
    if (added.find(token.id) != nullptr || added.find(token.content) != nullptr)
      object.fail(concat("has '", token.content, "' or its id ", token.id, " twice"));
    added.add(std::move(token));
  }
  return added;
}

// ["</s>", 2]
int32_t named_id(const JsonObject& step, const std::string& key) {
  const Json& pair = step.at(key);
  if (!pair.is_array() || pair.size() != 2)
    step.fail(concat("has a \"", key, "\" that is no token and its id"));
  return token_id(pair[1], concat(step.where(), ": ", key));
}

std::vector<int32_t> template_of(const JsonObject& step, const std::string& key) {
  const Json& list = step.at(key);
  if (!list.is_array()) step.fail(concat("has a \"", key, "\" that is no list"));
  std::vector<int32_t> ids;
  for (const Json& entry : list) {
    const JsonObject item(entry, concat(step.where(), ": ", key));
    const bool is_text = item.find("Sequence") != nullptr;
    const JsonObject what = item.object(is_text ? "Sequence" : "SpecialToken");
    item.finish();
    const std::string id = what.text("id");
    what.pass("type_id");
    what.finish();
    if (is_text) {
      if (id != "A" && id != "B") what.fail("is of neither A nor B");
      ids.push_back(id == "A" ? Template::kA : Template::kB);
      continue;
    }
    const JsonObject token = step.object("special_tokens").object(id);
    for (const Json& one : token.at("ids")) ids.push_back(token_id(one, token.where()));
  }
  return ids;
}

Template post_processor_of(const Json& json, const std::string& where) {
  if (json.is_null()) return {};
  const JsonObject step(json, where);
  const std::string type = step.text("type");
  Template made;
  if (type == "TemplateProcessing") {
    made = {.single = template_of(step, "single"), .pair = template_of(step, "pair")};
    step.pass("special_tokens");
    if (std::count(made.single.begin(), made.single.end(), Template::kA) != 1 ||
        std::count(made.single.begin(), made.single.end(), Template::kB) != 0)
      step.fail("has a \"single\" that does not hold the one text once");
  } else if (type == "RobertaProcessing" || type == "BertProcessing") {
    const int32_t sep = named_id(step, "sep"), cls = named_id(step, "cls");
    made = {.single = {cls, Template::kA, sep},
            .pair = {cls, Template::kA, sep, Template::kB, sep}};
    if (type == "RobertaProcessing") made.pair = {cls, Template::kA, sep, sep, Template::kB, sep};
    step.pass("trim_offsets");
    step.pass("add_prefix_space");
  } else if (type == "ByteLevel") {
    for (const char* key : {"add_prefix_space", "trim_offsets", "use_regex"}) step.pass(key);
  } else if (type == "Sequence") {
    const Json& list = step.at("processors");
    if (!list.is_array()) step.fail("has \"processors\" that are no list");
    bool any = false;
    for (size_t i = 0; i < list.size(); ++i) {
      const Template one = post_processor_of(list[i], concat(where, " ", i + 1));
      if (one.single.size() == 1) continue;
      if (std::exchange(any, true)) step.fail("has two \"processors\" that add special tokens");
      made = one;
    }
  } else {
    step.fail(
        concat("is '", type.substr(0, 40),
               "', which cannot be done; TemplateProcessing, RobertaProcessing, BertProcessing, "
               "ByteLevel and Sequence can"));
  }
  step.finish();
  return made;
}

// The same with another "add_prefix_space" of ByteLevel, wherever it stands.
Json with_prefix_space(Json pre_tokenizer, bool prefix) {
  if (!pre_tokenizer.is_object()) return pre_tokenizer;
  if (pre_tokenizer.value("type", Json()) == "ByteLevel")
    pre_tokenizer["add_prefix_space"] = prefix;
  if (const auto list = pre_tokenizer.find("pretokenizers");
      list != pre_tokenizer.end() && list->is_array())
    for (Json& one : *list) one = with_prefix_space(std::move(one), prefix);
  return pre_tokenizer;
}

}  // namespace

std::shared_ptr<const TokenModel> step_model(StepSettings settings) {
  return std::make_shared<const StepModel>(std::move(settings));
}

std::unique_ptr<const WordModel> word_model_of(const Json& json, const std::string& where) {
  const JsonObject model(json, where);
  const std::string type = model.text("type", json.contains("merges")   ? "BPE"
                                              : json.contains("unk_id") ? "Unigram"
                                                                        : "");
  if (type == "BPE") return bpe_of(model);
  if (type == "Unigram") return unigram_of(model);
  model.fail(concat("is '", type.substr(0, 40), "', which cannot be done; BPE and Unigram can"));
}

Frame Template::frame() const {
  const auto text = std::find(single.begin(), single.end(), kA);
  return {.before = {single.begin(), text}, .behind = {text + 1, single.end()}};
}

std::vector<int32_t> Template::around(const std::vector<int32_t>& a,
                                      const std::vector<int32_t>& b) const {
  std::vector<int32_t> ids;
  for (const int32_t id : pair) {
    if (id == kA)
      ids.insert(ids.end(), a.begin(), a.end());
    else if (id == kB)
      ids.insert(ids.end(), b.begin(), b.end());
    else
      ids.push_back(id);
  }
  return ids;
}

StepTokenizer read_tokenizer_json(const Json& json, const std::string& path,
                                  std::optional<bool> add_prefix_space, bool clean_up) {
  const JsonObject file(json, path);
  for (const char* key : {"version", "truncation", "padding"}) file.pass(key);
  const auto part = [&](const std::string& key) {
    const Json* found = file.find(key);
    return found == nullptr ? Json() : *found;
  };
  StepSettings s;
  s.model = word_model_of(file.at("model"), path + ": model");
  s.added = added_of(file, s.model->tokens());
  s.normalizer = normalizer_of(part("normalizer"), path + ": normalizer");
  Json pre_tokenizer = part("pre_tokenizer");
  if (add_prefix_space)
    pre_tokenizer = with_prefix_space(std::move(pre_tokenizer), *add_prefix_space);
  s.pre_tokenizer = pre_tokenizer_of(pre_tokenizer, path + ": pre_tokenizer");
  s.decoder = decoder_of(part("decoder"), path + ": decoder");
  s.clean_up = clean_up;
  const Template around = post_processor_of(part("post_processor"), path + ": post_processor");
  file.finish();
  StepTokenizer made{.model = step_model(std::move(s)), .around = around};
  for (const std::vector<int32_t>* ids : {&around.single, &around.pair})
    for (const int32_t id : *ids)
      if (id >= std::ssize(made.model->tokens()))
        throw GraphError(concat(path, ": post_processor: has id ", id, " among ",
                                made.model->tokens().size(), " tokens"));
  return made;
}

StepTokenizer byte_level_tokenizer(std::vector<std::string> tokens, const std::string& merges,
                                   const std::string& merges_path, const AddedTokens& added,
                                   std::optional<std::string> unknown, bool add_prefix_space,
                                   bool clean_up) {
  BpeSettings bpe{.tokens = std::move(tokens), .unknown = std::move(unknown)};
  int64_t number = 0;
  for (size_t at = 0, end = 0; at < merges.size(); at = end + 1) {
    end = std::min(merges.find('\n', at), merges.size());
    std::string line = merges.substr(at, end - at);
    if (line.ends_with('\r')) line.pop_back();
    if (++number == 1 && line.starts_with("#version")) continue;
    if (!line.empty()) bpe.merges.push_back(merge_of(line, concat(merges_path, ":", number)));
  }
  const Json step{{"type", "ByteLevel"}, {"add_prefix_space", add_prefix_space}};
  StepSettings s{.added = added,
                 .normalizer = normalizer_of({}, {}),
                 .pre_tokenizer = pre_tokenizer_of(step, merges_path),
                 .model = bpe_model(bpe, merges_path),
                 .decoder = decoder_of(step, merges_path),
                 .clean_up = clean_up};
  return {.model = step_model(std::move(s)), .around = {}};
}

}  // namespace weft::data::published
