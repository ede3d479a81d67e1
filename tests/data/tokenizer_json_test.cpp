// tests/data/tokenizer_json_test.cpp -- the steps of tokenizer.json: known ones do what they say, others are refused.
#include "models/data/published/tokenizer_json.h"

#include "ir/error.h"
#include "models/data/published/byte_level.h"
#include "models/data/published/charsmap.h"
#include "models/data/published/model_files.h"
#include "models/data/published/text_steps.h"
#include "models/data/published/unigram_model.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <set>

namespace weft::data {
namespace {

using published::Json;
using tests::message_of;
using Ids = std::vector<int32_t>;
using Texts = std::vector<std::string>;

std::string refusal_of_json(const std::string& part, const std::string& value) {
  Json file = Json::parse(R"({"version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [], "normalizer": null, "pre_tokenizer": null, "post_processor": null,
    "decoder": null, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2},
                               "merges": ["a b"]}})");
  file[part] = Json::parse(value);
  return message_of<ir::GraphError>(
      [&] { published::read_tokenizer_json(file, "t.json", std::nullopt, false); });
}

TEST_CASE("tokenizer.json: what is not known is refused by its name") {
  CHECK(refusal_of_json("normalizer", "null").empty());
  CHECK(refusal_of_json("normalizer", R"({"type": "BertNormalizer"})")
            .starts_with(
                "t.json: normalizer: is 'BertNormalizer', which cannot be done; Sequence, "));
  CHECK(refusal_of_json("normalizer", R"({"type": "NFC", "secret": 1})") ==
        "t.json: normalizer: has \"secret\", which is not known here");
  CHECK(refusal_of_json("normalizer", R"({"type": "Sequence", "normalizers": [{"type": "Nmt"}]})")
            .starts_with("t.json: normalizer 1: is 'Nmt'"));
  CHECK(
      refusal_of_json("normalizer",
                      R"({"type": "Replace", "pattern": {"Regex": "("}, "content": ""})")
          .starts_with("t.json: normalizer: pattern: is a regular expression that cannot be read"));
  CHECK(
      refusal_of_json("normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "AAAA"})") ==
      "t.json: normalizer: precompiled_charsmap: is cut short");
  CHECK(refusal_of_json("pre_tokenizer", R"({"type": "BertPreTokenizer"})")
            .find("is 'BertPreTokenizer'") != std::string::npos);
  CHECK(refusal_of_json("decoder", R"({"type": "WordPiece"})").find("is 'WordPiece'") !=
        std::string::npos);
  CHECK(refusal_of_json("post_processor", R"({"type": "X"})").find("is 'X'") != std::string::npos);
  CHECK(refusal_of_json("model", R"({"type": "WordPiece", "vocab": {}})") ==
        "t.json: model: is 'WordPiece', which cannot be done; BPE and Unigram can");
  CHECK(refusal_of_json("model", R"({"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]})") ==
        "t.json: model: merge 1, 'a b', is of or into what is no token");
  CHECK(refusal_of_json("added_tokens", R"([{"id": 1, "content": "x"}])") ==
        "t.json: added_tokens: says that id 1 is 'x', the model that it is 'b'");
  CHECK(refusal_of_json("future", "1") == "t.json: has \"future\", which is not known here");
  CHECK(refusal_of_json("post_processor",
                        R"({"type": "TemplateProcessing", "single": [], "pair": [],
                            "special_tokens": {}})")
            .find("does not hold the one text once") != std::string::npos);
}

