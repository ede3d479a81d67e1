// tests/formats/npz_test.cpp -- arrays through .npy and .npz, and what is not one.
#include "frontend/formats/npz.h"

#include "frontend/formats/checkpoint.h"
#include "ir/error.h"
#include "tests/formats/peak_memory.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <zip.h>

#include <cstring>
#include <fstream>
#include <random>
#include <thread>

namespace weft::formats {
namespace {

using ir::Array;
using ir::DType;
using ir::NamedArrays;
using tests::bytes_of;
using tests::message_of;
using tests::TemporaryFolder;

// A version 1 file with this header dict and these data bytes.
std::string npy(const std::string& dict, const std::string& data) {
  std::string text = "\x93NUMPY";
  text += '\1';
  text += '\0';
  text += static_cast<char>(dict.size() & 0xFF);
  text += static_cast<char>(dict.size() >> 8);
  return text + dict + data;
}

std::string dict(const std::string& type, const std::string& shape, bool fortran = false) {
  return "{'descr': '" + type + "', 'fortran_order': " + (fortran ? "True" : "False") +
         ", 'shape': " + shape + ", }\n";
}

template <typename T>
std::string bytes(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

Array read(const std::string& content) {
  const TemporaryFolder folder;
  return read_npy(folder.file("x.npy", content));
}

// What the error says behind the path.
std::string refusal(const std::string& content) {
  const TemporaryFolder folder;
  const std::string path = folder.file("x.npy", content);
  const std::string message = message_of<ir::GraphError>([&] { read_npy(path); });
  CHECK(message.starts_with(path + ": "));
  return message.substr(std::min(message.size(), path.size() + 2));
}

bool is(const Array& array, DType dtype, const ir::Dims& dims, std::vector<double> values) {
  if (array.dtype() != dtype || array.dims() != dims) return false;
  for (int64_t i = 0; i < array.size(); ++i)
    if (array.at(i) != values[static_cast<size_t>(i)]) return false;
  return true;
}

TEST_CASE("npy: every dtype comes back as it was written") {
  const TemporaryFolder folder;
  for (const auto& info : ir::kDTypes) {
    const Array array = Array::of(info.dtype, {2, 3}, std::vector<double>{0, 1, 1, 0, 1, 0});
    write_npy(folder / "x.npy", array);
    const Array back = read_npy(folder / "x.npy");
    const DType expected = info.dtype == DType::bf16 ? DType::f32 : info.dtype;
    CHECK(back.same_bytes(array.cast(expected)));
  }
}

TEST_CASE("npy: scalars, vectors and empty arrays keep their shapes") {
  const TemporaryFolder folder;
  for (const ir::Dims& dims : {ir::Dims{}, {1}, {5}, {0}, {3, 0, 2}, {1, 1, 1, 1}}) {
    write_npy(folder / "x.npy", Array(DType::f32, dims));
    CHECK(read_npy(folder / "x.npy").dims() == dims);
    CHECK(bytes_of(folder / "x.npy").find('\n') % 64 == 63);
  }
}

TEST_CASE("npy: types that Weft lacks are widened") {
  CHECK(is(read(npy(dict("<i2", "(2,)"), bytes<int16_t>({-2, 3}))), DType::s32, {2}, {-2, 3}));
  CHECK(
      is(read(npy(dict("<u2", "(2,)"), bytes<uint16_t>({65535, 3}))), DType::s32, {2}, {65535, 3}));
  CHECK(
      is(read(npy(dict("<u8", "(1,)"), bytes<uint64_t>({1ull << 40}))), DType::s64, {1}, {0x1p40}));
  CHECK(refusal(npy(dict("<u8", "(1,)"), bytes<uint64_t>({1ull << 63}))) ==
        "the element 9223372036854775808 of NumPy type u8 exceeds 2^63 - 1");
}

TEST_CASE("npy: big endian and Fortran order are converted") {
  CHECK(is(read(npy(dict(">i4", "(2,)"), std::string("\0\0\0\1\0\0\1\0", 8))), DType::s32, {2},
           {1, 256}));
  CHECK(is(read(npy(dict(">i2", "(1,)"), std::string("\1\2", 2))), DType::s32, {1}, {258}));
  CHECK(is(read(npy(dict("|u1", "(2, 3)", true), "\1\4\2\5\3\6")), DType::u8, {2, 3},
           {1, 2, 3, 4, 5, 6}));
  // Element (i, j, k) of dims (2, 2, 2) lies at i + 2 j + 4 k.
  CHECK(is(read(npy(dict("|u1", "(2, 2, 2)", true), std::string("\0\1\2\3\4\5\6\7", 8))), DType::u8,
           {2, 2, 2}, {0, 4, 2, 6, 1, 5, 3, 7}));
}

TEST_CASE("npy: any byte but zero is true") {
  const Array array = read(npy(dict("|b1", "(3,)"), std::string("\0\1\7", 3)));
  CHECK(std::memcmp(array.raw(), "\0\1\1", 3) == 0);
}

TEST_CASE("npy: the header may be spelled in other ways") {
  const std::string data = bytes<float>({1, 2});
  CHECK(is(read(npy("{\"shape\":(2L,),'fortran_order':False,'descr':'<f4'}", data)), DType::f32,
           {2}, {1, 2}));
}

TEST_CASE("npy: what is wrong with a header is said") {
  const std::string four = "abcd";
  CHECK(refusal("") == "has 0 bytes, a .npy array at least 10");
  CHECK(refusal("PK\3\4......") == "does not start with \\x93NUMPY, as .npy arrays do");
  CHECK(refusal(npy("{'descr': '<f4', 'shape': (1,)}", four)) ==
        "the .npy header has no 'fortran_order'");
  CHECK(refusal(npy(dict("<c8", "(1,)"), four)) ==
        "has elements of NumPy type '<c8'; f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1 can be read");
  CHECK(refusal(npy(dict("<f4", "(-1,)"), four)) == "the .npy header has the negative dim -1");
  CHECK(refusal(npy(dict("<f4", "(99999999999999999999,)"), four)) ==
        "the .npy header has a dim that exceeds 2^63 - 1");
  CHECK(refusal(npy(dict("<f4", "(4611686018427387904, 4)"), four)) ==
        "the element count of [4611686018427387904,4] overflows");
  CHECK(refusal(npy(dict("<f4", "(2,)"), four)) ==
        "[2] of 4 bytes each does not fill the 4 bytes behind the header");
  CHECK(refusal(npy(dict("<f4", "(1,)"), four + "e")) ==
        "[1] of 4 bytes each does not fill the 5 bytes behind the header");
  CHECK(refusal(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", four)) ==
        "the .npy header has a structured 'descr', where one plain type is needed");
  CHECK(refusal(npy("{'descr': '<f4", four)) ==
        "the .npy header has a string without its closing quote");
  CHECK(refusal(npy("{'shape': (1,), 'shape': (1,)}", four)) ==
        "the .npy header has two entries 'shape'");
}

TEST_CASE("npz: names, slashes included, their order, and arrays come back") {
  const TemporaryFolder folder;
  const NamedArrays arrays{{"z", Array::of(DType::f32, {2}, std::vector<double>{1, 2})},
                           {"grad/Wa", Array::of(DType::f64, {1, 1}, std::vector<double>{3})},
                           {"empty", Array(DType::s32, {0, 4})},
                           {"a", Array::of(DType::s64, {}, std::vector<int64_t>{-7})}};
  write_npz(folder / "x.npz", arrays);
  const NamedArrays back = read_npz(folder / "x.npz");
  CHECK(folder.count() == 1);
  REQUIRE(back.size() == arrays.size());
  for (auto a = arrays.begin(), b = back.begin(); a != arrays.end(); ++a, ++b) {
    CHECK(a->name == b->name);
    CHECK(a->array.same_bytes(b->array));
  }
}

TEST_CASE("npz: the same arrays give the same bytes") {
  const TemporaryFolder folder;
  const NamedArrays arrays{{"a", Array(DType::f32, {3})}, {"b", Array(DType::u8, {1000})}};
  write_npz(folder / "x.npz", arrays);
  write_npz(folder / "y.npz", arrays);
  CHECK(bytes_of(folder / "x.npz") == bytes_of(folder / "y.npz"));
}

TEST_CASE("npz: an archive without arrays is written and read") {
  const TemporaryFolder folder;
  write_npz(folder / "x.npz", {});
  CHECK(read_npz(folder / "x.npz").empty());
}

TEST_CASE("npz: a name that is missing is reported with those that are there") {
  const NamedArrays arrays{{"x", Array(DType::f32, {1})}, {"y", Array(DType::f32, {1})}};
  CHECK(message_of<ir::GraphError>([&] { arrays.at("z"); }) ==
        "there is no array named 'z' among the 2 here: x, y");
}

// An archive made by libzip itself, entries deflated or not.
std::string zip_of(const TemporaryFolder& folder, const std::string& name,
                   const std::string& content, int method) {
  const std::string path = folder / "x.npz";
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
  const int64_t index = zip_file_add(archive, name.c_str(), source, 0);
  zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), method, 0);
  zip_close(archive);
  return path;
}

TEST_CASE("npz: deflated entries are read") {
  const TemporaryFolder folder;
  const std::string zeros(4000, '\0');
  const std::string path =
      zip_of(folder, "x.npy", npy(dict("<f4", "(1000,)"), zeros), ZIP_CM_DEFLATE);
  CHECK(bytes_of(path).size() < 1000);
  CHECK(read_npz(path).at("x").size() == 1000);
}

TEST_CASE("npz: errors name the file and the entry") {
  const TemporaryFolder folder;
  const auto refused = [](const std::string& path) {
    return message_of<ir::GraphError>([&] { read_npz(path); });
  };
  std::string path = zip_of(folder, "grad/x.npy", npy(dict("<f4", "(3,)"), "abcd"), ZIP_CM_STORE);
  CHECK(refused(path) == path +
                             ": entry 'grad/x.npy': [3] of 4 bytes each does not fill the 4 "
                             "bytes behind the header");
  path = zip_of(folder, "readme.txt", "hello", ZIP_CM_STORE);
  CHECK(refused(path) == path + ": entry 'readme.txt': its name does not end in .npy");
  CHECK(refused(folder.file("e.npz", "")) == folder / "e.npz" + ": is empty");
  CHECK(refused(folder.file("t.npz", "just text"))
            .starts_with(folder / "t.npz" + ": cannot be read as .npz: "));
  CHECK(refused(folder / "none.npz") ==
        folder / "none.npz" + ": cannot open: No such file or directory");
}

TEST_CASE("npz: a flipped data byte is found by the checksum") {
  const TemporaryFolder folder;
  const std::string path = zip_of(folder, "x.npy", npy(dict("<f4", "(1,)"), "abcd"), ZIP_CM_STORE);
  std::string content = bytes_of(path);
  content[content.find("abcd")] ^= 1;
  folder.file("x.npz", content);
  CHECK(message_of<ir::GraphError>([&] { read_npz(path); }) == path + ": entry 'x.npy': CRC error");
}

TEST_CASE("npz: a file cut at any byte is refused") {
  const TemporaryFolder folder;
  write_npz(folder / "x.npz", {{"a", Array(DType::f32, {3})}, {"b/c", Array(DType::s64, {2, 2})}});
  const std::string whole = bytes_of(folder / "x.npz");
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string path = folder.file("cut.npz", whole.substr(0, size));
    CHECK_MESSAGE(message_of<ir::GraphError>([&] { read_npz(path); }).starts_with(path), size);
  }
}

TEST_CASE("npy: a file cut at any byte is refused") {
  const TemporaryFolder folder;
  write_npy(folder / "x.npy", Array(DType::f32, {2, 3}));
  const std::string whole = bytes_of(folder / "x.npy");
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string path = folder.file("cut.npy", whole.substr(0, size));
    CHECK_MESSAGE(message_of<ir::GraphError>([&] { read_npy(path); }).starts_with(path), size);
  }
}

