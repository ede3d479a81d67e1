// tests/cli/bad_input_test.cpp -- malformed files: one line, no signal, no file, quick and small.
#include "frontend/formats/npz.h"
#include "tests/cli/graphs.h"
#include "tests/cli/program.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

namespace weft::tests {
namespace {

std::filesystem::path corpus() {
  const char* shared = std::getenv("WEFT_SHARED");
  return std::filesystem::path(shared ? shared : std::string(WEFT_SOURCE_DIR) + "/../shared") /
         "oracle" / "bad";
}

constexpr const char* kIdentity =
    "graph @g(input %x: f32[A]) -> (y: f32[A]) {\n  %y = exp(%x)\n  return %y\n}\n";

TEST_CASE("bad input: the corpus of .npy files, as inputs") {
  if (!std::filesystem::exists(corpus() / "expect.json")) {
    MESSAGE("skipped: there is no " << corpus().string() << "; WEFT_SHARED can name its folder");
    return;
  }
  Folder folder;
  const std::string graph = folder.write("g.ir", kIdentity);
  std::ifstream file(corpus() / "expect.json");
  int files = 0;
  const auto expected = nlohmann::json::parse(file);
  for (const auto& entry : expected["files"]) {
    const std::string name = entry["file"], expect = entry["expect"];
    if (!name.starts_with("npy/") || name.starts_with("npy/idx_")) continue;
    ++files;
    const std::string path = (corpus() / name).string();
    const Outcome o = weft({"run", graph, "--inputs", path, "--outputs", folder / "out.npz"});
    INFO(name << ": " << o.err);
    CHECK(o.signal == 0);
    if (expect == "reject" || o.code != 0) {
      CHECK(not_a_clear_refusal(o) == "");
      CHECK(o.err.find(path) != o.err.npos);
      CHECK_FALSE(folder.has("out.npz"));
    }
    std::filesystem::remove(folder / "out.npz");
  }
  CHECK(files > 0);
}

TEST_CASE("bad input: everything in the corpus, as a graph and as .npz, is refused") {
  if (!std::filesystem::exists(corpus())) {
    MESSAGE("skipped: there is no " << corpus().string() << "; WEFT_SHARED can name its folder");
    return;
  }
  Folder folder;
  const std::string graph = folder.write("g.ir", kIdentity);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus())) {
    if (!entry.is_regular_file()) continue;
    const std::string path = entry.path().string();
    INFO(path);
    const Outcome as_graph = weft({"opt", path, "-o", folder / "out.ir"});
    CHECK(not_a_clear_refusal(as_graph) == "");
    CHECK(as_graph.err.starts_with(path));
    if (!path.ends_with(".npy"))
      CHECK(not_a_clear_refusal(
                weft({"run", graph, "--inputs", path, "--outputs", folder / "out.npz"})) == "");
    CHECK(folder.names() == std::vector<std::string>{"g.ir"});
  }
}

TEST_CASE(
    "bad input: a graph cut off after any byte is refused or, where only white space is missing, "
    "read") {
  Folder folder;
  const std::string text = kAttention;
  const size_t complete = text.find_last_of('}');
  for (size_t n = 0; n < complete; n += n < 200 ? 1 : 3) {
    const Outcome o = weft({"opt", folder.write("g.ir", text.substr(0, n))});
    INFO("after " << n << " bytes: " << o.err);
    CHECK(not_a_clear_refusal(o) == "");
    CHECK(o.err.find("g.ir:") != o.err.npos);
  }
  CHECK(weft({"opt", folder.write("g.ir", text.substr(0, complete + 1))}).code == 0);
}

TEST_CASE("bad input: flipped bytes of a graph never crash") {
  Folder folder;
  std::mt19937 random(7);
  for (int i = 0; i < 150; ++i) {
    std::string text = i % 2 ? kAttention : kLoop;
    for (int flips = 1 + i % 3; flips > 0; --flips)
      text[random() % text.size()] = static_cast<char>(random());
    const Outcome o = weft({"opt", folder.write("g.ir", text), "--passes=recognise"});
    INFO(o.err << text);
    if (o.code != 0) CHECK(not_a_clear_refusal(o) == "");
  }
}

