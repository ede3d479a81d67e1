// tests/cli/published_test.cpp -- the program on folders as hubs publish them.
#include "models/data/tokens/subwords.h"
#include "tests/cli/small_task.h"
#include "tests/models/published_folder.h"

#include <sstream>

namespace weft::tests {
namespace {

std::vector<std::string> lines_in(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool shows(const std::string& table, const std::vector<std::string>& words) {
  for (const std::string& line : lines_in(table)) {
    bool all = true;
    for (const std::string& word : words) all = all && line.find(word) != line.npos;
    if (all) return true;
  }
  INFO(table);
  return false;
}

TEST_CASE("published: a folder is translated with, scored, drawn, inspected and dumped as it is") {
  const PublishedFolder f(kSmallT5);
  f.write("generation_config.json", R"({"num_beams": 2, "max_length": 8, "length_penalty": 0.6})");
  const Folder files;
  const std::string source = files.write("source", "5 7 9 1\n3 1\n");

  const Outcome translated = weft({"translate", f.path(), "--input", source});
  REQUIRE_MESSAGE(translated.code == 0, translated.err);
  const auto lines = lines_in(translated.out);
  REQUIRE(lines.size() == 2);

  const Outcome explained = weft({"translate", f.path(), "--explain-settings", "--beam", "3"});
  REQUIRE_MESSAGE(explained.code == 0, explained.err);
  CHECK(shows(explained.out, {"num_beams", "2", "generation_config.json, replaced by --beam"}));
  CHECK(shows(explained.out, {"length_penalty", "0.6", "generation_config.json"}));
  CHECK(shows(explained.out, {"eos_token_id", "1", "config.json"}));
  CHECK(shows(explained.out, {"early_stopping", "false", "default"}));
  CHECK(shows(explained.out, {"--beam", "3", "command line"}));

  const std::string target = files.write("target", "4 6\n8\n");
  const Outcome scored = weft({"score", f.path(), "--source", source, "--target", target});
  CHECK_MESSAGE(scored.code == 0, scored.err);
  CHECK(lines_in(scored.out).size() == 2);

  const Outcome drawn = weft({"attend", f.path(), "5 7 9 1", "-o", files / "a.svg"});
  CHECK_MESSAGE(drawn.code == 0, drawn.err);
  CHECK(files.read("a.svg").find("<svg") != std::string::npos);

  const Outcome inspected = weft({"inspect", f.path(), "-o", files / "a.json", "--runs", "1",
                                  "--bind", "B=2", "--bind", "S=5", "--bind", "T=4"});
  CHECK_MESSAGE(inspected.code == 0, inspected.err);
  CHECK(files.has("a.json"));

  const Outcome dumped = weft({"dump", f.path(), "--stage", "fused"});
  CHECK_MESSAGE(dumped.code == 0, dumped.err);
  CHECK(has(dumped.out, "= attention("));
}

TEST_CASE("published: where the folder has a tokeniser, text goes in and comes out") {
  std::string config = kSmallT5;
  const auto replace = [&](const std::string& from, const std::string& to) {
    config.replace(config.find(from), from.size(), to);
  };
  replace("\"vocab_size\": 24", "\"vocab_size\": 204");
  replace("\"eos_token_id\": 1", "\"eos_token_id\": 2");
  const PublishedFolder f(config);
  std::vector<std::string> sentences;
  for (int i = 0; i < 60; ++i) {
    sentences.push_back("the lower tower is newer than the lowest tower " + std::to_string(i % 7));
    sentences.push_back("a slow flower grows where the wind blows " + std::to_string(i % 5));
    const std::vector<std::string> parts{"ba", "do", "li", "mu", "ke", "ra", "so", "fi"};
    const auto part = [&](int n) { return parts[static_cast<size_t>(n)]; };
    sentences.push_back(part(i % 8) + part(i / 3 % 8) + " " + part(i % 5) + part(i % 7));
  }
  size_t next = 0;
  const data::Subwords pieces = data::Subwords::train(
      {.kind = data::SubwordKind::unigram, .size = 60, .byte_fallback = false},
      [&]() -> std::optional<std::string> {
        return next < sentences.size() ? std::optional(sentences[next++]) : std::nullopt;
      });
  f.write("spiece.model", pieces.bytes());
  f.write("generation_config.json", R"({"max_length": 9})");
  const Outcome translated = weft({"translate", f.path()}, "the newer tower\n\nlower\n");
  CHECK_MESSAGE(translated.code == 0, translated.err);
  CHECK(lines_in(translated.out).size() == 3);
  const Folder files;
  const std::string source = files.write("source", "the newer tower\n"),
                    target = files.write("target", "lower tower\n");
  const Outcome scored =
      weft({"score", f.path(), "--source", source, "--target", target, "--json"});
  CHECK_MESSAGE(scored.code == 0, scored.err);
  CHECK(has(scored.out, "</s>"));
  const Outcome language =
      weft({"translate", f.path(), "--target-language", "de"}, "the newer tower\n");
  CHECK(not_a_clear_refusal(language) == "");
}

TEST_CASE("published: what is wrong with a folder is told in one line") {
  const PublishedFolder f(kSmallT5);
  f.write_tensors(f.without("shared.weight"));
  CHECK(not_a_clear_refusal(weft({"translate", f.path()}, "1\n")) == "");
  const Folder none;
  none.write("config.json", kSmallT5);
  CHECK(not_a_clear_refusal(weft({"translate", none / ""}, "1\n")) == "");
  none.write("config.json", "{\"model_type\": \"gpt2\"}");
  CHECK(not_a_clear_refusal(weft({"translate", none / ""}, "1\n")) == "");
}

}  // namespace
}  // namespace weft::tests
