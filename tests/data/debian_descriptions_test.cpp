// tests/data/debian_descriptions_test.cpp -- the index's format, alignment, cleaning, the split.
#include "models/data/corpora/debian_descriptions.h"

#include "ir/error.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <sstream>

namespace weft::data {
namespace {

using tests::message_of;

constexpr const char* kEnglish = R"x(Package: beads
Description-md5: 01
Description-en: counts with beads
 This is an abacus, e.g. one of wood. It counts.
 Lines are joined.
 .
 It has:
  * beads;
  * a frame that
    holds them.

Package: beads-data
Description-md5: 02
Description-en: counts with beads
 This package has data.
)x";

constexpr const char* kFrench = R"x(Package: beads
Description-md5: 01
Description-fr: compter avec des boules
 C’est un boulier, p. ex. en bois. Il compte.  Les lignes
 sont jointes.
 .
 Il a :
  - des boules ;
  - un cadre.

Package: beads-data
Description-md5: 02
Description-fr: compter avec des boules
 Ce paquet fournit des données.

Package: beads-data
Description-md5: old
Description-fr: description d'avant
)x";

struct Indexes {
  DescriptionIndex english{"en"}, french{"fr"};

  Indexes& read(const std::string& text) {
    std::istringstream in(text);
    formats::LineReader lines(in, "index");
    read_descriptions(lines, english, french);
    return *this;
  }
};

std::vector<TextPair> all_of(const DescriptionPairs& pairs) {
  std::vector<TextPair> all = pairs.test;
  all.insert(all.end(), pairs.valid.begin(), pairs.valid.end());
  all.insert(all.end(), pairs.train.begin(), pairs.train.end());
  return all;
}

TEST_CASE("descriptions: sentences and items of lists are paired, repetitions go") {
  const Indexes indexes = Indexes().read(kEnglish).read(kFrench);
  const DescriptionPairs pairs = description_pairs(indexes.english, indexes.french, 1, 0, 0);
  CHECK(pairs.descriptions == 2);
  CHECK(pairs.repeated == 1);
  CHECK(pairs.train ==
        std::vector<TextPair>{
            {"counts with beads", "compter avec des boules"},
            {"This is an abacus, e.g. one of wood.", "C’est un boulier, p. ex. en bois."},
            {"It counts.", "Il compte."},
            {"Lines are joined.", "Les lignes sont jointes."},
            {"It has:", "Il a :"},
            {"beads;", "des boules ;"},
            {"a frame that holds them.", "un cadre."},
            {"This package has data.", "Ce paquet fournit des données."}});
}

TEST_CASE("descriptions: where sentences do not correspond, the paragraph is the pair") {
  const std::vector<std::string> a{"x", "One. Two. Three."}, b{"y", "Eins, zwei. Drei."};
  CHECK(align_description(a, b, "en", "de") ==
        std::vector<TextPair>{{"x", "y"}, {"One. Two. Three.", "Eins, zwei. Drei."}});
  const std::vector<std::string> more{"y", "Eins.", ".", "Zwei."};
  CHECK(align_description(a, more, "en", "de") == std::vector<TextPair>{{"x", "y"}});
}

TEST_CASE("descriptions: what is not translated, out of proportion or without letters goes") {
  std::string text;
  const auto add = [&](const std::string& name, const std::string& en, const std::string& fr) {
    text += "Package: " + name + "\nDescription-md5: 1\nDescription-en: " + en +
            "\nDescription-fr: " + fr + "\n\n";
  };
  add("a", "the same", "the same");
  add("b", "short", std::string(100, 'x'));
  add("c", "...", "- - -");
  add("d",
      "a\xC2\xA0"
      "b\t c",
      "\xE2\x80\xAF"
      "d \xE2\x8B\x85 e ");
  const Indexes indexes = Indexes().read(text);
  const DescriptionPairs pairs = description_pairs(indexes.english, indexes.french, 1, 0, 0);
  CHECK(pairs.identical == 1);
  CHECK(pairs.implausible == 2);
  CHECK(pairs.train == std::vector<TextPair>{{"a b c", "d e"}});
}

TEST_CASE("descriptions: no package and no source text is in two parts") {
  std::string text;
  for (int i = 0; i < 600; ++i) {
    const std::string n = std::to_string(i);
    text += "Package: p" + n + "\nDescription-md5: 1\nDescription-en: package " + n +
            "\n This package has data. Its name is " + n + ".\nDescription-fr: paquet " + n +
            "\n Ce paquet a des données. Son nom est " + n + ".\n\n";
  }
  const Indexes indexes = Indexes().read(text);
  const DescriptionPairs pairs = description_pairs(indexes.english, indexes.french, 1, 0.1, 0.1);
  CHECK(pairs.train.size() + pairs.valid.size() + pairs.test.size() == 1201);
  CHECK(pairs.test.size() > 60);
  CHECK(pairs.valid.size() > 60);
  CHECK(pairs.train.size() > 800);
  std::map<std::string, std::set<int>> parts_of_source, parts_of_package;
  int part = 0;
  for (const auto* pairs_of_part : {&pairs.train, &pairs.valid, &pairs.test}) {
    for (const TextPair& pair : *pairs_of_part) {
      parts_of_source[pair.source].insert(part);
      if (const size_t digit = pair.source.find_first_of("0123456789"); digit != std::string::npos)
        parts_of_package[pair.source.substr(digit)].insert(part);
    }
    ++part;
  }
  for (const auto& [source, parts] : parts_of_source) CHECK(parts.size() == 1);
  const auto again = description_pairs(indexes.english, indexes.french, 1, 0.1, 0.1);
  CHECK(all_of(again) == all_of(pairs));
}

TEST_CASE("descriptions: lines that are no index are named") {
  const auto refusal = [](const std::string& text) {
    return message_of<ir::GraphError>([&] { Indexes().read(text); });
  };
  CHECK(refusal("Package: a\nhello\n") ==
        "index:2: is no line of a Translation index, KEY: TEXT or a space and text");
  CHECK(refusal("Package: a\nDescription-fr: x\n") ==
        "index:2: has a description before its Package and Description-md5");
  CHECK(refusal("Package: a\nSHA256: 1\n").empty());
}

}  // namespace
}  // namespace weft::data
