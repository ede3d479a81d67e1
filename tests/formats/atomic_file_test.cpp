// tests/formats/atomic_file_test.cpp -- files that appear whole or not at all.
#include "frontend/formats/atomic_file.h"

#include "ir/error.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <thread>

namespace weft::formats {
namespace {

using tests::bytes_of;
using tests::message_of;
using tests::TemporaryFolder;

TEST_CASE("atomic file: a committed file holds what was written, and nothing else is left") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a.txt", "first");
  write_file_atomically(folder / "a.txt", "second, longer");
  CHECK(bytes_of(folder / "a.txt") == "second, longer");
  CHECK(folder.count() == 1);
}

TEST_CASE("atomic file: without commit the old file stays and nothing is left behind") {
  const TemporaryFolder folder;
  folder.file("a.txt", "old");
  {
    AtomicFile file(folder / "a.txt");
    file.write("new");
    CHECK(folder.count() == 2);
  }
  CHECK(bytes_of(folder / "a.txt") == "old");
  CHECK(folder.count() == 1);
}

TEST_CASE("atomic file: what a killed process left behind is taken over") {
  const TemporaryFolder folder;
  folder.file(".a.txt.tmp", "half of something that was longer");
  write_file_atomically(folder / "a.txt", "whole");
  CHECK(bytes_of(folder / "a.txt") == "whole");
  CHECK(folder.count() == 1);
}

TEST_CASE("atomic file: two writers of one path do not meet, and the last commit stands") {
  const TemporaryFolder folder;
  AtomicFile first(folder / "a.txt"), second(folder / "a.txt");
  first.write("first");
  second.write("second");
  second.commit();
  CHECK(bytes_of(folder / "a.txt") == "second");
  first.commit();
  CHECK(bytes_of(folder / "a.txt") == "first");
  CHECK(folder.count() == 1);
}

TEST_CASE("atomic file: a link stays a link, and its target is replaced") {
  const TemporaryFolder folder;
  std::filesystem::create_symlink(folder.file("target.txt", "old"), folder / "link.txt");
  write_file_atomically(folder / "link.txt", "new");
  CHECK(std::filesystem::is_symlink(folder / "link.txt"));
  CHECK(bytes_of(folder / "target.txt") == "new");
}

TEST_CASE("atomic file: a link to a file that is not there yet makes that file") {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("target.txt", folder / "link.txt");
  write_file_atomically(folder / "link.txt", "new");
  CHECK(std::filesystem::is_symlink(folder / "link.txt"));
  CHECK(bytes_of(folder / "target.txt") == "new");
  std::filesystem::create_symlink("round", folder / "round");
  CHECK(message_of<ir::RuntimeError>([&] { write_file_atomically(folder / "round", "x"); }) ==
        folder / "round" + ": cannot write: Too many levels of symbolic links");
}

TEST_CASE("atomic file: folders and missing folders are refused by the name that was given") {
  const TemporaryFolder folder;
  const auto refusal = [](const std::string& path) {
    return message_of<ir::RuntimeError>([&] { write_file_atomically(path, "x"); });
  };
  CHECK(refusal(folder / "") == folder / "" + ": is a folder, not a file to write");
  CHECK(refusal(folder / "no/x") ==
        folder / "no/x" + ": cannot be written to: No such file or directory");
  CHECK(folder.count() == 0);
}

TEST_CASE("atomic file: devices, pipes and open files are written to, not replaced") {
  const TemporaryFolder folder;
  write_file_atomically("/dev/null", "x");
  CHECK(std::filesystem::is_character_file("/dev/null"));
  CHECK(message_of<ir::RuntimeError>([] { write_file_atomically("/dev/full", "x"); }) ==
        "/dev/full: cannot write: No space left on device");

  const std::string pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::string read;
  std::thread reader([&] { read = bytes_of(pipe); });
  write_file_atomically(pipe, "through a pipe");
  reader.join();
  CHECK(read == "through a pipe");

  // What was there before what is written to an open file stays.
  const std::string open = folder.file("open.txt", "before, ");
  const int descriptor = ::open(open.c_str(), O_WRONLY | O_APPEND);
  write_file_atomically("/dev/fd/" + std::to_string(descriptor), "after");
  ::close(descriptor);
  CHECK(bytes_of(open) == "before, after");
}

TEST_CASE(
    "atomic file: a replaced file keeps its permissions, and names may be as long as they get") {
  const TemporaryFolder folder;
  const std::string name(255, 'n');
  folder.file(name, "old");
  std::filesystem::permissions(folder / name, std::filesystem::perms(0600));
  write_file_atomically(folder / name, "new");
  CHECK(bytes_of(folder / name) == "new");
  CHECK(std::filesystem::status(folder / name).permissions() == std::filesystem::perms(0600));
  CHECK(folder.count() == 1);
}

TEST_CASE("atomic file: seeking back overwrites in place") {
  const TemporaryFolder folder;
  AtomicFile file(folder / "a.txt");
  file.write("????tail");
  file.seek(0);
  file.write("head");
  file.commit();
  CHECK(bytes_of(folder / "a.txt") == "headtail");
}

TEST_CASE("atomic file: a refusal names the file as it was asked for, not the hidden one") {
  const TemporaryFolder folder;
  CHECK(message_of<ir::RuntimeError>([&] {
          write_file_atomically(folder / "nope/x", "text");
        }).starts_with((folder / "nope/x") + ": cannot "));
}

}  // namespace
}  // namespace weft::formats
