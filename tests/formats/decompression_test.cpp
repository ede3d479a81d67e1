// tests/formats/decompression_test.cpp -- what gzip and Zstandard have packed, read as text.
#include "frontend/formats/decompression.h"

#include "frontend/formats/text.h"
#include "ir/error.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <vector>

namespace weft::formats {
namespace {

using tests::message_of;
using tests::TemporaryFolder;

template <size_t N>
std::string bytes(const char (&literal)[N]) {
  return std::string(literal, N - 1);
}

// "one\nzwei\n" and "drei\n", as `gzip -n` and `zstd` pack them.
const std::string
    kGzip = bytes(
        "\x1F\x8B\x08\x00\x00\x00\x00\x00\x02\x03\xCB\xCF\x4B\xE5\xAA\x2A\x4F\xCD\xE4\x02\x00\x06"
        "\xF8\xDB\x87\x09\x00\x00\x00"),
    kMoreGzip = bytes(
        "\x1F\x8B\x08\x00\x00\x00\x00\x00\x02\x03\x4B\x29\x4A\xCD\xE4\x02\x00\xBC\x7E\x50\x71\x05"
        "\x00\x00\x00"),
    kZstandard = bytes(
        "\x28\xB5\x2F\xFD\x04\x58\x49\x00\x00\x6F\x6E\x65\x0A\x7A\x77\x65\x69\x0A\x12\x12\xB6\x02"),
    kMoreZstandard =
        bytes("\x28\xB5\x2F\xFD\x04\x58\x29\x00\x00\x64\x72\x65\x69\x0A\x0E\x5D\x06\x23");

std::vector<std::string> lines_of(const std::string& path) {
  LineReader reader(path);
  std::vector<std::string> lines;
  while (const auto line = reader.next()) lines.emplace_back(*line);
  return lines;
}

using Lines = std::vector<std::string>;

TEST_CASE("decompression: packed text is read as it was, whatever its file is called") {
  const TemporaryFolder folder;
  CHECK(lines_of(folder.file("a.txt", kGzip)) == Lines{"one", "zwei"});
  CHECK(lines_of(folder.file("b.gz", kZstandard)) == Lines{"one", "zwei"});
  CHECK(lines_of(folder.file("c.gz", "plain\n")) == Lines{"plain"});
  CHECK(lines_of(folder.file("d", "(\n")) == Lines{"("});
  CHECK(lines_of(folder.file("e", "(")) == Lines{"("});
  CHECK(lines_of(folder.file("f", "")).empty());
}

TEST_CASE("decompression: members and frames behind each other are one text") {
  const TemporaryFolder folder;
  CHECK(lines_of(folder.file("a", kGzip + kMoreGzip)) == Lines{"one", "zwei", "drei"});
  CHECK(lines_of(folder.file("b", kZstandard + kMoreZstandard)) == Lines{"one", "zwei", "drei"});
}

TEST_CASE("decompression: what is cut off or damaged is told with the file's name") {
  const TemporaryFolder folder;
  for (const std::string& whole : {kGzip, kZstandard, kGzip + kMoreGzip})
    for (size_t size = 4; size < whole.size(); ++size) {
      if (size == kGzip.size() && whole.size() > size) continue;  // whole in itself
      const std::string path = folder.file("cut", whole.substr(0, size));
      CHECK_MESSAGE(message_of<ir::GraphError>([&] { lines_of(path); }).find(path + ": is ") == 0,
                    size);
    }
  std::string flipped = kGzip;
  flipped[flipped.size() - 6] ^= 1;  // the checksum
  const std::string path = folder.file("flipped", flipped);
  CHECK(message_of<ir::GraphError>([&] { lines_of(path); }) ==
        path + ": is gzip data that is damaged: incorrect data check");
  CHECK(message_of<ir::GraphError>([&] {
          lines_of(folder.file("behind", kGzip + "x\n"));
        }).find(": is gzip data that is damaged: ") != std::string::npos);
}

TEST_CASE("decompression: a byte at a time is as good as all at once") {
  const TemporaryFolder folder;
  DecompressedSource source{ByteSource(folder.file("a", kGzip))};
  std::string all;
  char byte = 0;
  while (source.read(&byte, 1) == 1) all += byte;
  CHECK(all == "one\nzwei\n");
  CHECK(source.read(&byte, 1) == 0);
}

}  // namespace
}  // namespace weft::formats