TEST_CASE("npz: sizes that the file cannot hold are refused before anything is allocated") {
  const TemporaryFolder folder;
  const auto refused_with_size = [&](int method, const std::string& size) {
    const std::string path = zip_of(folder, "x.npy", npy(dict("|u1", "(9,)"), "aaaaaaaaa"), method);
    std::string content = bytes_of(path);
    content.replace(content.find("PK\1\2") + 24, 4, size);  // in the central directory
    folder.file("x.npz", content);
    const int64_t before = tests::peak_memory();
    const std::string message = message_of<ir::GraphError>([&] { read_npz(path); });
    CHECK(tests::peak_memory() - before < tests::kModestMemory);
    return message;
  };
  CHECK(refused_with_size(ZIP_CM_STORE, "\xFF\xFF\xFF\x7F").find("x.npz: ") != std::string::npos);
  CHECK(refused_with_size(ZIP_CM_DEFLATE, "\xFF\xFF\xFF\x7F")
            .ends_with("bytes cannot hold the 2147483647 claimed"));
  CHECK(refused_with_size(ZIP_CM_DEFLATE, std::string("\0\x10\0\0", 4))
            .ends_with("[9] of 1 bytes each does not fill the 4028 bytes behind the header"));
}

TEST_CASE("npz and npy: flipped bits are refused or read, within the memory the file warrants") {
  const TemporaryFolder folder;
  write_npz(folder / "s.npz", {{"a", Array(DType::f32, {3})}, {"b/c", Array(DType::s64, {2, 2})}});
  write_npy(folder / "x.npy", Array(DType::f64, {4, 3}));
  const std::string deflated =
      zip_of(folder, "x.npy", npy(dict("<f4", "(50,)"), std::string(200, 'a')), ZIP_CM_DEFLATE);
  const std::string wholes[] = {bytes_of(folder / "x.npy"), bytes_of(folder / "s.npz"),
                                bytes_of(deflated)};
  std::mt19937 random(7);
  const int64_t before = tests::peak_memory();
  for (size_t i = 0; i < 4500; ++i) {
    std::string bad = wholes[i % 3];
    for (uint32_t flips = 1 + random() % 3; flips > 0; --flips)
      bad[random() % bad.size()] ^= static_cast<char>(1 << random() % 8);
    const std::string path = folder.file("bad", bad);
    const std::string message = message_of<ir::GraphError>([&] {
      if (i % 3 == 0)
        read_npy(path);
      else
        read_npz(path);
    });
    CHECK((message.empty() || message.starts_with(path)));
  }
  CHECK(tests::peak_memory() - before < tests::kModestMemory);
}

TEST_CASE("npz: arrays come through pipes, and are told apart by content") {
  const TemporaryFolder folder;
  const NamedArrays arrays{{"a", ir::Array::of<float>(ir::DType::f32, {2}, {1, 2})}};
  write_npz(folder / "a.npz", arrays);
  write_npy(folder / "a.npy", arrays.at("a"));
  const std::string pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const auto through_pipe = [&](const std::string& file) {
    std::thread writer([&] { std::ofstream(pipe) << bytes_of(file); });
    const NamedArrays read = read_checkpoint(pipe);
    writer.join();
    return read;
  };
  CHECK(through_pipe(folder / "a.npz").at("a").at(1) == 2);
  CHECK(through_pipe(folder / "a.npy").at("").at(1) == 2);
  CHECK(message_of<ir::GraphError>([] { read_checkpoint("/dev/zero"); }) ==
        "/dev/zero: is no file of tensors; safetensors, PyTorch's, an index of either (JSON), npz "
        "or npy "
        "is needed");
}

}  // namespace
}  // namespace weft::formats
