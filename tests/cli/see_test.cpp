// tests/cli/see_test.cpp -- weft dump --memory and --focus, run --trace, bench, memory budgets.
#include "frontend/formats/npz.h"
#include "tests/cli/graphs.h"
#include "tests/cli/program.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <iterator>

namespace weft::tests {
namespace {

std::string recipe_in(const Folder& folder,
                      const std::string& model = "embedding = 16\nhidden = 32\n") {
  std::string lines;
  for (int i = 0; i < 40; ++i) lines += "a b c d\tw x y z\na b\tw x\n";
  folder.write("train.tsv", lines);
  return folder.write("r.toml", "[data]\ntrain = \"train.tsv\"\nvalid = \"train.tsv\"\n[model]\n" +
                                    model + "[batch]\nmax_rows = 8\n[training]\nsteps = 4\n");
}

std::string transformer_in(const Folder& folder) {
  return recipe_in(folder,
                   "family = \"transformer\"\nwidth = 32\nheads = 2\nfeed_forward = 64\n"
                   "encoder_layers = 2\ndecoder_layers = 2\n");
}

TEST_CASE("dump --memory: the arena over time as text and picture, of graphs and of recipes") {
  Folder folder;
  const std::string graph = folder.write("a.ir", kAttention);
  const std::vector<std::string> sizes = {"--bind", "B=4", "--bind", "S=6", "--bind", "D=8"};
  std::vector<std::string> words = {"dump", graph, "--memory"};
  words.insert(words.end(), sizes.begin(), sizes.end());
  const Outcome text = weft(words);
  REQUIRE(text.code == 0);
  CHECK(text.out.starts_with("memory of @attention: arena of "));
  CHECK(text.out.find("held at the peak") != text.out.npos);
  words.insert(words.end(), {"-o", folder / "a.svg"});
  REQUIRE(weft(words).code == 0);
  CHECK(folder.read("a.svg").ends_with("</svg>\n"));
  CHECK(weft({"dump", recipe_in(folder), "--memory"}).out.find("optimizer") != std::string::npos);
  CHECK(not_a_clear_refusal(weft({"dump", graph, "--memory"}), 2) == "");
  CHECK(not_a_clear_refusal(weft({"dump", graph, "--memory", "--format", "dot"}), 2) == "");
}

TEST_CASE("dump --focus: what is near a value; names that there are not are refused") {
  Folder folder;
  const std::string graph = folder.write("a.ir", kAttention);
  const Outcome o = weft({"dump", graph, "--focus", "%a", "--radius", "1", "--format", "json"});
  REQUIRE(o.code == 0);
  CHECK(nlohmann::json::parse(o.out)["boxes"].size() == 3);
  CHECK(not_a_clear_refusal(weft({"dump", graph, "--focus", "%zz", "--format", "json"})) == "");
  CHECK(not_a_clear_refusal(weft({"dump", graph, "--focus", "%a"}), 2) == "");
}

TEST_CASE("run --trace: every step of the loop is an event") {
  Folder folder;
  ir::NamedArrays in;
  in.add("x", ir::Array(ir::DType::f32, {5, 2, 4}));
  in.add("s0", ir::Array(ir::DType::f32, {2, 3}));
  in.add("n", ir::Array::of<int32_t>(ir::DType::s32, {2}, {5, 3}));
  in.add("W", ir::Array(ir::DType::f32, {4, 3}));
  in.add("U", ir::Array(ir::DType::f32, {3, 3}));
  formats::write_npz(folder / "in.npz", in);
  const Outcome o = weft({"run", folder.write("a.ir", kLoop), "--inputs", folder / "in.npz",
                          "--backend", "onednn", "--trace", folder / "t.json"});
  INFO(o.err);
  REQUIRE(o.code == 0);
  int steps = 0, loops = 0;
  const auto trace = nlohmann::json::parse(folder.read("t.json"));
  for (const auto& e : trace["traceEvents"]) {
    steps += e.value("cat", "") == "step";
    loops += e.value("cat", "") == "loop";
  }
  CHECK(steps == 5);
  CHECK(loops == 1);
}

TEST_CASE("stages: docs/stages.md is what the command makes of docs/decoder.ir now") {
  const std::string docs = std::string(WEFT_SOURCE_DIR) + "/docs/";
  Outcome o = weft({"stages", docs + "decoder.ir"});
  REQUIRE(o.code == 0);
  // It is made in that folder, so lines are named without it.
  for (size_t at = 0; (at = o.out.find(docs, at)) != o.out.npos;) o.out.erase(at, docs.size());
  std::ifstream file(docs + "stages.md");
  const std::string current((std::istreambuf_iterator<char>(file)), {});
  CHECK_MESSAGE(o.out == current, "docs/update makes it current");
}

TEST_CASE("bench: speed for each number of threads, and where the time goes") {
  Folder folder;
  const Outcome o = weft(
      {"bench", recipe_in(folder), "--steps", "2", "--threads", "1", "--trace", folder / "t.json"});
  INFO(o.err);
  REQUIRE(o.code == 0);
  for (const char* word : {"tokens/s", "peak, real", "arena", "of its limit", "matmul"})
    CHECK(o.out.find(word) != o.out.npos);
  CHECK(nlohmann::json::parse(folder.read("t.json"))["traceEvents"].size() > 10);
}

TEST_CASE("bench attention: a window against all keys, time and memory by the number of keys") {
  for (const char* score : {"dot", "additive"}) {
    const Outcome o = weft({"bench", "attention", "--window", "16", "--keys", "64,200", "--heads",
                            "2", "--width", "8", "--score", score, "--threads", "1"});
    INFO(o.err);
    REQUIRE(o.code == 0);
    for (const char* word :
         {"a window of 16 keys", "window memory", " 64 forward", "200 forward + "})
      CHECK(o.out.find(word) != o.out.npos);
  }
  CHECK(weft({"bench", "attention", "--window", "0"}).code == 2);
  CHECK(weft({"bench", "attention", "--keys", "8,x"}).code == 2);
  CHECK(weft({"bench"}).code == 2);
}

TEST_CASE("a transformer's recipe is inspected, timed and written down like any other") {
  Folder folder;
  const std::string recipe = transformer_in(folder);
  const Outcome page = weft({"inspect", recipe, "-o", folder / "page.json"}, {}, 600);
  INFO(page.err);
  REQUIRE(page.code == 0);
  CHECK(folder.read("page.json").find("fuse_attention") != std::string::npos);
  const Outcome bench = weft({"bench", recipe, "--steps", "1", "--threads", "1"});
  INFO(bench.err);
  REQUIRE(bench.code == 0);
  CHECK(bench.out.find("attention") != bench.out.npos);
  const Outcome stages = weft({"stages", recipe});
  INFO(stages.err);
  REQUIRE(stages.code == 0);
  CHECK(stages.out.find("## optimised") != stages.out.npos);
}

TEST_CASE("memory budget: of a stack of layers a tenth less is met by computing again") {
  Folder folder;
  const std::string recipe = transformer_in(folder);
  const std::vector<std::string> sizes = {"--steps", "1", "--threads", "1", "--bind", "B=64"};
  const auto bench = [&](const std::string& budget) {
    std::vector<std::string> words = {"bench", recipe, "--memory-budget", budget};
    words.insert(words.end(), sizes.begin(), sizes.end());
    return weft(words, {}, 600);  // every policy is compiled
  };
  const Outcome ample = bench("10GB");
  INFO(ample.err);
  REQUIRE(ample.code == 0);
  const double whole = std::stod(ample.err.substr(ample.err.find("a step needs ") + 13));
  const Outcome tight = bench(std::to_string(whole * 0.9) + "MB");
  INFO(tight.err);
  REQUIRE(tight.code == 0);
  CHECK(tight.err.find("recomputes the forward pass in") != tight.err.npos);
}

TEST_CASE("memory budget: met by computing again, and said; refused where nothing meets it") {
  Folder folder;
  const std::string recipe = recipe_in(folder);
  const Outcome ample =
      weft({"train", recipe, "--out", folder / "a", "--memory-budget", "1GB"}, {}, 600);
  INFO(ample.err);
  REQUIRE(ample.code == 0);
  CHECK(ample.err.find("recomputes no more than it would without a budget") != ample.err.npos);
  const Outcome refused =
      weft({"train", recipe, "--out", folder / "b", "--memory-budget", "10kB"}, {}, 600);
  CHECK(not_a_clear_refusal(refused, 1, 600) == "");
  CHECK(refused.err.find("needs at least") != refused.err.npos);
  CHECK_FALSE(folder.has("b"));
  // The least that it says is needed is enough.
  const size_t at = refused.err.find("needs at least ") + 15;
  const double least = std::stod(refused.err.substr(at)) + 0.05;
  const Outcome tight = weft(
      {"train", recipe, "--out", folder / "c", "--memory-budget", std::to_string(least) + "MB"}, {},
      600);
  INFO(tight.err);
  CHECK(tight.code == 0);
  CHECK(tight.err.find("memory budget") != tight.err.npos);
  CHECK(not_a_clear_refusal(
            weft({"train", recipe, "--out", folder / "d", "--memory-budget", "lots"})) == "");
}

}  // namespace
}  // namespace weft::tests
