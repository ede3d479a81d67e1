// tests/data/published_tokenizers_test.cpp -- tokenisers of folders of a model hub.
//
// `oracle/spm` and `oracle/bpe` are looked for in $WEFT_SHARED, else in ../shared beside the project.
#include "models/data/published/published_tokenizers.h"

#include "ir/error.h"
#include "models/data/published/model_files.h"
#include "models/data/published/sentencepiece_ids.h"
#include "models/data/published/text_steps.h"
#include "models/data/published/tokenizer_json.h"
#include "models/data/published/unicode.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <set>

namespace weft::data {
namespace {

namespace fs = std::filesystem;
using published::Json;
using tests::message_of;
using tests::TemporaryFolder;
using Ids = std::vector<int32_t>;
using Texts = std::vector<std::string>;

// The oracle's folder, or nothing where it is not there.
std::optional<fs::path> oracle(const std::string& name) {
  const char* named = std::getenv("WEFT_SHARED");
  const fs::path folder =
      (named != nullptr ? fs::path(named) : fs::path(WEFT_SOURCE_DIR).parent_path() / "shared") /
      "oracle" / name;
  if (fs::exists(folder)) return folder;
  MESSAGE("skipped: there is no oracle/" << name << "; WEFT_SHARED can name the folder it is in");
  return std::nullopt;
}

Json json_of(const fs::path& path) {
  std::ifstream file(path);
  return Json::parse(file);
}

// A SentencePiece model learnt here, of 80 pieces: <pad>, <s>, </s>, <unk>, the rest.
const Subwords& little_model() {
  static const Subwords model = [] {
    Texts sentences;
    for (int i = 0; i < 60; ++i) {
      sentences.push_back("the lower tower is newer than the lowest tower " +
                          std::to_string(i % 7));
      sentences.push_back("a slow flower grows where the wind blows " + std::to_string(i % 5));
      const Texts parts{"ba", "do", "li", "mu", "ke", "ra", "so", "fi"};
      sentences.push_back(parts[i % 8] + parts[i / 3 % 8] + " " + parts[i % 5] + parts[i % 7]);
    }
    return Subwords::train({.kind = SubwordKind::unigram, .size = 80, .byte_fallback = false},
                           [&, i = size_t{0}]() mutable -> std::optional<std::string> {
                             return i < sentences.size() ? std::optional(sentences[i++])
                                                         : std::nullopt;
                           });
  }();
  return model;
}

std::string path_of(const TemporaryFolder& folder) {
  std::string path = folder / "";
  path.pop_back();  // the slash
  return path;
}

std::string message(const TemporaryFolder& folder, const PublishedOptions& options = {}) {
  const std::string text =
      message_of<ir::GraphError>([&] { open_published_tokenizers(path_of(folder), options); });
  CAPTURE(text);
  CHECK((text.empty() || text.starts_with(path_of(folder))));
  CHECK(text.find('\n') == std::string::npos);
  return text.substr(std::min(text.size(), (path_of(folder)).size()));
}

void check_reads_back(const Tokenizer& t, const std::string& text) {
  const TemporaryFolder folder;
  const std::string path = folder / "source.tokens";
  t.save(path);
  const Tokenizer again = Tokenizer::load(TokenizerKind::published, path);
  CHECK(again == t);
  CHECK(again.digest() == t.digest());
  CHECK(again.encode(text) == t.encode(text));
}

TEST_CASE(
    "published tokenisers: T5's has SentencePiece's ids, and sentinels behind them, the last "
    "first") {
  const auto spm = oracle("spm");
  if (!spm) return;
  const TemporaryFolder folder;
  fs::copy(*spm / "t5like_unigram800.model", folder / "spiece.model");
  folder.file("tokenizer_config.json", R"({"tokenizer_class": "T5Tokenizer", "extra_ids": 10})");
  const PublishedTokenizers t = open_published_tokenizers(path_of(folder));
  CHECK(t.family == "T5");
  CHECK(t.source.size() == 810);
  CHECK(t.target.special() == SpecialIds{.pad = 0, .begin = 0, .end = 1, .unknown = 2});
  const Json all = json_of(*spm / "t5like_unigram800.cases.json");
  int compared = 0;
  for (const Json& c : all["cases"]) {
    const auto text = c["text"].get<std::string>();
    // Special tokens that a text spells are special tokens.
    if (text.find('<') != text.npos) continue;
    CAPTURE(text);
    auto ids = c["ids"].get<Ids>();
    CHECK(t.target.encode(text) == ids);
    const bool known = std::find(ids.begin(), ids.end(), 2) == ids.end();
    ids.push_back(1);
    CHECK(t.source.encode(text) == ids);
    const std::string decoded = c["decoded"];
    if (known) CHECK(t.target.decode(ids) == published::stripped(decoded, true, true));
    compared += known;
  }
  CHECK(compared > 50);
  CHECK(t.source.encode("<extra_id_0>") == Ids{809, 1});
  CHECK(t.source.encode("<extra_id_9></s>") == Ids{800, 1});
  CHECK(t.target.decode(Ids{0, 809, 4, 1}) == t.target.decode(Ids{4}));
}

TEST_CASE(
    "published tokenisers: byte-level BPE gives GPT-2's and BART's ids and text, from either "
    "files") {
  const auto bpe = oracle("bpe");
  if (!bpe) return;
  for (const std::string name : {"bart", "gpt2"}) {
    const Json all = json_of(*bpe / name / "cases.json");
    for (const Texts& files : {Texts{"vocab.json", "merges.txt"}, Texts{"tokenizer.json"},
                               Texts{"vocab.json", "merges.txt", "tokenizer.json"}}) {
      const TemporaryFolder folder;
      for (const std::string& file : files) fs::copy(*bpe / name / file, folder / file);
      fs::copy(*bpe / name / "tokenizer_config.json", folder / "tokenizer_config.json");
      CAPTURE(name);
      CAPTURE(files.size());
      CAPTURE(files[0]);
      const PublishedTokenizers t = open_published_tokenizers(path_of(folder));
      CHECK(t.source.size() == all["vocab_size"].get<int64_t>());
      CHECK(t.longest == 1024);
      for (const Json& c : all["cases"]) {
        const auto text = c["text"].get<std::string>();
        CAPTURE(text);
        const auto ids = c["ids_with_special"].get<Ids>();
        CHECK(t.source.encode(text) == ids);
        CHECK(t.source.decode(ids) == c["decoded_skip_special"].get<std::string>());
        if (name == "gpt2") CHECK(t.source.pieces(text) == c["tokens"].get<Texts>());
      }
      for (const Json& c : all["decode_only"])
        CHECK(t.source.decode(c["ids"].get<Ids>()) == c["decoded_skip_special"].get<std::string>());
      check_reads_back(t.source, "Two young, White males.");
    }
  }
}

TEST_CASE("published tokenisers: BART's pairs, and a space in front where one is asked for") {
  const auto bpe = oracle("bpe");
  if (!bpe) return;
  const Json all = json_of(*bpe / "bart/cases.json");
  const auto made = published::read_tokenizer_json(json_of(*bpe / "bart/tokenizer.json"),
                                                   "tokenizer.json", std::nullopt, false);
  const auto ids_of = [](const published::TokenModel& model, const std::string& text) {
    Ids ids;
    for (const auto& piece : model.encode(text)) ids.push_back(piece.id);
    return ids;
  };
  for (const std::string list : {"cases", "decode_only"})
    for (const Json& c : all[list])
      CHECK(made.model->decode(c["ids"].get<Ids>(), false) == c["decoded"].get<std::string>());
  for (const Json& c : all["pairs"])
    CHECK(made.around.around(ids_of(*made.model, c["a"]), ids_of(*made.model, c["b"])) ==
          c["ids"].get<Ids>());
  const auto spaced = published::read_tokenizer_json(json_of(*bpe / "bart/tokenizer.json"),
                                                     "tokenizer.json", true, false);
  for (const Json& c : all["add_prefix_space"]) {
    const auto text = c["text"].get<std::string>();
    CAPTURE(text);
    CHECK(ids_of(*spaced.model, text) ==
          (c.contains("ids_rust") ? c["ids_rust"] : c["ids"]).get<Ids>());
  }
}

TEST_CASE(
    "published tokenisers: Marian's pieces have the ids of vocab.json, languages stand in front") {
  const TemporaryFolder folder;
  const Subwords& spm = little_model();
  folder.file("source.spm", spm.bytes());
  folder.file("target.spm", spm.bytes());
  Json vocab{{"</s>", 0}, {"<unk>", 1}, {">>deu<<", 2}};
  for (int32_t i = 4; i < spm.size(); ++i) vocab[spm.piece(i)] = 83 - i;
  constexpr int32_t pad = 80;
  vocab["<pad>"] = pad;
  folder.file("vocab.json", vocab.dump());
  folder.file("config.json", R"({"model_type": "marian"})");
  const PublishedTokenizers t = open_published_tokenizers(path_of(folder));
  CHECK(t.family == "Marian");
  CHECK(t.target.special() == SpecialIds{.pad = pad, .begin = pad, .end = 0, .unknown = 1});
  Ids expected;
  for (const int32_t id : spm.encode("the tower")) expected.push_back(83 - id);
  CHECK(t.target.encode("the tower") == expected);
  CHECK(t.target.decode(expected) == "the tower");
  expected.push_back(0);
  CHECK(t.source.encode("the tower") == expected);
  expected.insert(expected.begin(), 2);
  CHECK(t.source.encode(">>deu<< the tower") == expected);
  CHECK(t.source.pieces(">>deu<< the tower").front() == ">>deu<<");
  CHECK(t.source.encode(">>xyz<<") == Ids{1, 0});
  CHECK(t.source.unknown("the \xE6\x97\xA5") == Texts{"\xE6\x97\xA5"});
  CHECK(t.target.decode(Ids{pad, expected[1], 0, pad}) == t.target.decode(Ids{expected[1]}));
  check_reads_back(t.source, "a slow flower");
  CHECK(t.files == Texts{"config.json", "source.spm", "target.spm", "vocab.json"});

  folder.file("vocab.json", R"({"</s>": 0, "<unk>": 1, "a": 1})");
  CHECK(message(folder) == "/vocab.json: \"a\" and \"<unk>\" both have id 1");
  folder.file("vocab.json", R"({"</s>": 0, "<unk>": 999999999})");
  CHECK(message(folder).starts_with("/vocab.json: \"<unk>\": 999999999 is no id"));
  folder.file("vocab.json", R"({"</s>": 0, "<unk>": 1, "zzz": 2})");
  CHECK(message(folder).find("has none of the pieces of") != std::string::npos);
  fs::remove(folder / "target.spm");
  CHECK(message(folder) ==
        ": has no target.spm, which the tokeniser of Marian needs, nor a tokenizer.json");
}

TEST_CASE("published tokenisers: Pegasus's ids are shifted, and what fills the gap is special") {
  const auto spm = oracle("spm");
  if (!spm) return;
  const TemporaryFolder folder;
  fs::copy(*spm / "t5like_unigram800.model", folder / "spiece.model");
  folder.file("config.json", R"({"model_type": "pegasus"})");
  const PublishedTokenizers t = open_published_tokenizers(path_of(folder));
  CHECK(t.family == "Pegasus");
  CHECK(t.target.size() == 903);
  CHECK(t.target.special() == SpecialIds{.pad = 0, .begin = 0, .end = 1, .unknown = 105});
  Ids ids = Subwords::load(folder / "spiece.model").encode("the young men");
  for (int32_t& id : ids) id += 103;
  CHECK(t.target.encode("the young men") == ids);
  CHECK(t.source.encode("<mask_1><mask_2><unk_2><unk_102>") == Ids{2, 3, 4, 104, 1});
  CHECK(t.target.decode(ids) == "the young men");
}

// Ids as fairseq has them: those of SentencePiece, one further, but for the first four.
std::string fairseq_folder(const TemporaryFolder& folder, const std::string& config) {
  const auto spm = oracle("spm");
  if (!spm) return {};
  fs::remove(folder / "sentencepiece.bpe.model");
  fs::copy(*spm / "bpe600.model", folder / "sentencepiece.bpe.model");
  folder.file("tokenizer_config.json", config);
  return path_of(folder);
}

TEST_CASE(
    "published tokenisers: mBART's languages stand behind a text, those of its successors before") {
  const TemporaryFolder folder;
  const std::string path = fairseq_folder(folder, R"({"tokenizer_class": "MBartTokenizer"})");
  if (path.empty()) return;
  Ids ids = Subwords::load(folder / "sentencepiece.bpe.model").encode("the young men");
  for (int32_t& id : ids) id = id == 0 ? 3 : id + 1;
  const auto around = [&](const Ids& before, const Ids& behind) {
    Ids all = before;
    all.insert(all.end(), ids.begin(), ids.end());
    all.insert(all.end(), behind.begin(), behind.end());
    return all;
  };
  const PublishedTokenizers m = open_published_tokenizers(path, {.target_language = "ro_RO"});
  CHECK(m.family == "mBART-25");
  CHECK(m.languages.size() == 25);
  CHECK(m.source_language == "en_XX");
  CHECK(m.source.encode("the young men") == around({}, {2, 601 + 3}));
  CHECK(m.target.encode("the young men") == ids);
  CHECK(m.target.special() == SpecialIds{.pad = 1, .begin = 601 + 19, .end = 2, .unknown = 3});
  CHECK(!m.first);
  CHECK(m.target.decode(around({601 + 19}, {2, 601 + 19})) == "the young men");
  CHECK(m.source.encode("the <mask>").back() == 601 + 3);
  CHECK(m.source.encode("<mask>") == Ids{601 + 25, 2, 601 + 3});
  CHECK(open_published_tokenizers(path).target_language.empty());
  CHECK(message(folder, {.target_language = "de"}) ==
        ": has no language 'de'; it has de_DE and 24 more");
  check_reads_back(m.source, "the young men");

  folder.file("config.json", R"({"decoder_start_token_id": 604})");
  CHECK(open_published_tokenizers(path).target_language == "en_XX");

  fairseq_folder(folder, R"({"tokenizer_class": "MBart50Tokenizer", "tgt_lang": "sl_SI"})");
  const PublishedTokenizers m50 = open_published_tokenizers(path, {.source_language = "de_DE"});
  CHECK(m50.source.encode("the young men") == around({601 + 2}, {2}));
  CHECK(m50.target.encode("the young men") == around({601 + 51}, {}));
  CHECK(m50.first == 601 + 51);
  CHECK(m50.target.special().begin == 2);

  fairseq_folder(folder, R"({"tokenizer_class": "NllbTokenizer"})");
  const PublishedTokenizers n = open_published_tokenizers(
      path, {.source_language = "deu_Latn", .target_language = "zul_Latn"});
  CHECK(n.languages.size() == 202);
  CHECK(n.source.encode("the young men") == around({601 + 41}, {2}));
  CHECK(n.first == 601 + 201);
  CHECK(n.target.decode(n.target.encode("the young men")) == "the young men");
  fairseq_folder(folder,
                 R"({"tokenizer_class": "NllbTokenizer", "legacy_behaviour": true, "src_lang": "b",
                     "additional_special_tokens": ["a", "b"]})");
  CHECK(open_published_tokenizers(path).source.encode("the young men") == around({}, {2, 602}));
}

TEST_CASE("published tokenisers: M2M-100 has the ids of vocab.json, then its languages") {
  const TemporaryFolder folder;
  const Subwords& spm = little_model();
  folder.file("sentencepiece.bpe.model", spm.bytes());
  Json vocab{{"<s>", 0}, {"<pad>", 1}, {"</s>", 2}, {"<unk>", 3}};
  for (int32_t i = 4; i < spm.size(); ++i) vocab[spm.piece(i)] = 83 - i;
  folder.file("vocab.json", vocab.dump());
  folder.file("config.json", R"({"model_type": "m2m_100", "forced_bos_token_id": 82})");
  const PublishedTokenizers t =
      open_published_tokenizers(path_of(folder), {.source_language = "de"});
  CHECK(t.target.size() == 80 + 100 + 8);
  CHECK(t.target_language == "ar");
  CHECK(t.first == 82);
  Ids ids{80 + 16};
  for (const int32_t id : spm.encode("the tower")) ids.push_back(83 - id);
  ids.push_back(2);
  CHECK(t.source.encode("the tower") == ids);
  CHECK(t.source.decode(ids) == "the tower");
  CHECK(t.target.special() == SpecialIds{.pad = 1, .begin = 2, .end = 2, .unknown = 3});
}

TEST_CASE("published tokenisers: a model with other rows than tokens, and other special ids") {
  const TemporaryFolder folder;
  folder.file("spiece.model", little_model().bytes());
  folder.file("config.json", R"({"model_type": "t5"})");
  const PublishedTokenizers t =
      open_published_tokenizers(path_of(folder), {.source_rows = 256, .target_rows = 150});
  CHECK(t.source.size() == 256);
  CHECK(t.source.encode("<extra_id_0>") == Ids{179, 2});
  CHECK(t.target.size() == 150);
  CHECK(message_of<ir::GraphError>([&] { t.target.encode("<extra_id_0>"); }) ==
        "holds '<extra_id_0>', token 179, and the model has 150 rows for tokens");
  CHECK(t.source.decode(Ids{255, 7}) == t.source.decode(Ids{7}));
  SpecialIds other = t.target.special();
  other.begin = 5;
  other.all_produced = true;
  const Tokenizer renamed = t.target.with_special(other);
  CHECK(renamed.special().begin == 5);
  CHECK(renamed != t.target);
  check_reads_back(renamed, "the tower");
}

TEST_CASE("published tokenisers: a text behind a sentinel begins no word where `legacy` is false") {
  const TemporaryFolder folder;
  const Subwords& spm = little_model();
  folder.file("spiece.model", spm.bytes());
  const auto second = [&](const std::string& legacy) {
    folder.file("tokenizer_config.json",
                R"({"tokenizer_class": "T5Tokenizer", "legacy": )" + legacy + "}");
    return open_published_tokenizers(path_of(folder)).source.pieces("<extra_id_0>tower").at(1);
  };
  CHECK(second("true").starts_with("\u2581"));
  CHECK(!second("false").starts_with("\u2581"));
}

TEST_CASE("published tokenisers: other pieces of a text are drawn, special tokens around it stay") {
  const TemporaryFolder folder;
  folder.file("spiece.model", little_model().bytes());
  folder.file("config.json", R"({"model_type": "t5"})");
  const Tokenizer t = open_published_tokenizers(path_of(folder)).source;
  const Ids ids = t.encode("the lowest tower grows");
  Random random(1);
  std::set<Ids> drawn;
  for (int i = 0; i < 20; ++i) {
    const Ids other = t.resample(ids, 0.1, 64, random);
    CHECK(other.back() == ids.back());
    CHECK(t.decode(other) == t.decode(ids));
    drawn.insert(other);
  }
  CHECK(drawn.size() > 3);
}

TEST_CASE("published tokenisers: what folders lack or contradict is said in one line") {
  const TemporaryFolder folder;
  CHECK(message(folder).find("neither tokenizer_config.json nor config.json says") !=
        std::string::npos);
  folder.file("config.json", R"({"model_type": "t5", "tokenizer_class": "ByT5Tokenizer"})");
  CHECK(message(folder) ==
        "/config.json: names the tokeniser ByT5Tokenizer, which is not known here, "
        "and there is no tokenizer.json");
  folder.file("config.json", R"({"model_type": "t5"})");
  CHECK(message(folder) ==
        ": has no spiece.model, which the tokeniser of T5 needs, nor a tokenizer.json");
  folder.file("spiece.model", "no model");
  CHECK(message(folder) == "/spiece.model: is not a SentencePiece model");
  folder.file("spiece.model", little_model().bytes());
  const auto with = [&](const std::string& name, const std::string& content) {
    folder.file(name, content);
    const std::string text = message(folder);
    fs::remove(folder / name);
    return text;
  };
  CHECK(with("tokenizer_config.json", "[]") == "/tokenizer_config.json: is not an object");
  CHECK(with("tokenizer_config.json", "{\"a\": 1, \"a\": 2}") ==
        "/tokenizer_config.json: has \"a\" twice");
  CHECK(with("tokenizer_config.json", "{\"a\": NaN}")
            .starts_with("/tokenizer_config.json: is not JSON: parse error at line 1"));
  CHECK(with("tokenizer_config.json", std::string(100'000, '[')) ==
        "/tokenizer_config.json: is nested deeper than 64 levels");
  CHECK(with("tokenizer_config.json", R"({"extra_ids": -1})") ==
        "/tokenizer_config.json: has -1 \"extra_ids\", 0 to 100000 are possible");
  CHECK(with("tokenizer_config.json", R"({"eos_token": 3})") ==
        "/tokenizer_config.json: eos_token: is not an object");
  CHECK(with("tokenizer_config.json", R"({"do_lower_case": true})") ==
        "/tokenizer_config.json: sets \"do_lower_case\", which is not done here");
  CHECK(with("tokenizer_config.json", R"({"eos_token": "<end>", "extra_ids": 0})") == "");
  CHECK(with("added_tokens.json", R"({"new": 7})").find("says that id 7 is 'new'") !=
        std::string::npos);
  CHECK(with("added_tokens.json", R"({"new": 1e30})").find("is no id") != std::string::npos);
  folder.file("tokenizer_config.json", R"({"eos_token": "</s>"})");
  CHECK(with("special_tokens_map.json", R"({"eos_token": "<s>"})") ==
        "/special_tokens_map.json: says that eos_token is '<s>', tokenizer_config.json that it is "
        "'</s>'");
}

}  // namespace
}  // namespace weft::data
