// tests/data/vocabulary_test.cpp -- tokens and ids, in memory and on disk.
#include "models/data/tokens/vocabulary.h"

#include "ir/error.h"
#include "models/data/corpus.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

namespace weft::data {
namespace {

using tests::message_of;
using tests::TemporaryFolder;

using Tokens = std::vector<std::string>;
using Ids = std::vector<int32_t>;

constexpr SpecialIds kIds;

TEST_CASE("vocabulary: the most frequent come first, ties by name, behind the special tokens") {
  const auto v = Vocabulary::from_counts({{"c", 2}, {"a", 1}, {"b", 2}, {"d", 9}}, "source");
  CHECK(v.tokens() == Tokens{"<pad>", "<s>", "</s>", "<unk>", "d", "b", "c", "a"});
  CHECK(v.id("b") == 5);
  CHECK(v.token(5) == "b");
}

TEST_CASE("vocabulary: rare tokens and those past the size are left out") {
  const TokenCounts counts{{"a", 5}, {"b", 4}, {"c", 1}};
  CHECK(Vocabulary::from_counts(counts, "source", 2).size() == 6);
  CHECK(Vocabulary::from_counts(counts, "source", 1, 5).tokens().back() == "a");
}

TEST_CASE("vocabulary: unknown tokens become <unk>, and so do spellings of special ones") {
  const auto v = Vocabulary::from_counts({{"a", 1}, {"<s>", 7}}, "source");
  CHECK(v.size() == 5);
  CHECK(v.encode(Tokens{"a", "x", "<s>", "<unk>", "<pad>"}) ==
        Ids{4, kIds.unknown, kIds.unknown, kIds.unknown, kIds.unknown});
}

TEST_CASE("vocabulary: decoding stops at </s> and leaves out <pad> and <s>") {
  const auto v = Vocabulary::from_counts({{"a", 2}, {"b", 1}}, "source");
  CHECK(v.decode(Ids{kIds.begin, 4, kIds.unknown, 5, kIds.end, 4, kIds.pad}) ==
        Tokens{"a", "<unk>", "b"});
  CHECK(message_of<ir::GraphError>([&] { v.decode(Ids{6}); }) ==
        "the token id 6 is outside [0, 6)");
}

TEST_CASE("vocabulary: a saved one is loaded as it was") {
  const TemporaryFolder folder;
  const auto v = Vocabulary::from_counts({{"\xC3\xA9", 2}, {"b", 1}}, "source");
  v.save(folder / "v.txt");
  CHECK(Vocabulary::load(folder / "v.txt") == v);
  CHECK(tests::bytes_of(folder / "v.txt") == "<pad>\n<s>\n</s>\n<unk>\n\xC3\xA9\nb\n");
  CHECK(folder.count() == 1);
}

TEST_CASE("vocabulary: special tokens are told by their spellings wherever they stand") {
  const TemporaryFolder folder;
  const auto v = Vocabulary::load(folder.file("v.txt", "<s>\n<pad>\n</s>\n<unk>\na\n"));
  CHECK(v.special() == SpecialIds{.pad = 1, .begin = 0, .end = 2, .unknown = 3});
  CHECK(v.encode(Tokens{"a", "<s>", "b"}) == Ids{4, 3, 3});
  CHECK(v.decode(Ids{0, 4, 1, 2, 4}) == Tokens{"a"});
}

TEST_CASE("vocabulary: special tokens of other spellings are marked in the file") {
  const TemporaryFolder folder;
  const std::string text = "a\n[EOS]\tbegin,end\nb\n[PAD]\tpad\n";
  const auto v = Vocabulary::load(folder.file("v.txt", text));
  CHECK(v.special() == SpecialIds{.pad = 3, .begin = 1, .end = 1, .unknown = SpecialIds::kNone});
  v.save(folder / "w.txt");
  CHECK(tests::bytes_of(folder / "w.txt") == text);
  CHECK(Vocabulary::load(folder / "w.txt") == v);
  CHECK(message_of<ir::GraphError>([&] { v.id("z"); }) ==
        (folder / "v.txt") + ": has no 'z', and no token for unknown ones");
  CHECK_FALSE(v.special().is_never_produced(1));
  CHECK(v.special().is_never_produced(3));
}

TEST_CASE("vocabulary: files that are none are refused, with the line") {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& text) {
    const std::string path = folder.file("v.txt", text);
    const std::string message = message_of<ir::GraphError>([&] { Vocabulary::load(path); });
    CHECK(message.starts_with(path + ":"));
    return message.substr(std::min(message.size(), path.size()));
  };
  const std::string start = "<pad>\n<s>\n</s>\n<unk>\n";
  CHECK(refusal("") == ": has no </s>, nor a token marked as end behind a tab");
  CHECK(refusal(start) == ": has special tokens only");
  CHECK(refusal("a\nb\nc\nd\ne\n") == ": has no </s>, nor a token marked as end behind a tab");
  CHECK(refusal("a\nb\tstart\n") ==
        ":2: 'start' behind the tab is none of pad, begin, end, unknown");
  CHECK(refusal("a\nb\tend\nc\tend\n") == ":3: line 2 is 'end' already");
  CHECK(refusal(start + "a\nb\na\n") == ":7: the token 'a' is on line 5 already");
  CHECK(refusal(start + "a\n\nb\n") == ":6: an empty token");
  CHECK(refusal(start + "a b\n") == ":5: a token with a space in it");
  CHECK(refusal(start + "a\n\xFF\n") == ":6: is not UTF-8 at byte 1 of the line");
}

TEST_CASE("vocabulary: counts that leave nothing are refused by name") {
  CHECK(message_of<ir::GraphError>([] { Vocabulary::from_counts({}, "target vocabulary"); }) ==
        "target vocabulary: none of 0 tokens is there 1 times or more");
  CHECK(message_of<ir::GraphError>([] {
          Vocabulary::from_counts({{"a", 1}}, "target", 1, 4);
        }) == "target: a size of 4 leaves no room beside the 4 special tokens");
}

}  // namespace
}  // namespace weft::data