TEST_CASE("tokenizer.json: normalisers, pre-tokenisers and decoders do what their names say") {
  const auto normal = [](const std::string& json, const std::string& text) {
    return published::normalizer_of(Json::parse(json), "n")(text);
  };
  CHECK(normal(R"({"type": "NFKC"})", "\uFF21\u2460") == "A1");
  CHECK(normal(R"({"type": "NFD"})", "\u00E9") == "e\u0301");
  CHECK(normal(R"({"type": "Lowercase"})", "Z\u00DC\u03A3") == "z\u00FC\u03C3");
  CHECK(normal(R"({"type": "Strip", "strip_left": true, "strip_right": false})", " a ") == "a ");
  CHECK(normal(R"({"type": "StripAccents"})", "e\u0301") == "e");
  CHECK(normal(R"({"type": "Prepend", "prepend": "_"})", "a") == "_a");
  CHECK(normal(R"({"type": "Prepend", "prepend": "_"})", "").empty());
  CHECK(normal(R"({"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"})", "a b ") ==
        "a\u2581b\u2581");
  CHECK(normal(R"({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})",
               "\u00E4  b   \U0001F600    c d") == "\u00E4 b \U0001F600 c d");

  const auto words = [](const std::string& json, const std::string& text) {
    Texts found;
    for (const auto& w : published::pre_tokenizer_of(Json::parse(json), "p")({{text, true}}))
      found.push_back(w.text);
    return found;
  };
  const std::string metaspace = R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": )";
  CHECK(words(metaspace + "\"always\"}", "a  b ") == Texts{"_a", "_", "_b", "_"});
  CHECK(words(metaspace + "\"always\"}", " a") == Texts{"_a"});
  CHECK(words(metaspace + "\"never\"}", "a b") == Texts{"a", "_b"});
  CHECK(words(metaspace + "\"first\", \"split\": false}", "a b") == Texts{"_a_b"});
  CHECK(words(R"({"type": "WhitespaceSplit"})", " a\u00A0b\tc ") == Texts{"a", "b", "c"});
  const std::string split = R"({"type": "Split", "pattern": {"Regex": "-"}, "invert": false,
                                "behavior": )";
  CHECK(words(split + "\"Removed\"}", "a--b-") == Texts{"a", "b"});
  CHECK(words(split + "\"Isolated\"}", "a--b-") == Texts{"a", "-", "-", "b", "-"});
  CHECK(words(split + "\"MergedWithPrevious\"}", "a--b-") == Texts{"a-", "-", "b-"});
  CHECK(words(split + "\"MergedWithNext\"}", "a--b-") == Texts{"a", "-", "-b", "-"});
  CHECK(words(split + "\"Contiguous\"}", "a--b-") == Texts{"a", "--", "b", "-"});
  CHECK(words(R"({"type": "ByteLevel", "add_prefix_space": true})", "it's 2  \u00E9") ==
        Texts{"\u0120it", "'s", "\u01202", "\u0120", "\u0120\u00C3\u00A9"});

  const auto text = [](const std::string& json, const Texts& tokens) {
    std::string joined;
    for (const std::string& t : published::decoder_of(Json::parse(json), "d")(tokens)) joined += t;
    return joined;
  };
  CHECK(text(metaspace + "\"always\"}", {"_a", "_b_"}) == "a b ");
  CHECK(text(R"({"type": "ByteLevel"})", {"\u0120it", "\u00C3"}) == " it\uFFFD");
  CHECK(text(R"({"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "_"},
                 "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
                 {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})",
             {"_a", "<0xC3>", "<0xA9>", "_b", "<0xC3>", "<0xC3>"}) == "a\u00E9 b\uFFFD\uFFFD");
}

TEST_CASE("tokenizer.json: Unigram finds the most probable pieces, unknown neighbours are one") {
  const auto model = published::unigram_model(
      {.pieces = {{"<unk>", 0}, {"a", -1}, {"b", -1}, {"ab", -1.5}, {"abc", -9}, {"c", -1}},
       .unknown = 0},
      "m");
  using Cut = published::WordModel::Cut;
  CHECK(model->cut("abc") == Cut{{3, 2}, {5, 1}});
  CHECK(model->cut("bxyza") == Cut{{2, 1}, {0, 3}, {1, 1}});
  CHECK(model->cut("").empty());
}

TEST_CASE("tokenizer.json: BPE merges by rank; unknown characters are bytes, fused, or gone") {
  using Cut = published::WordModel::Cut;
  published::BpeSettings s{.tokens = {"a", "b", "c", "ab", "bc", "<unk>", "<0xC3>", "<0xA9>"},
                           .merges = {{"b", "c"}, {"a", "b"}}};
  CHECK(published::bpe_model(s, "m")->cut("abcab") == Cut{{0, 1}, {4, 2}, {3, 2}});
  CHECK(published::bpe_model(s, "m")->cut("a\u00E9").size() == 1);
  s.unknown = "<unk>";
  CHECK(published::bpe_model(s, "m")->cut("xy") == Cut{{5, 1}, {5, 1}});
  s.fuse_unknown = true;
  CHECK(published::bpe_model(s, "m")->cut("xyb") == Cut{{5, 2}, {1, 1}});
  s.byte_fallback = true;
  CHECK(published::bpe_model(s, "m")->cut("\u00E9x") == Cut{{6, 1}, {7, 1}, {5, 1}});
  Random random(1);
  std::set<size_t> sizes;
  for (int i = 0; i < 30; ++i)
    sizes.insert(published::bpe_model(s, "m")->sample("abcab", 0.5, random).size());
  CHECK(sizes.size() > 1);
}

