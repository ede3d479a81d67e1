// tests/formats/pytorch_test.cpp -- files of torch.save: read, and refused without being run.
#include "frontend/formats/pytorch.h"

#include "frontend/formats/checkpoint.h"
#include "frontend/formats/pickle.h"
#include "frontend/formats/safetensors.h"
#include "ir/error.h"
#include "tests/formats/peak_memory.h"
#include "tests/formats/pytorch_file.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

namespace weft::formats {
namespace {

using ir::Array;
using ir::DType;
using tests::message_of;
using tests::TemporaryFolder;
using tests::ZipMaker;
namespace pickle = tests::pickle;  // parts of one

const std::vector<float> kSix = {1, 2, 3, 4, 5, 6};

std::string six_floats() { return pickle::storage("FloatStorage", "0", 6); }

// a is [2,3], b its transpose, c the last of its elements, d a whole number of another storage.
std::string little_pickle() {
  return pickle::dict({{"a", pickle::tensor(six_floats(), 0, {2, 3}, {3, 1})},
                       {"b", pickle::tensor(six_floats(), 0, {3, 2}, {1, 3})},
                       {"c", pickle::tensor(six_floats(), 5, {}, {})},
                       {"d", pickle::tensor(pickle::storage("LongStorage", "1", 1), 0, {1}, {1})}});
}

ZipMaker little_archive(const std::string& described) {
  return {.entries = {{"little/data.pkl", described},
                      {"little/byteorder", "little"},
                      {"little/data/0", tests::bytes_of_values(kSix)},
                      {"little/data/1", tests::bytes_of_values(std::vector<int64_t>{-7})},
                      {"little/version", "3\n"}},
          .zip64 = false};
}

// As versions before 1.6 wrote it.
std::string little_sequence() {
  using namespace pickle;
  return "\x80\x02\x8A\x0Al\xFC\x9C\x46\xF9\x20j\xA8P\x19." + std::string("\x80\x02M\xE9\x03.") +
         "\x80\x02}(" + text("little_endian") + "\x88u." + little_pickle() + "\x80\x02](" +
         text("0") + text("1") + "e." + tests::little(6, 8) + tests::bytes_of_values(kSix) +
         tests::little(1, 8) + tests::bytes_of_values(std::vector<int64_t>{-7});
}

void check_little(const Checkpoint& c) {
  REQUIRE(c.entries().size() == 4);
  CHECK(c.entries()[0].name == "a");
  CHECK(
      c.read("a").same_bytes(Array::of(DType::f32, {2, 3}, std::vector<double>{1, 2, 3, 4, 5, 6})));
  CHECK(
      c.read("b").same_bytes(Array::of(DType::f32, {3, 2}, std::vector<double>{1, 4, 2, 5, 3, 6})));
  CHECK(c.read("c").same_bytes(Array::of(DType::f32, {}, std::vector<double>{6})));
  CHECK(c.read("d").same_bytes(Array::of(DType::s64, {1}, std::vector<int64_t>{-7})));
}

std::string refusal(const TemporaryFolder& folder, const std::string& bytes) {
  const std::string path = folder.file("x.bin", bytes);
  const std::string message =
      message_of<ir::GraphError>([&] { open_checkpoint(path)->read_all(); });
  CAPTURE(message);
  CHECK((message.empty() || message.starts_with(path + ": ")));
  CHECK(message.find('\n') == std::string::npos);
  return message.substr(std::min(message.size(), path.size() + 2));
}
std::string refusal_of_pickle(const std::string& described) {
  const TemporaryFolder folder;
  return refusal(folder, little_archive(described).make());
}

TEST_CASE("pytorch: archives, zip64 or not, and the older sequence of pickles are read") {
  const TemporaryFolder folder;
  ZipMaker archive = little_archive(little_pickle());
  check_little(*open_checkpoint(folder.file("a", archive.make())));
  archive.zip64 = true;
  check_little(*open_checkpoint(folder.file("b", archive.make())));
  check_little(*open_checkpoint(folder.file("c", little_sequence())));
}

TEST_CASE("pytorch: elements are used where they lie, and writing into them changes no file") {
  const TemporaryFolder folder;
  const std::string bytes = little_archive(little_pickle()).make();
  const std::string path = folder.file("a", bytes);
  const auto checkpoint = open_checkpoint(path);
  Array a = checkpoint->read("a"), again = checkpoint->read("a");
  CHECK(a.raw() == again.raw());
  a.set(0, 9);
  CHECK(tests::bytes_of(path) == bytes);
}

TEST_CASE("pytorch: half precision, parameters and an empty tensor are read") {
  const TemporaryFolder folder;
  const std::string half = pickle::storage("HalfStorage", "0", 2),
                    brain = pickle::storage("BFloat16Storage", "1", 2),
                    none = pickle::storage("FloatStorage", "2", 0);
  const ZipMaker archive{
      .entries = {
          {"m/data.pkl",
           pickle::dict({{"h", pickle::call(pickle::name("torch._utils", "_rebuild_parameter"),
                                            {pickle::tensor(half, 0, {2}, {1}), "\x88",
                                             pickle::ordered_dict()})},
                         {"b", pickle::tensor(brain, 0, {2}, {1})},
                         {"e", pickle::tensor(none, 0, {0, 5}, {5, 1})}})},
          {"m/data/0", std::string("\x00\x3C\x00\xC0", 4)},
          {"m/data/1", std::string("\x80\x3F\x00\xC0", 4)},
          {"m/data/2", ""}}};
  const auto c = open_checkpoint(folder.file("a", archive.make()));
  CHECK(c->read("h").dtype() == DType::f16);
  CHECK(c->read("b").dtype() == DType::bf16);
  for (const char* name : {"h", "b"}) {
    CHECK(c->read(name).at(0) == 1);
    CHECK(c->read(name).at(1) == -2);
  }
  CHECK(c->read("e").dims() == ir::Dims{0, 5});
}

TEST_CASE("pytorch: what a pickle asks for beside tensors is refused by its name, and not run") {
  const std::string system =
      "\x80\x02" + pickle::call(pickle::name("os", "system"), {pickle::text("touch pwned")}) + ".";
  CHECK(refusal_of_pickle(system) ==
        "data.pkl: asks for 'os.system', which tensors are not made of; nothing of it was run");
  CHECK(refusal_of_pickle("\x80\x02" + pickle::name("builtins", "eval") + ".")
            .find("'builtins.eval'") != std::string::npos);
  CHECK(refusal_of_pickle("\x80\x04\x8C\x05posix\x8C\x06system\x93.").find("'posix.system'") !=
        std::string::npos);
  CHECK(refusal_of_pickle("\x80\x02(ios\nsystem\n.").find("has the opcode 0x69 at byte 3") !=
        std::string::npos);
  const std::string storage_type = pickle::name("torch", "FloatStorage");
  CHECK(refusal_of_pickle("\x80\x02" + pickle::call(storage_type, {}) + ".") ==
        "data.pkl: calls what cannot be called at byte 24");
}

TEST_CASE("pytorch: tensors outside their storage, or of more elements than it has, are refused") {
  const auto message = [](int64_t offset, const std::vector<int64_t>& dims,
                          const std::vector<int64_t>& strides) {
    return refusal_of_pickle(
        pickle::dict({{"a", pickle::tensor(six_floats(), offset, dims, strides)}}));
  };
  const auto has = [](const std::string& text, const std::string& part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
  };
  has(message(1, {2, 3}, {3, 1}), "[2,3] with strides [3,1] that reaches beyond its storage of 6");
  has(message(7, {0}, {1}), "reaches beyond its storage of 6");
  has(message(0, {7}, {1}), "has more elements than its storage of 6");
  has(message(0, {int64_t{1} << 40, int64_t{1} << 40}, {0, 0}), "than its storage of 6");
  has(message(0, {2}, {INT64_MAX}), "reaches beyond its storage of 6");
  has(message(0, {2, 3}, {1}), "has a tensor [2,3] with strides [1]");
  has(message(-1, {1}, {1}), "has an offset that is no whole number from 0 on");
  has(refusal_of_pickle(pickle::dict(
          {{"a", pickle::tensor(pickle::storage("FloatStorage", "0", 7), 0, {7}, {1})}})),
      "'a' is of 7 elements, for which 28 bytes are needed; data/0 has 24");
  has(refusal_of_pickle(pickle::dict(
          {{"a", pickle::tensor(pickle::storage("FloatStorage", "9", 6), 0, {6}, {1})}})),
      "there is no data/9");
  has(refusal_of_pickle(pickle::dict({{"epoch", pickle::whole(3)}})),
      "has 'epoch', which is no tensor; a file of nothing else is needed");
}

TEST_CASE(
    "pytorch: archives with compressed, linked, outlying, doubled or damaged entries are refused") {
  const TemporaryFolder folder;
  const auto with = [&](const ZipMaker::Entry& entry) {
    ZipMaker archive = little_archive(little_pickle());
    archive.entries.push_back(entry);
    return refusal(folder, archive.make());
  };
  const auto has = [](const std::string& text, const std::string& part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
  };
  has(with({"little/data/2", "x", 8}), "entry 'little/data/2' is compressed by method 8");
  has(with({"little/data/2", "x", 0, 1}), "is encrypted");
  has(with({"little/data/2", "/etc/passwd", 0, 0, 0120777U << 16}), "is a link");
  has(with({"../data/2", "x"}), "is named as a file outside the archive");
  has(with({"/data/2", "x"}), "is named as a file outside the archive");
  has(with({"little/data/0", "x"}), "has the entry 'little/data/0' twice");
  has(with({"other/data.pkl", "x"}), "has both 'little/data.pkl' and 'other/data.pkl'");
  has(with({"little/data/2", "x", 0, 0, 0, 1 << 30}), "the file has fewer");
  std::string damaged = little_archive(little_pickle()).make();
  const std::string six = tests::bytes_of_values(kSix);
  damaged[damaged.find(six)] ^= 1;
  has(refusal(folder, damaged), "'a' is damaged: the checksum of data/0 is another");
  ZipMaker big = little_archive(little_pickle());
  big.entries[1].bytes = "big";
  has(refusal(folder, big.make()), "the byte order 'big'");
  has(refusal(folder, ZipMaker{.entries = {{"readme", "x"}}}.make()), "it has no data.pkl");
}

TEST_CASE("pytorch: an index of several files is read, with files of safetensors among them") {
  const TemporaryFolder folder;
  folder.file("one.bin", little_archive(little_pickle()).make());
  write_safetensors(folder / "two", {{"z", Array::of(DType::f32, {1}, std::vector<double>{8})}});
  const std::string index = folder.file(
      "pytorch_model.bin.index.json",
      R"({"weight_map": {"a": "one.bin", "b": "one.bin", "c": "one.bin", "d": "one.bin", "z": "two"}})");
  const auto c = open_checkpoint(index);
  CHECK(c->entries().size() == 5);
  CHECK(c->read("b").at(1) == 4);
  CHECK(c->read("z").at(0) == 8);
}

// Bytes changed, cut out, doubled, cut off: an error in one line, or the tensors that are there.
TEST_CASE("pytorch: mutations of a file are refused, or change nothing") {
  const TemporaryFolder folder;
  const int64_t memory = tests::peak_memory();
  std::mt19937 random(7);
  const auto draw = [&](size_t below) { return static_cast<size_t>(random() % below); };
  ZipMaker in_zip64 = little_archive(little_pickle());
  in_zip64.zip64 = true;
  const std::string originals[] = {little_archive(little_pickle()).make(), in_zip64.make()};
  const auto whole = open_checkpoint(folder.file("whole", originals[0]))->read_all();
  int refused = 0;
  for (int round = 0; round < 120; ++round) {
    std::string bytes = originals[round % 2];
    for (size_t changes = 1 + draw(3); changes > 0; --changes) {
      const size_t at = draw(bytes.size());
      switch (draw(5)) {
        case 0:
          bytes[at] = static_cast<char>(draw(256));
          break;
        case 1:
          bytes[at] ^= static_cast<char>(1 << draw(8));
          break;
        case 2:
          bytes.erase(at, 1 + draw(8));
          break;
        case 3:
          bytes.insert(at, bytes.substr(draw(bytes.size()), 1 + draw(8)));
          break;
        default:
          bytes.resize(std::max<size_t>(1, at));
          break;
      }
      if (bytes.size() < 2) break;
    }
    const std::string path = folder.file("x.bin", bytes);
    try {
      const auto found = open_checkpoint(path)->read_all();
      for (const auto& t : found)
        if (const Array* known = whole.find(t.name);
            known != nullptr && bytes.starts_with("PK\3\4"))
          CHECK(known->same_bytes(t.array));
    } catch (const ir::GraphError& e) {
      ++refused;
      CHECK(std::string(e.what()).starts_with(path + ": "));
    }
  }
  CHECK(refused > 60);
  CHECK(tests::peak_memory() - memory < tests::kModestMemory);
}

TEST_CASE("pytorch: mutations of a pickle are refused in one line, or are other tensors") {
  const int64_t memory = tests::peak_memory();
  std::mt19937 random(11);
  const auto draw = [&](size_t below) { return static_cast<size_t>(random() % below); };
  const std::string original = little_pickle();
  int refused = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string bytes = original;
    for (size_t changes = 1 + draw(3); changes > 0; --changes) {
      const size_t at = draw(bytes.size());
      switch (draw(3)) {
        case 0:
          bytes[at] = static_cast<char>(draw(256));
          break;
        case 1:
          bytes.erase(at, 1 + draw(6));
          break;
        default:
          bytes.insert(at, bytes.substr(draw(bytes.size()), 1 + draw(16)));
          break;
      }
      if (bytes.empty()) bytes = ".";
    }
    const std::string message =
        message_of<ir::GraphError>([&] { (void)Pickle(bytes, "data.pkl").tensors(); });
    CHECK((message.empty() || message.starts_with("data.pkl: ")));
    CHECK(message.find('\n') == std::string::npos);
    refused += !message.empty();
  }
  CHECK(refused > 1000);
  CHECK(tests::peak_memory() - memory < tests::kModestMemory);
}

}  // namespace
}  // namespace weft::formats
