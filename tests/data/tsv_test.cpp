// tests/data/tsv_test.cpp -- source<TAB>target, and lines that are not.
#include "models/data/tsv.h"

#include "ir/error.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

namespace weft::data {
namespace {

using tests::TemporaryFolder;

std::string refusal(const std::string& text, const TsvOptions& options = {}) {
  const TemporaryFolder folder;
  const std::string path = folder.file("x.tsv", text);
  const std::string message = tests::message_of<ir::GraphError>([&] { read_tsv(path, options); });
  CHECK(message.starts_with(path + ":"));
  return message.substr(std::min(message.size(), path.size()));
}

TEST_CASE(
    "tsv: sides are as they stand but for spaces around them, and the id is the line's number") {
  const TemporaryFolder folder;
  const Examples examples = read_tsv(folder.file("x.tsv", "w o r d\tW ER D\r\n a  \t b c"));
  REQUIRE(examples.size() == 2);
  CHECK(examples[0].source == "w o r d");
  CHECK(examples[0].target == "W ER D");
  CHECK(examples[0].id == 1);
  CHECK(examples[1].source == "a");
  CHECK(examples[1].target == "b c");
  CHECK(examples[1].id == 2);
}

TEST_CASE("tsv: a line that is no example is named, with what was needed") {
  CHECK(refusal("a\tb\nab\n") == ":2: has 0 tabs, source<TAB>target needs one");
  CHECK(refusal("a\tb\tc\n") == ":1: has 2 tabs, source<TAB>target needs one");
  CHECK(refusal("a\tb\n\tb\n") == ":2: the source is empty");
  CHECK(refusal("a\t  \n") == ":1: the target is empty");
  CHECK(refusal("a\tb\n\na\tb\n") == ":2: has 0 tabs, source<TAB>target needs one");
  CHECK(refusal("a\tb\xE9\n") == ":1: is not UTF-8 at byte 4 of the line");
  CHECK(refusal(std::string("a\tb\0c\n", 6)) == ":1: has the control character 0 at byte 4");
  CHECK(refusal("") == ": has no lines, at least one source<TAB>target is needed");
}

TEST_CASE("tsv: too long lines are refused") {
  CHECK(refusal("a\tb\n" + std::string(20, 'x') + "\ty\n", {.max_line_bytes = 16}) ==
        ":2: is longer than 16 bytes");
}

}  // namespace
}  // namespace weft::data
