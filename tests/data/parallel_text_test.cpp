// tests/data/parallel_text_test.cpp -- pairs of lines from files, patterns of files, and filters.
#include "models/data/parallel_text.h"

#include "ir/error.h"
#include "models/data/filters.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

namespace weft::data {
namespace {

using tests::message_of;
using tests::TemporaryFolder;

std::string refusal(const std::string& text, const TextLimits& limits = {}) {
  const TemporaryFolder folder;
  const std::string path = folder.file("x.tsv", text);
  const std::string message =
      message_of<ir::GraphError>([&] { read_pairs({.source = path, .target = ""}, limits); });
  CHECK(message.starts_with(path + ":"));
  return message.substr(std::min(message.size(), path.size()));
}

TEST_CASE(
    "pairs: sides are as they stand but for spaces around them, the id is the line's number") {
  const TemporaryFolder folder;
  const Examples examples =
      read_pairs({.source = folder.file("x.tsv", "w o r d\tW ER D\r\n a  \t b c"), .target = ""});
  REQUIRE(examples.size() == 2);
  CHECK(examples[0].source == "w o r d");
  CHECK(examples[0].target == "W ER D");
  CHECK(examples[0].id == 1);
  CHECK(examples[1].source == "a");
  CHECK(examples[1].target == "b c");
  CHECK(examples[1].id == 2);
}

TEST_CASE("pairs: a line that is no example is named, with what was needed") {
  CHECK(refusal("a\tb\nab\n") == ":2: has 0 tabs, source<TAB>target needs one");
  CHECK(refusal("a\tb\tc\n") == ":1: has 2 tabs, source<TAB>target needs one");
  CHECK(refusal("a\tb\n\tb\n") == ":2: the source is empty");
  CHECK(refusal("a\t  \n") == ":1: the target is empty");
  CHECK(refusal("a\tb\n\na\tb\n") == ":2: has 0 tabs, source<TAB>target needs one");
  CHECK(refusal("a\tb\xE9\n") == ":1: is not UTF-8 at byte 4 of the line");
  CHECK(refusal(std::string("a\tb\0c\n", 6)) == ":1: has the control character 0 at byte 4");
  CHECK(refusal("") == ": has no lines, at least one source<TAB>target is needed");
  CHECK(refusal("a\tb\n" + std::string(20, 'x') + "\ty\n", {.max_line_bytes = 16}) ==
        ":2: is longer than 16 bytes");
}

TEST_CASE("pairs: line n of one file belongs to line n of the other") {
  const TemporaryFolder folder;
  const std::string en = folder.file("x.en", "Two dogs\nA\tcat\n"),
                    de = folder.file("x.de", "Zwei Hunde\nEine Katze\n");
  const Examples examples = read_pairs({.source = en, .target = de});
  REQUIRE(examples.size() == 2);
  CHECK(examples[1].source == "A cat");
  CHECK(examples[1].target == "Eine Katze");
  const std::string longer = folder.file("long.de", "1\n2\n3\n4\n");
  CHECK(message_of<ir::GraphError>([&] { read_pairs({.source = en, .target = longer}); }) ==
        en + ": has 2 lines, " + longer + " has 4; line n of one belongs to line n of the other");
  CHECK(message_of<ir::GraphError>([&] {
          read_pairs({.source = longer, .target = en});
        }).starts_with(longer + ": has 4 lines, " + en + " has 2"));
  const std::string bad = folder.file("bad.de", "1\n\xE9\n");
  CHECK(message_of<ir::GraphError>([&] { read_pairs({.source = en, .target = bad}); }) ==
        bad + ":2: is not UTF-8 at byte 1 of the line");
}

TEST_CASE("files: patterns name files in the order of their names, pairs by what stars stand for") {
  const TemporaryFolder folder;
  for (const char* name : {"n.2.en", "n.1.en", "n.1.de", "n.2.de", "one.en", "a.tsv"})
    folder.file(name, "x\n");
  const auto files = [&](const FilePattern& p) {
    std::vector<std::string> names;
    for (const ParallelFile& f : files_of(p, folder / ""))
      names.push_back(
          std::filesystem::path(f.source).filename().string() +
          (f.is_tsv() ? "" : "+" + std::filesystem::path(f.target).filename().string()));
    return names;
  };
  using Names = std::vector<std::string>;
  CHECK(files({.file = "a.tsv"}) == Names{"a.tsv"});
  CHECK(files({.file = "no.tsv"}) == Names{"no.tsv"});  // told when it is opened
  CHECK(files({.source = "n.*.en", .target = "n.*.de"}) == Names{"n.1.en+n.1.de", "n.2.en+n.2.de"});
  const auto fault = [&](const FilePattern& p) {
    return message_of<ir::GraphError>([&] { files(p); });
  };
  CHECK(fault({.source = "*.en", .target = "n.*.de"}) == "'*.en' names 3 files, 'n.*.de' 2");
  CHECK(fault({.file = "*.txt"}).ends_with("*.txt'"));
  CHECK(fault({.source = "one.en"}) == "needed is a TSV file, or a source and a target");
  CHECK(fault({.file = "a.tsv", .source = "one.en"}) ==
        "needed is a TSV file, or a source and a target");
  folder.file("n.3.de", "x\n");
  folder.file("n.4.en", "x\n");
  CHECK(fault({.source = "n.*.en", .target = "n.*.de"}).find("has no counterpart") !=
        std::string::npos);
}

TEST_CASE("corpus: the pairs of several files are one behind the other, and each has its place") {
  const TemporaryFolder folder;
  const std::string tsv = folder.file("a.tsv", "a\tb\nc\td\n"), en = folder.file("x.en", "e\nf\n"),
                    de = folder.file("x.de", "g\nh\n");
  const ParallelCorpus corpus({{.source = tsv, .target = ""}, {.source = en, .target = de}});
  for (int round = 0; round < 2; ++round) {
    std::string all;
    for (const NextExample next = corpus.examples(); const auto e = next();)
      all += std::to_string(e->id) + e->source + e->target + ' ';
    CHECK(all == "1ab 2cd 3eg 4fh ");
  }
  CHECK(corpus.last_ids() == std::vector<int64_t>{2, 4});
  CHECK(corpus.source_place(2) == tsv + ":2");
  CHECK(corpus.target_place(2) == tsv + ":2");
  CHECK(corpus.source_place(4) == en + ":2");
  CHECK(corpus.target_place(3) == de + ":1");
  CHECK(corpus.name() == tsv + " and 1 more");
  const auto digest = corpus.digest();
  REQUIRE(digest.has_value());
  folder.file("x.de", "g\ni\n");
  CHECK(*corpus.digest() != *digest);
}

TEST_CASE("filters: lines are dropped and counted by reason, or refused") {
  FilterSettings settings{.max_tokens = 5,
                          .long_lines = Misfit::drop,
                          .empty_lines = Misfit::drop,
                          .max_ratio = 2,
                          .drop_duplicates = true};
  PairFilter filter(settings);
  FilterCounts counts;
  CHECK(filter.keeps({"a", "b", 1}, counts));
  CHECK_FALSE(filter.keeps({"a", "", 2}, counts));
  CHECK_FALSE(filter.keeps({"a", "b", 3}, counts));
  CHECK(filter.keeps({"ab", "", 4}, counts) == false);
  CHECK(filter.keeps({"b", "a", 5}, counts));
  CHECK(filter.keeps(2, 4, counts));
  CHECK_FALSE(filter.keeps(2, 5, counts));
  CHECK_FALSE(filter.keeps(6, 5, counts));
  CHECK(
      counts.str() ==
      "5 of 5 lines dropped: 2 with an empty side, 1 there before, 1 too long, 1 of too different "
      "lengths");
  PairFilter strict({.max_tokens = 5});
  CHECK(message_of<ir::GraphError>([&] {
          strict.keeps({"", "b", 1}, counts);
        }).starts_with("the source is empty"));
  CHECK(message_of<ir::GraphError>([&] {
          strict.keeps(1, 6, counts);
        }).starts_with("the target has 6 tokens, at most 5 are accepted"));
  CHECK(strict.keeps({"a", "b", 1}, counts));
  CHECK(strict.keeps({"a", "b", 1}, counts));
}

TEST_CASE("filters: what was seen is known again among many thousands") {
  SeenTexts seen;
  for (int i = 0; i < 20000; ++i) CHECK_FALSE(seen.add("s" + std::to_string(i), "t"));
  for (int i = 0; i < 20000; i += 7) CHECK(seen.add("s" + std::to_string(i), "t"));
  CHECK_FALSE(seen.add("s1t", ""));
}

}  // namespace
}  // namespace weft::data
