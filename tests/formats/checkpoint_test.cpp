// tests/formats/checkpoint_test.cpp -- files of tensors, opened by what is in them.
#include "frontend/formats/checkpoint.h"

#include "frontend/formats/npz.h"
#include "frontend/formats/safetensors.h"
#include "ir/error.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

namespace weft::formats {
namespace {

using ir::Array;
using ir::DType;
using ir::NamedArray;
using ir::NamedArrays;
using tests::message_of;
using tests::TemporaryFolder;

NamedArrays two_tensors() {
  return {{"a", Array::of(DType::f32, {2}, std::vector<double>{1, 2})},
          {"b/c", Array::of(DType::f32, {1, 3}, std::vector<double>{3, 4, 5})}};
}

std::string sharded(const TemporaryFolder& folder, const std::string& map) {
  const NamedArrays all = two_tensors();
  write_safetensors(folder / "one", {{"a", all.at("a")}});
  write_safetensors(folder / "two", {{"b/c", all.at("b/c")}});
  return folder.file("index.bin", "{\"metadata\": {}, \"weight_map\": " + map + "}");
}

TEST_CASE("checkpoint: every format is told by its bytes, whatever its name") {
  const TemporaryFolder folder;
  const NamedArrays all = two_tensors();
  write_safetensors(folder / "a.npz", all);
  write_npz(folder / "b.safetensors", all);
  const std::string index = sharded(folder, R"({"a": "one", "b/c": "two"})");
  for (const std::string& path : {folder / "a.npz", folder / "b.safetensors", index}) {
    CAPTURE(path);
    const auto checkpoint = open_checkpoint(path);
    REQUIRE(checkpoint->entries().size() == 2);
    for (const NamedArray& t : all) {
      REQUIRE(checkpoint->find(t.name) != nullptr);
      CHECK(checkpoint->find(t.name)->dims == t.array.dims());
      CHECK(checkpoint->read(t.name).same_bytes(t.array));
    }
    CHECK(message_of<ir::GraphError>([&] { checkpoint->read("z"); }).starts_with(path + ": "));
  }
}

TEST_CASE("checkpoint: what is no file of tensors is said") {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& bytes) {
    const std::string path = folder.file("x", bytes);
    const std::string message = message_of<ir::GraphError>([&] { open_checkpoint(path); });
    CHECK(message.starts_with(path));
    return message.substr(std::min(message.size(), path.size()));
  };
  const std::string none =
      ": is no file of tensors; safetensors, PyTorch's, an index of either (JSON), npz or npy is "
      "needed";
  CHECK(refusal("") == none);
  CHECK(refusal("hello, world") == none);
  CHECK(refusal("{\"a\": ") == ": begins like JSON and is none");
  CHECK(refusal("{\"a\": 1}") == ": is JSON without a \"weight_map\" of tensors to files");
  CHECK(refusal("{\"weight_map\": {\"a\": 3}}") == ": \"weight_map\" names no file for 'a'");
  CHECK(refusal("{\"weight_map\": {\"a\": \"../y\"}}") ==
        ": 'a' is said to be in '../y', which is no file beside it");
}

TEST_CASE("checkpoint: shards hold what their index says, no more and no less") {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& map) {
    const std::string index = sharded(folder, map);
    return message_of<ir::GraphError>([&] { open_checkpoint(index); });
  };
  CHECK(refusal(R"({"a": "two", "b/c": "two"})").find("two: has no 'a', which ") !=
        std::string::npos);
  CHECK(refusal(R"({"a": "one", "z": "two"})").find("two: has no 'z', which ") !=
        std::string::npos);
  CHECK(refusal(R"({"a": "one", "b/c": "three"})").find("three") != std::string::npos);
  write_safetensors(folder / "one", two_tensors());
  const std::string index = folder.file("index.json", R"({"weight_map": {"a": "one"}})");
  CHECK(message_of<ir::GraphError>([&] {
          open_checkpoint(index);
        }).find("one: holds 'b/c', which is not what ") != std::string::npos);
}

TEST_CASE("checkpoint: missing, superfluous and wrongly shaped tensors are named with shapes") {
  const TemporaryFolder folder;
  write_safetensors(folder / "x", two_tensors());
  const auto checkpoint = open_checkpoint(folder / "x");
  const auto check = [&](const std::vector<WantedTensor>& wanted) {
    check_entries(checkpoint->path(), checkpoint->entries(), wanted);
  };
  CHECK_NOTHROW(check({{"a", {2}}, {"b/c", {1, 3}}}));
  CHECK(message_of<ir::GraphError>([&] {
          check({{"a", {3}}, {"d", {4, 5}}});
        }) == (folder / "x") +
                  ": lacks 'd [4,5]'; holds beside what is needed 'b/c f32[1,3]'; has of another "
                  "shape 'a f32[2], needed [3]'");
}

}  // namespace
}  // namespace weft::formats
