// tests/formats/bad_corpus_test.cpp -- a corpus of malformed files that lies outside the project.
//
// Looked for in $WEFT_SHARED, else in ../shared beside the project. Its expect.json says for each
// file whether it must be rejected, must be accepted, or may be either.
#include "frontend/formats/checkpoint.h"
#include "frontend/formats/npz.h"
#include "frontend/formats/safetensors.h"
#include "frontend/formats/text.h"
#include "ir/error.h"
#include "models/data/parallel_text.h"
#include "tests/formats/peak_memory.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

namespace weft {
namespace {

std::filesystem::path corpus() {
  const char* shared = std::getenv("WEFT_SHARED");
  const std::filesystem::path root =
      shared ? std::filesystem::path(shared) : std::filesystem::path(WEFT_SOURCE_DIR) / "../shared";
  return root / "oracle" / "bad";
}

// Calls `read` for every file of `folder`, and compares with what is expected.
void check_folder(const std::string& folder, const std::function<void(const std::string&)>& read) {
  if (!std::filesystem::exists(corpus() / "expect.json")) {
    MESSAGE("skipped: there is no " << corpus().string() << "; WEFT_SHARED can name its folder");
    return;
  }
  std::ifstream file(corpus() / "expect.json");
  const auto expected = nlohmann::json::parse(file);
  const int64_t memory = tests::peak_memory();
  const auto start = std::chrono::steady_clock::now();
  int files = 0;
  for (const auto& entry : expected["files"]) {
    const std::string name = entry["file"], expect = entry["expect"], why = entry["why"];
    if (!name.starts_with(folder + "/")) continue;
    ++files;
    const std::string path = (corpus() / name).string();
    const std::string error = tests::message_of<ir::GraphError>([&] { read(path); });
    INFO(name << " (" << why << "): " << (error.empty() ? "accepted" : error));
    CHECK((error.empty() || error.starts_with(path)));
    CHECK(error.find('\n') == std::string::npos);
    CHECK(error.size() < path.size() + 300);
    if (expect == "reject") CHECK(!error.empty());
    if (expect == "accept") CHECK(error.empty());
  }
  CHECK(files > 0);
  CHECK(tests::peak_memory() - memory < tests::kModestMemory);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));
}

TEST_CASE("bad corpus: .npy files are rejected or accepted as expected") {
  check_folder("npy", [](const std::string& path) {
    const ir::Array array = formats::read_npy(path);
    // The two whose bytes are well-formed are wrong as token ids.
    if (path.find("/idx_") == std::string::npos) return;
    for (int64_t i = 0; i < array.size(); ++i)
      if (array.integer_at(i) < 0 || array.integer_at(i) >= 32000)
        throw ir::GraphError(path + ": outside the vocabulary");
  });
}

TEST_CASE("bad corpus: .safetensors files are rejected or accepted as expected") {
  check_folder("safetensors", [](const std::string& path) { formats::read_safetensors(path); });
}

TEST_CASE("bad corpus: indices of shards are rejected or accepted as expected") {
  check_folder("index", [](const std::string& path) { formats::open_checkpoint(path); });
}

TEST_CASE("bad corpus: text files are rejected or accepted as expected") {
  check_folder("text", [](const std::string& path) {
    formats::LineReader lines(path);
    while (lines.next()) {
    }
  });
}

TEST_CASE("bad corpus: .tsv files are rejected or accepted as expected") {
  check_folder("tsv", [](const std::string& path) { data::read_pairs({.source = path}); });
}

}  // namespace
}  // namespace weft
