// tests/formats/safetensors_test.cpp -- the container, and what its header may not say.
#include "frontend/formats/safetensors.h"

#include "ir/error.h"
#include "tests/formats/peak_memory.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

#include <random>

namespace weft::formats {
namespace {

using ir::Array;
using ir::DType;
using ir::NamedArray;
using ir::NamedArrays;
using tests::bytes_of;
using tests::message_of;
using tests::TemporaryFolder;

std::string container(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

// What the error says behind the path.
std::string refusal(const std::string& content) {
  const TemporaryFolder folder;
  const std::string path = folder.file("x.safetensors", content);
  const std::string message = message_of<ir::GraphError>([&] { read_safetensors(path); });
  CHECK(message.starts_with(path + ": "));
  CHECK(message.find('\n') == std::string::npos);
  return message.substr(std::min(message.size(), path.size() + 2));
}

std::string refusal_of(const std::string& entry, const std::string& data = "abcd") {
  return refusal(container("{\"w\":" + entry + "}", data));
}

TEST_CASE("safetensors: every dtype, and the metadata, come back as they were written") {
  const TemporaryFolder folder;
  NamedArrays arrays;
  for (const auto& info : ir::kDTypes)
    arrays.add(std::string(info.name), Array::of(info.dtype, {3}, std::vector<double>{0, 1, 1}));
  arrays.add("scalar", Array::of(DType::f32, {}, std::vector<double>{2.5}));
  arrays.add("empty", Array(DType::f32, {0, 7}));
  const Metadata metadata{{"step", "17"}, {"text", "line\n\"\xC3\xA9\""}};
  write_safetensors(folder / "x", arrays, metadata);
  Metadata read;
  const NamedArrays back = read_safetensors(folder / "x", &read);
  CHECK(read == metadata);
  CHECK(back.size() == arrays.size());
  for (const NamedArray& named : arrays) CHECK(back.at(named.name).same_bytes(named.array));
  CHECK(folder.count() == 1);
}

TEST_CASE("safetensors: the order of arrays does not change the bytes, and data is aligned") {
  const TemporaryFolder folder;
  const NamedArray a{"a", Array(DType::u8, {3})}, b{"b", Array(DType::f64, {2})},
      c{"c", Array(DType::f32, {1})};
  write_safetensors(folder / "x", {a, b, c});
  write_safetensors(folder / "y", {c, b, a});
  CHECK(bytes_of(folder / "x") == bytes_of(folder / "y"));
  const SafetensorsReader reader(folder / "x");
  REQUIRE(reader.entries().size() == 3);
  CHECK(reader.entries()[0].begin % 64 == 0);
  for (const TensorEntry& entry : reader.entries())
    CHECK(entry.begin % ir::bytes(entry.dtype) == 0);
}

TEST_CASE("safetensors: one tensor can be read alone, and a missing one is named") {
  const TemporaryFolder folder;
  write_safetensors(folder / "x", {{"a", Array::of(DType::s32, {2}, std::vector<int>{5, 6})},
                                   {"b", Array(DType::f32, {1})}});
  const SafetensorsReader reader(folder / "x");
  CHECK(reader.read("a").integer_at(1) == 6);
  CHECK(message_of<ir::GraphError>([&] { reader.read("c"); }) ==
        folder / "x" + ": has no tensor \"c\" among its 2");
}

TEST_CASE("safetensors: what is wrong with the file is said") {
  CHECK(refusal("") == "has 0 bytes, a safetensors file at least 8");
  CHECK(refusal(std::string("\xFF\0\0\0\0\0\0\0{}", 10)) ==
        "the header is said to have 255 bytes, 2 are possible");
  CHECK(refusal("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n") ==
        "is a git-lfs pointer; fetch the file itself with git lfs pull");
  CHECK(refusal(container("[]", "")) == "the header does not start with '{'");
  CHECK(refusal(container("{} x", "")).starts_with("the header is not JSON: "));
  CHECK(refusal(container("{}", "x")) == "1 bytes behind the last tensor belong to none");
  CHECK(refusal(container(R"({"a":{"a":{"a":{}}}})", "")) ==
        "the header is nested deeper than 3 levels");
  CHECK(refusal(container(R"({"__metadata__":{"a":1}})", "")) ==
        "__metadata__ entry \"a\" is not a string");
}

TEST_CASE("safetensors: what is wrong with a tensor's entry is said") {
  CHECK(refusal_of("7") == "tensor \"w\" is not described by an object");
  CHECK(refusal_of(R"({"shape":[1],"data_offsets":[0,4]})") == "tensor \"w\" has no dtype");
  CHECK(refusal_of(R"({"dtype":"F31","shape":[1],"data_offsets":[0,4]})") ==
        "tensor \"w\" has dtype \"F31\"; F32 F64 F16 BF16 I64 I32 U32 U8 I8 BOOL can be read");
  CHECK(refusal_of(R"({"dtype":"F32","shape":"1","data_offsets":[0,4]})") ==
        "tensor \"w\" has a shape that is not a list");
  CHECK(refusal_of(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})") ==
        "tensor \"w\" has -1 in its shape, where an integer from 0 to 2^62 is needed");
  CHECK(refusal_of(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4.0]})") ==
        "tensor \"w\" has 4.0 in its data_offsets, where an integer from 0 to 2^62 is needed");
  CHECK(refusal_of(R"({"dtype":"F32","shape":[1],"data_offsets":[0]})") ==
        "tensor \"w\" has 1 data_offsets, 2 are needed");
  CHECK(refusal_of(R"({"dtype":"F32","shape":[1],"data_offsets":[0,8]})") ==
        "tensor \"w\" takes bytes 0 to 8 of the 4 bytes of data");
  CHECK(refusal_of(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})") ==
        "tensor \"w\" takes 4 bytes, 8 are needed for f32[2]");
  CHECK(refusal_of(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]})") ==
        "tensor \"w\" cannot be: the element count of [4294967296,4294967296] overflows");
}

