// tests/cli/data_test.cpp -- weft data: sets from files at hand, and what cannot be had.
#include "tests/cli/program.h"
#include "tests/cli/small_task.h"

#include <doctest/doctest.h>

namespace weft::tests {
namespace {

constexpr const char* kIndex =
    "Package: a\nDescription-md5: 1\nDescription-en: an abacus\n It counts.\n"
    "Description-de: ein Abakus\n Er zählt.\n\n"
    "Package: b\nDescription-md5: 1\nDescription-en: a book\nDescription-de: ein Buch\n";

TEST_CASE("data: descriptions become two text files a part") {
  Folder folder;
  const std::string index = folder.write("index", kIndex);
  const Outcome made =
      weft({"data", "debian-descriptions", "--to", "de", "--from", index, folder / "d"});
  INFO(made.err);
  REQUIRE(made.code == 0);
  CHECK(folder.read("d/train.en") == "an abacus\nIt counts.\na book\n");
  CHECK(folder.read("d/train.de") == "ein Abakus\nEr zählt.\nein Buch\n");
  CHECK(folder.read("d/test.de").empty());
}

TEST_CASE("data: descriptions that cannot be had are refused in one line") {
  Folder folder;
  const std::string index = folder.write("index", kIndex);
  const Outcome other =
      weft({"data", "debian-descriptions", "--to", "fr", "--from", index, folder / "d"});
  CHECK(not_a_clear_refusal(other) == "");
  CHECK(has(other.err, "holds no Description-fr"));
  const Outcome none =
      weft({"data", "debian-descriptions", "--to", "de", "--from", folder / "none", folder / "d"});
  CHECK(not_a_clear_refusal(none) == "");
  const Outcome language = weft({"data", "debian-descriptions", "--to", "../x", folder / "d"});
  CHECK(not_a_clear_refusal(language, 2) == "");
  CHECK_FALSE(folder.has("d"));
  // No apt to be found.
  const Outcome alone = shell("PATH= \"$weft\" data debian-descriptions --to de d", folder / ".");
  CHECK(alone.code == 1);
  CHECK(has(alone.err, "apt-get cannot be started"));
  CHECK(has(alone.err, "--from takes files fetched elsewhere"));
}

TEST_CASE("data: pronunciations are split by word") {
  Folder folder;
  const std::string dictionary =
      folder.write("dict.out",
                   "MNCL\n(\"a\" dt (((ax) 0)))\n"
                   "(\"abacus\" nil (((ae) 1) ((b ax) 0) ((k ax s) 0)))\n");
  const Outcome made =
      weft({"data", "pronunciation", folder / "d", "--dictionary", dictionary, "--seed", "3"});
  INFO(made.err);
  REQUIRE(made.code == 0);
  const std::string all =
      folder.read("d/train.tsv") + folder.read("d/valid.tsv") + folder.read("d/test.tsv");
  CHECK(has(all, "a b a c u s\tae b ax k ax s\n"));
  CHECK(not_a_clear_refusal(
            weft({"data", "pronunciation", folder / "e", "--dictionary", folder / "none"})) == "");
}

}  // namespace
}  // namespace weft::tests
