// tests/data/cmudict_test.cpp -- the dictionary's format, its split, and the installed one.
#include "models/data/corpora/cmudict.h"

#include "ir/error.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>

namespace weft::data {
namespace {

using tests::message_of;
using tests::TemporaryFolder;

constexpr const char* kText = R"x(MNCL
("a" dt (((ax) 0)))
("a" n (((ey) 1)))
("abacus" nil (((ae) 1) ((b ax) 0) ((k ax s) 0)))
("abject" j (((ae b) 1) ((jh eh k t) 0)))
("abject" v (((ae b) 0) ((jh eh k t) 1)))
("OHara" nil (((ow) 1) ((hh eh) 1) ((r ax) 0)))
("don't" nil (((d ow n t) 1)))
)x";

Dictionary small() {
  const TemporaryFolder folder;
  return read_cmudict(folder.file("dict.out", kText));
}

TEST_CASE("cmudict: letters and phones remain, the marks are dropped") {
  const Dictionary dictionary = small();
  REQUIRE(dictionary.words.size() == 4);
  CHECK(dictionary.words[1].spelling == "abacus");
  CHECK(dictionary.words[1].pronunciations[0].phones == Phones{"ae", "b", "ax", "k", "ax", "s"});
  CHECK(dictionary.words[1].pronunciations[0].line == 4);
}

TEST_CASE("cmudict: pronunciations that differ in stress alone are one") {
  const Dictionary dictionary = small();
  CHECK(references(dictionary.words[0]) == std::vector<Phones>{{"ax"}, {"ey"}});
  CHECK(dictionary.words[2].pronunciations.size() == 1);
  CHECK(dictionary.merged == 1);
}

TEST_CASE("cmudict: words with capitals are left out and counted, apostrophes stay") {
  const Dictionary dictionary = small();
  CHECK(dictionary.entries == 7);
  CHECK(dictionary.not_plain == 1);
  CHECK(dictionary.words[3].spelling == "don't");
  CHECK(letters("don't") == std::vector<std::string>{"d", "o", "n", "'", "t"});
}

TEST_CASE("cmudict: one example a pronunciation for training, one a word for searching") {
  const Dictionary dictionary = small();
  CHECK(pronunciation_examples(dictionary.words).size() == 5);
  const Examples examples = word_examples(dictionary.words);
  REQUIRE(examples.size() == 4);
  CHECK(examples[1].source == "a b a c u s");
  CHECK(examples[1].target == "ae b ax k ax s");
}

TEST_CASE("cmudict: lines that are no entries are named") {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& text) {
    const std::string path = folder.file("dict.out", text);
    const std::string message = message_of<ir::GraphError>([&] { read_cmudict(path); });
    CHECK(message.starts_with(path));
    return message.substr(std::min(message.size(), path.size()));
  };
  CHECK(refusal("") == ":1: does not read MNCL, as Festival's dictionaries do");
  CHECK(refusal("MNCL\n") == ": has no plain words");
  CHECK(refusal("MNCL\n(a nil (((ax) 0)))\n") == ":2: has 'a' where '\"' of an entry is needed");
  CHECK(refusal("MNCL\n(\"a\" nil (((ax) 0))\n") ==
        ":2: has the end of the line where ')' of an entry is needed");
  CHECK(refusal("MNCL\n(\"a\" nil (((ax)))\n") ==
        ":2: lacks a phone, a stress or a part of speech");
  CHECK(refusal("MNCL\n(\"a\" nil ())\n") == ":2: has no phones");
  CHECK(refusal("MNCL\n(\"a\" nil (((ax) 0))) x\n") ==
        ":2: has text behind the entry's closing parenthesis");
  CHECK(message_of<ir::GraphError>([&] { read_cmudict(folder / "none"); }) ==
        folder / "none" +
            ": is not there; Debian's package festlex-cmu has it: "
            "apt-get install festlex-cmu");
}

TEST_CASE("cmudict: a cut file is refused or ends with a whole entry") {
  const TemporaryFolder folder;
  const std::string whole = kText;
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string path = folder.file("dict.out", whole.substr(0, size));
    Dictionary dictionary;
    const std::string message =
        message_of<ir::GraphError>([&] { dictionary = read_cmudict(path); });
    CHECK((message.empty() || message.starts_with(path)));
    for (const Word& word : dictionary.words) CHECK(!word.pronunciations.empty());
  }
}

Dictionary many_words(int count) {
  Dictionary dictionary;
  for (int i = 0; i < count; ++i)
    dictionary.words.push_back({"w" + std::to_string(i), {{{"ax"}, i}}});
  return dictionary;
}

std::set<std::string> spellings(const std::vector<Word>& words) {
  std::set<std::string> all;
  for (const Word& word : words) all.insert(word.spelling);
  return all;
}

TEST_CASE("split: every word falls on one side, in about the shares asked for") {
  const DictionarySplit split = split_dictionary(many_words(20000), 1, 0.05, 0.1);
  CHECK(split.train.size() + split.valid.size() + split.test.size() == 20000);
  CHECK(std::abs(static_cast<double>(split.valid.size()) - 1000) < 150);
  CHECK(std::abs(static_cast<double>(split.test.size()) - 2000) < 200);
}

TEST_CASE("split: it changes with the seed, and a word stays where it is when others go") {
  const auto a = spellings(split_dictionary(many_words(2000), 1).test);
  const auto b = spellings(split_dictionary(many_words(2000), 2).test);
  const auto half = spellings(split_dictionary(many_words(1000), 1).test);
  CHECK(a != b);
  CHECK(std::includes(a.begin(), a.end(), half.begin(), half.end()));
}

TEST_CASE("split: shares that leave nothing to train on are refused") {
  CHECK(message_of<ir::GraphError>([] { split_dictionary(many_words(2), 1, 0.5, 0.5); }) ==
        "shares of 0.5 and 0.5 leave nothing to train on");
}

TEST_CASE("cmudict: the installed dictionary has the words it is known to have") {
  if (!std::filesystem::exists(kCmudictPath)) {
    MESSAGE("skipped: there is no " << kCmudictPath << "; Debian's package festlex-cmu has it");
    return;
  }
  const Dictionary dictionary = read_cmudict();
  CHECK(dictionary.entries == 105901);
  CHECK(dictionary.not_plain == 126);
  std::set<std::string> phones;
  size_t longest = 0;
  for (const Word& word : dictionary.words)
    for (const Pronunciation& pronunciation : word.pronunciations) {
      phones.insert(pronunciation.phones.begin(), pronunciation.phones.end());
      longest = std::max({longest, word.spelling.size(), pronunciation.phones.size()});
    }
  CHECK(phones.size() == 40);  // 39 of CMU, and ax
  CHECK(phones.contains("ax"));
  CHECK(longest < 40);
  const DictionarySplit split = split_dictionary(dictionary);
  CHECK(split.valid.size() > 4800);
  CHECK(split.test.size() > 4800);
}

}  // namespace
}  // namespace weft::data