TEST_CASE(
    "bad input: an .npz cut off or with flipped bytes never crashes and never yields results of a "
    "wrong size") {
  Folder folder;
  const std::string graph = folder.write("g.ir", kIdentity);
  formats::write_npz(folder / "in.npz",
                     {{"x", ir::Array::of<double>(ir::DType::f32, {5}, {1, 2, 3, 4, 5})}});
  const std::string good = folder.read("in.npz");
  std::mt19937 random(8);
  for (int i = 0; i < 120; ++i) {
    std::string bytes = good;
    if (i % 2)
      bytes.resize(random() % bytes.size());
    else
      bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
    const Outcome o = weft({"run", graph, "--inputs", folder.write("bad.npz", bytes)});
    INFO(o.err);
    if (o.code != 0) CHECK(not_a_clear_refusal(o) == "");
    if (o.code == 0) CHECK(o.out == "y: f64[5]\n");
  }
}

std::string nested(int depth) {
  std::string head, tail;
  for (int i = 0; i < depth; ++i) {
    head += "%s = scan(%x) {steps=2}\n(%x) {\n";
    tail += "yield %s\n}\n";
  }
  return "graph @g(input %x: f32[4]) -> (y: f32[4]) {\n" + head + "%s = exp(%x)\n" + tail +
         "return %s\n}\n";
}

TEST_CASE("bad input: nesting is deep enough for use and too deep is refused") {
  Folder folder;
  CHECK(weft({"opt", folder.write("g.ir", nested(8))}).code == 0);
  CHECK(not_a_clear_refusal(weft({"opt", folder.write("g.ir", nested(5000))})) == "");
  const std::string brackets(100000, '(');
  for (const std::string& shape :
       {std::string(100000, '('), std::string("floordiv(") + brackets, std::string(100000, '-')})
    CHECK(not_a_clear_refusal(weft({"opt", folder.write("g.ir", "graph @g(input %x: f32[" + shape +
                                                                    "]) { return %x }")})) == "");
}

TEST_CASE("bad input: sizes that no machine has are refused before anything is allocated") {
  Folder folder;
  formats::write_npz(folder / "in.npz", {{"x", ir::Array::of<double>(ir::DType::f32, {1}, {1})}});
  for (const char* shape :
       {"[1000000,1000000,1000]", "[4611686018427387904,4]", "[9223372036854775807]",
        "[99999999999999999999]", "[1000000,10000000]"})
    for (const std::string backend : {"reference", "onednn"}) {
      INFO(shape << " " << backend);
      const std::string graph = folder.write(
          "g.ir", std::string("graph @g(input %x: f32[1]) {\n  %y = broadcast(%x) {shape=") +
                      shape + "}\n  %z = exp(%y)\n  return %z\n}\n");
      CHECK(not_a_clear_refusal(
                weft({"run", graph, "--inputs", folder / "in.npz", "--backend", backend})) == "");
    }
  const std::string endless =
      folder.write("g.ir",
                   "graph @g(input %x: f32[1]) {\n  %y = scan(%x) {steps=1000000000000000}\n(%c) "
                   "{\n    %d = exp(%c)\n    yield %d\n  }\n  return %y\n}\n");
  CHECK(not_a_clear_refusal(weft({"run", endless, "--inputs", folder / "in.npz"})) == "");
}

TEST_CASE("bad input: a folder, a missing file and a device are no graphs") {
  Folder folder;
  for (const std::string& path : {folder / "", folder / "missing.ir", std::string("/dev/zero"),
                                  std::string("/dev/null"), std::string("")}) {
    INFO(path);
    CHECK(not_a_clear_refusal(weft({"opt", path}), path.empty() ? 2 : 1) == "");
  }
}

TEST_CASE("bad input: a graph whose types do not go together is refused at its line") {
  Folder folder;
  const Outcome o = weft({"opt", folder.write("g.ir",
                                              "graph @g(input %a: f32[2,8], input %b: f32[7,4]) "
                                              "{\n  %c = matmul(%a, %b)\n  return %c\n}\n")});
  CHECK(not_a_clear_refusal(o) == "");
  CHECK(o.err.find("g.ir:2: error: 'matmul'") != o.err.npos);
  CHECK(o.err.find("%a") != o.err.npos);
}

}  // namespace
}  // namespace weft::tests
