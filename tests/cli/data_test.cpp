// tests/cli/data_test.cpp -- weft data: sets from files at hand, and what cannot be had.
#include "tests/cli/program.h"
#include "tests/cli/small_task.h"

#include <doctest/doctest.h>

#include <filesystem>

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

// An IDX file of bytes: 0 0 8 rank, sizes, the bytes.
std::string idx(const std::vector<int>& sizes, const std::string& bytes) {
  std::string file{'\0', '\0', '\x08', static_cast<char>(sizes.size())};
  for (const int n : sizes) {
    file += std::string(2, '\0');
    file += static_cast<char>(n / 256);
    file += static_cast<char>(n % 256);
  }
  return file + bytes;
}

TEST_CASE("data: pictures of clothing stand side by side, with their names") {
  Folder folder;
  // Of 2 by 3 pixels; picture i has label i and is as bright.
  std::string pixels, labels;
  for (char i = 0; i < 10; ++i) pixels += std::string(6, i), labels += i;
  for (const char* part : {"train", "t10k"}) {
    folder.write(std::string(part) + "-images-idx3-ubyte.gz", idx({10, 2, 3}, pixels));
    folder.write(std::string(part) + "-labels-idx1-ubyte.gz", idx({10}, labels));
  }
  const Outcome made = weft({"data", "fashion-strings", folder / "f", "--from", folder / ".",
                             "--longest", "3", "--train", "4", "--valid", "1", "--test", "1"});
  INFO(made.err);
  REQUIRE(made.code == 0);
  CHECK(has(made.out, "train.tsv: 4 pictures of 2 by 9 pixels"));
  CHECK(has(folder.read("f/valid.tsv"), "valid/00001.png\tboot"));  // the last picture alone
  const std::string train = folder.read("f/train.tsv");
  CHECK(train.starts_with("train/00001.png\t"));
  CHECK(train.find("boot") == std::string::npos);
  CHECK(folder.read("f/train/00004.png").starts_with("\x89PNG"));
  folder.write("train-labels-idx1-ubyte.gz", idx({10}, labels.substr(0, 7)));
  const Outcome cut = weft({"data", "fashion-strings", folder / "g", "--from", folder / "."});
  CHECK(not_a_clear_refusal(cut) == "");
  CHECK(has(cut.err, "train-labels-idx1-ubyte.gz: ends too early"));
  folder.write("train-labels-idx1-ubyte.gz", idx({10}, std::string(10, '\x0b')));
  CHECK(has(weft({"data", "fashion-strings", folder / "g", "--from", folder / "."}).err,
            "has the label 11, needed are 0 to 9"));
  folder.write("train-images-idx3-ubyte.gz", "no pictures");
  CHECK(has(weft({"data", "fashion-strings", folder / "g", "--from", folder / "."}).err,
            "is no IDX file of bytes with 3 axes"));
}

TEST_CASE("data: digits are spoken by the program that is asked for") {
  Folder folder;
  // -v VOICE -s SPEED -p PITCH -w FILE TEXT
  const std::string speaks =
      folder.write("speaks", "#!/bin/sh\nprintf 'RIFF %s' \"$9\" > \"$8\"\n");
  std::filesystem::permissions(speaks, std::filesystem::perms::owner_all);
  const Outcome made = weft({"data", "digits", folder / "d", "--program", speaks, "--train", "3",
                             "--valid", "1", "--test", "1", "--longest", "2"});
  INFO(made.err);
  REQUIRE(made.code == 0);
  const std::string list = folder.read("d/train.tsv");
  CHECK(list.starts_with("train/00001.wav\t"));
  const std::string text = list.substr(16, list.find('\n') - 16);
  CHECK(folder.read("d/train/00001.wav") == "RIFF " + text);
  const Outcome none = weft({"data", "digits", folder / "e", "--program", folder / "none"});
  CHECK(not_a_clear_refusal(none) == "");
  CHECK(has(none.err, "Debian's package espeak-ng has it"));
  const std::string fails = folder.write("fails", "#!/bin/sh\necho no such voice >&2\nexit 3\n");
  std::filesystem::permissions(fails, std::filesystem::perms::owner_all);
  const Outcome failed = weft({"data", "digits", folder / "e", "--program", fails});
  CHECK(not_a_clear_refusal(failed) == "");
  CHECK(has(failed.err, "ended with code 3: no such voice"));
}

}  // namespace
}  // namespace weft::tests