// A small file with every kind of step.
std::string every_step() {
  std::string map = "\x10";
  map.resize(4);
  map += std::string(16, '\x01') + "x";
  map.back() = '\0';
  Json vocab = Json::object();
  int id = 0;
  for (const char* token : {"<unk>", "\u2581", "a", "b", "\u2581a", "ab", "<0xC3>"})
    vocab[token] = id++;
  return Json{{"added_tokens",
               {{{"id", 7}, {"content", "<m>"}, {"lstrip", true}, {"special", true}},
                {{"id", 8}, {"content", "A"}, {"normalized", true}}}},
              {"normalizer",
               {{"type", "Sequence"},
                {"normalizers",
                 {{{"type", "Precompiled"}, {"precompiled_charsmap", published::to_base64(map)}},
                  {{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", " "}},
                  {{"type", "Lowercase"}}}}}},
              {"pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "\u2581"}}},
              {"post_processor",
               {{"type", "TemplateProcessing"},
                {"single",
                 {{{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
                  {{"SpecialToken", {{"id", "e"}, {"type_id", 0}}}}}},
                {"pair", {{{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
                {"special_tokens", {{"e", {{"id", "e"}, {"ids", {2}}, {"tokens", {"e"}}}}}}}},
              {"decoder", {{"type", "Metaspace"}, {"replacement", "\u2581"}}},
              {"model",
               {{"type", "BPE"},
                {"vocab", vocab},
                {"unk_token", "<unk>"},
                {"byte_fallback", true},
                {"merges", {"\u2581 a", "a b"}}}}}
      .dump();
}

TEST_CASE("tokenizer.json: mutations of a file are refused in one line, or are other tokenisers") {
  const std::string original = every_step();
  const auto made = published::read_tokenizer_json(Json::parse(original), "t.json", {}, false);
  Ids ids;
  for (const auto& piece : made.model->encode("ab  <m>xA")) ids.push_back(piece.id);
  CHECK(ids == Ids{8, 1, 3, 7, 1, 0, 8});  // "A" is looked for as "a"
  CHECK(made.around.frame() == published::Frame{.before = {}, .behind = {2}});
  Random random(3);
  const auto draw = [&](size_t below) { return static_cast<size_t>(random.below(below)); };
  int refused = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string text = original;
    for (size_t changes = 1 + draw(3); changes > 0; --changes) {
      const size_t at = draw(text.size());
      switch (draw(4)) {
        case 0:
          text[at] = static_cast<char>(' ' + draw(95));
          break;
        case 1:
          text.erase(at, 1 + draw(4));
          break;
        case 2:
          text.insert(at, text.substr(draw(text.size()), 1 + draw(6)));
          break;
        default:
          text[at] = static_cast<char>('0' + draw(10));
          break;
      }
    }
    const std::string why = message_of<ir::GraphError>([&] {
      const auto other = published::read_tokenizer_json(published::parse_json(text, "t.json"),
                                                        "t.json", {}, false);
      Ids found;
      for (const auto& piece : other.model->encode("ab  <m>x\u00E9A\xFF a"))
        found.push_back(piece.id);
      (void)other.model->decode(found, true);
    });
    refused += !why.empty();
    CHECK(why.find('\n') == std::string::npos);
  }
  CHECK(refused > 500);
}

TEST_CASE(
    "tokenizer.json: damaged tables of replacements neither hang nor read beyond themselves") {
  Random random(5);
  for (int round = 0; round < 200; ++round) {
    std::string bytes(4 + 4 * 64 + 16, '\0');
    for (char& c : bytes) c = static_cast<char>(random.below(256));
    bytes[0] = 0, bytes[1] = 1, bytes[2] = bytes[3] = 0;
    (void)published::Charsmap(bytes, "c").apply("a\u00E9\u0301 \r\n\U0001F600\xFFz");
  }
}

}  // namespace
}  // namespace weft::data