TEST_CASE("safetensors: tensors neither overlap nor leave holes, and no name is there twice") {
  const auto two = [](const char* second, const std::string& begin, const std::string& end) {
    return std::string(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},")") + second +
           R"(":{"dtype":"U8","shape":[2],"data_offsets":[)" + begin + "," + end + "]}}";
  };
  CHECK(refusal(container(two("b", "3", "5"), "abcde")) ==
        "tensor \"b\" starts at byte 3 of the data, inside the tensor before it, which ends at 4");
  CHECK(refusal(container(two("b", "5", "7"), "abcdefg")) ==
        "tensor \"b\" starts at byte 5 of the data, leaving a hole behind byte 4");
  CHECK(refusal(container(two("a", "4", "6"), "abcdef")) == "the header has \"a\" twice");
}

TEST_CASE("safetensors: names that are not UTF-8 are not written, and nothing is left behind") {
  const TemporaryFolder folder;
  const auto write = [&] { write_safetensors(folder / "x", {{"\xFF", Array(DType::f32, {1})}}); };
  CHECK_THROWS_AS(write(), ir::GraphError);
  CHECK(folder.count() == 0);
}

TEST_CASE("safetensors: a file cut at any byte is refused") {
  const TemporaryFolder folder;
  write_safetensors(folder / "x", {{"a", Array(DType::f32, {3})}, {"b", Array(DType::u8, {5})}});
  const std::string whole = bytes_of(folder / "x");
  for (size_t size = 0; size < whole.size(); ++size)
    CHECK_MESSAGE(!refusal(whole.substr(0, size)).empty(), size);
}

TEST_CASE("safetensors: flipped bits are refused or read, within the memory the file warrants") {
  const TemporaryFolder folder;
  write_safetensors(folder / "x", {{"a", Array(DType::f32, {3})}, {"b", Array(DType::u8, {5})}},
                    {{"k", "v"}});
  const std::string whole = bytes_of(folder / "x");
  std::mt19937 random(11);
  const int64_t before = tests::peak_memory();
  for (int i = 0; i < 3000; ++i) {
    std::string bad = whole;
    for (uint32_t flips = 1 + random() % 3; flips > 0; --flips)
      bad[random() % bad.size()] ^= static_cast<char>(1 << random() % 8);
    const std::string path = folder.file("bad", bad);
    message_of<ir::GraphError>([&] { read_safetensors(path); });
  }
  CHECK(tests::peak_memory() - before < tests::kModestMemory);
}

TEST_CASE("safetensors: a view holds what is read, and still does when the file is replaced") {
  const TemporaryFolder folder;
  const std::string path = folder / "x";
  Array a(DType::f32, {300, 70}), flags(DType::pred, {3}), half(DType::f16, {5});
  for (int64_t i = 0; i < a.size(); ++i) a.set(i, static_cast<double>(i));
  flags.set_integer(1, 1);
  const NamedArrays all{
      {"a", a}, {"flags", flags}, {"half", half}, {"none", Array(DType::f32, {0, 4})}};
  write_safetensors(path, all);
  const SafetensorsReader reader(path);
  for (const NamedArray& t : all) CHECK(reader.view(t.name).same_bytes(t.array));
  const Array view = reader.view("a");
  write_safetensors(path, {{"a", Array(DType::f32, {300, 70})}});
  CHECK(view.same_bytes(a));
  reader.will_need();
  view.release();
  CHECK(view.same_bytes(a));
  // Data at an odd place is copied.
  folder.file("odd", container("{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}} ",
                               "abcd"));
  const SafetensorsReader odd(folder / "odd");
  CHECK(odd.view("w").same_bytes(odd.read("w")));
}

}  // namespace
}  // namespace weft::formats
