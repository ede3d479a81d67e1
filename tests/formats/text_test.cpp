// tests/formats/text_test.cpp -- lines of UTF-8, within limits.
#include "frontend/formats/text.h"

#include "frontend/formats/input_file.h"
#include "ir/error.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

namespace weft::formats {
namespace {

using tests::message_of;
using tests::TemporaryFolder;

std::vector<std::string> lines_of(const std::string& text, LineLimits limits = {}) {
  std::istringstream in(text);
  LineReader reader(in, "text", limits);
  std::vector<std::string> lines;
  while (const auto line = reader.next()) lines.emplace_back(*line);
  return lines;
}

std::string refusal(const std::string& text, LineLimits limits = {}) {
  return message_of<ir::GraphError>([&] { lines_of(text, limits); });
}

using Lines = std::vector<std::string>;

TEST_CASE("text: the last line needs no newline, and a newline makes no line of its own") {
  CHECK(lines_of("") == Lines{});
  CHECK(lines_of("a") == Lines{"a"});
  CHECK(lines_of("a\n") == Lines{"a"});
  CHECK(lines_of("\n\na\n\n") == Lines{"", "", "a", ""});
}

TEST_CASE("text: byte order mark and carriage returns are stripped") {
  CHECK(lines_of("\xEF\xBB\xBF"
                 "a\r\nb\r\n") == Lines{"a", "b"});
  CHECK(lines_of("a\n\xEF\xBB\xBF") == Lines{"a", "\xEF\xBB\xBF"});
  CHECK(lines_of("a\rb") == Lines{"a\rb"});
}

TEST_CASE("text: well-formed sequences of one to four bytes pass") {
  CHECK(lines_of("a \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBF").size() == 1);
}

TEST_CASE("text: what is not UTF-8 is named with its line and byte") {
  CHECK(refusal("good\nab\xE9z\n") == "text:2: is not UTF-8 at byte 3 of the line");
  for (const char* bad : {"\x80", "\xC0\xAF", "\xC3", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xE2\x82",
                          "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"})
    CHECK(refusal(bad) == "text:1: is not UTF-8 at byte 1 of the line");
}

TEST_CASE("text: a line may be as long as the limit, its end not counted, and no longer") {
  CHECK(lines_of("abcd\r\nefgh\n", {.max_bytes = 4}) == Lines{"abcd", "efgh"});
  CHECK(refusal("ab\nabcde\n", {.max_bytes = 4}) == "text:2: is longer than 4 bytes");
  CHECK(refusal(std::string(100, 'x'), {.max_bytes = 4}) == "text:1: is longer than 4 bytes");
}

TEST_CASE("text: behind a line that is at fault the next one is read") {
  std::istringstream in("abcdefgh\nok\n\xE9\n\nx");
  LineReader reader(in, "text", {.max_bytes = 4});
  CHECK_THROWS_AS(reader.next(), LineError);
  CHECK(*reader.next() == "ok");
  CHECK(reader.line() == 2);
  CHECK_THROWS_AS(reader.next(), LineError);
  CHECK(*reader.next() == "");
  CHECK(*reader.next() == "x");
  CHECK(reader.line() == 5);
  CHECK_FALSE(reader.next().has_value());
}

TEST_CASE("text: an endless line is given up at the limit") {
  CHECK(message_of<ir::GraphError>([] { LineReader("/dev/zero").next(); }) ==
        "/dev/zero:1: is longer than 1048576 bytes");
}

TEST_CASE("text: missing files and folders are named") {
  const TemporaryFolder folder;
  const auto open = [](const std::string& path) {
    return message_of<ir::GraphError>([&] { LineReader reader(path); });
  };
  CHECK(open(folder / "none").find("none: cannot open: No such file") != std::string::npos);
  CHECK(open(folder / "").find("is a folder") != std::string::npos);
}

TEST_CASE("text: pipes and devices are read, and a pipe into which nobody writes is given up") {
  const TemporaryFolder folder;
  CHECK(read_text_file("/dev/null").empty());
  CHECK(message_of<ir::GraphError>([] { read_text_file("/dev/zero", 100); }) ==
        "/dev/zero: is longer than 100 bytes");
  const std::string pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const int milliseconds : {0, 200}) {  // the second time, the reader is there first
    std::thread writer([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
      std::ofstream(pipe) << "a b\nc";
    });
    CHECK(read_text_file(pipe) == "a b\nc");
    writer.join();
  }
  CHECK(message_of<ir::GraphError>([&] { LineReader lines(pipe); }) ==
        pipe + ": is a pipe into which nobody writes");
}

TEST_CASE("text: a whole file is checked like its lines") {
  const TemporaryFolder folder;
  CHECK(read_text_file(folder.file("a", "\xEF\xBB\xBFx = 1\n")) == "x = 1\n");
  const std::string bad = folder.file("b", "x\ny\xFF\n");
  CHECK(message_of<ir::GraphError>([&] { read_text_file(bad); }) == bad + ":2: is not UTF-8");
  const std::string large = folder.file("c", "12345");
  CHECK(message_of<ir::GraphError>([&] { read_text_file(large, 4); }) ==
        large + ": has 5 bytes, at most 4 are accepted");
}

}  // namespace
}  // namespace weft::formats
