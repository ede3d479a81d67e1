// tests/cli/model_test.cpp -- weft train, translate, evaluate, attend, dump on a model that is
// learnt in seconds.
#include "ir/text/text.h"
#include "tests/cli/program.h"

#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>

namespace weft::tests {
namespace {

// a b c -> x y z: letters to other letters, one by one.
std::string examples(int seed, int lines) {
  std::string text;
  auto state = static_cast<uint32_t>(seed);
  const auto next = [&state](uint32_t n) {
    return (state = state * 1664525U + 1013904223U) / 65536U % n;
  };
  for (int i = 0; i < lines; ++i) {
    std::string source, target;
    for (uint32_t n = 2 + next(4); n > 0; --n) {
      const auto letter = static_cast<char>(next(4));
      source += std::string(source.empty() ? "" : " ") + static_cast<char>('a' + letter);
      target += std::string(target.empty() ? "" : " ") + static_cast<char>('w' + letter);
    }
    text += source + "\t" + target + "\n";
  }
  return text;
}

std::string recipe(int steps, const std::string& more = "") {
  return "[data]\ntrain = \"train.tsv\"\nvalid = \"valid.tsv\"\n[model]\nembedding = 16\nhidden = "
         "24\n[batch]\nmax_rows = 16\n"
         "[optimizer]\nlearning_rate = 1e-2\n" +
         more + "[training]\nsteps = " + std::to_string(steps) +
         "\nvalidate_every = 100\nseed = 3\n";
}

struct Task {
  Folder folder;
  std::string recipe_file, model = folder / "model";
  explicit Task(int steps = 300) {
    folder.write("train.tsv", examples(1, 400));
    folder.write("valid.tsv", examples(2, 40));
    folder.write("test.tsv", examples(3, 40));
    recipe_file = folder.write("r.toml", recipe(steps));
  }
  Outcome train(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"train", recipe_file, "--out", model});
    return weft(more);
  }
};

TEST_CASE("model: trained, it translates, is evaluated, drawn and dumped") {
  Task task;
  const Outcome trained = task.train();
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  CHECK(trained.out.empty());

  SUBCASE("a line comes out for each line in, also for empty ones and unknown tokens") {
    const Outcome o = weft({"translate", task.model}, "a b c\n\nd a\r\na ? b");
    CHECK(o.code == 0);
    CHECK(std::count(o.out.begin(), o.out.end(), '\n') == 4);
    CHECK(o.out.starts_with("w x y\n\nz w\n"));
    CHECK(weft({"translate", task.model}, "").out.empty());
  }
  SUBCASE("a line's translation does not depend on its neighbours") {
    const std::string alone = weft({"translate", task.model}, "a b c d a\n").out;
    CHECK(weft({"translate", task.model}, "d\na b c d a\nb b b b b b b\n").out.find("\n" + alone) !=
          std::string::npos);
  }
  SUBCASE("bad lines are refused, and nothing comes out") {
    const std::string long_line(3 << 20, 'a');
    for (const std::string& bad : {std::string("a\n\xFF\xFE\n"), long_line, [] {
                                     std::string s;
                                     for (int i = 0; i < 5000; ++i) s += "a ";
                                     return s;
                                   }()})
      CHECK(not_a_clear_refusal(weft({"translate", task.model}, bad)) == "");
    CHECK(not_a_clear_refusal(weft({"translate", task.model, "--input", task.folder / "nope", "-o",
                                    task.folder / "out"})) == "");
    CHECK_FALSE(task.folder.has("out"));
  }
  SUBCASE("a beam's best of each line, ranked, with scores") {
    const Outcome o =
        weft({"translate", task.model, "--beam", "4", "--nbest", "2"}, "a b c\n\nd a\n");
    CHECK(o.code == 0);
    CHECK(std::count(o.out.begin(), o.out.end(), '\n') == 4);
    CHECK(o.out.starts_with("0\t-"));
    CHECK(o.out.find("\tw x y\n") != std::string::npos);
    CHECK(o.out.find("\n2\t-") != std::string::npos);
    CHECK(weft({"translate", task.model, "--beam", "4", "--length-penalty", "1"}, "a b c\n").out ==
          "w x y\n");
    CHECK(not_a_clear_refusal(weft({"translate", task.model, "--beam", "2", "--nbest", "3"}, "a\n"),
                              2) == "");
    CHECK(not_a_clear_refusal(weft({"translate", task.model, "--beam", "0"}, "a\n"), 2) == "");
  }
  SUBCASE("error rates, the closest of several references counting") {
    const Outcome o = weft({"evaluate", task.model, "--data", task.folder / "test.tsv"});
    CHECK(o.code == 0);
    CHECK(o.out.starts_with("PER "));
    CHECK(weft({"evaluate", task.model, "--data", task.folder / "test.tsv", "--beam", "3"})
              .out.starts_with("PER "));
    CHECK(
        weft({"evaluate", task.model, "--data", task.folder.write("r.tsv", "a b\tz z\na b\tw x\n")})
            .out.find("0.00 % (0 of 1 words)") != std::string::npos);
    CHECK(not_a_clear_refusal(weft(
              {"evaluate", task.model, "--data", task.folder.write("bad.tsv", "a b\n")})) == "");
  }
  SUBCASE("attention as a picture") {
    REQUIRE(weft({"attend", task.model, "a b <c", "-o", task.folder / "a.svg"}).code == 0);
    CHECK(task.folder.read("a.svg").find(">&lt;c<") != std::string::npos);
    CHECK(weft({"attend", task.model, "a b", "--beam", "3", "--rank", "3"}).out.find("<svg") !=
          std::string::npos);
    CHECK(not_a_clear_refusal(weft({"attend", task.model, "a b", "--rank", "2"}), 2) == "");
    CHECK(not_a_clear_refusal(weft({"attend", task.model, "  ", "-o", task.folder / "b.svg"}), 2) ==
          "");
  }
  SUBCASE("the training step at every stage, of the model and of its recipe") {
    for (const std::string& what : {task.model, task.recipe_file})
      for (const std::string stage : {"built", "fused", "differentiated", "optimised"}) {
        INFO(what << " " << stage);
        const Outcome o = weft({"dump", what, "--stage", stage});
        REQUIRE(o.code == 0);
        CHECK_NOTHROW(ir::parse(o.out));
        CHECK(weft({"dump", what, "--stage", stage, "--format", "svg"}).out.ends_with("</svg>\n"));
      }
    CHECK(weft({"dump", task.model, "--stage", "planned", "--bind", "B=4", "--bind", "S=5",
                "--bind", "T=5"})
              .out.find("arena") != std::string::npos);
    CHECK(weft({"dump", task.model, "--stage", "fused", "--explain"}).err.find("fuse_attention") !=
          std::string::npos);
  }
  SUBCASE("files of the model that are cut off are refused by name") {
    for (const std::string name :
         {"model.toml", "source.vocab", "target.vocab", "best.safetensors"}) {
      INFO(name);
      const std::string path = task.model + "/" + name;
      const std::string whole = task.folder.read("model/" + name);
      for (const size_t size : {size_t{0}, size_t{5}, whole.size() / 2}) {
        task.folder.write("model/" + name, whole.substr(0, size));
        const Outcome o = weft({"translate", task.model}, "a\n");
        CHECK(not_a_clear_refusal(o) == "");
        CHECK(o.err.find(task.model) != o.err.npos);
      }
      task.folder.write("model/" + name, whole);
    }
    CHECK(weft({"translate", task.model}, "a\n").code == 0);
  }
}

TEST_CASE("train: stopping and resuming gives the bytes of one run") {
  Task whole(60), parts(60);
  REQUIRE(whole.train().code == 0);
  parts.folder.write("r.toml", recipe(25));
  REQUIRE(parts.train().code == 0);
  parts.folder.write("r.toml", recipe(60));
  REQUIRE(parts.train({"--resume"}).code == 0);
  CHECK(whole.folder.read("model/last.safetensors") == parts.folder.read("model/last.safetensors"));
}

TEST_CASE("train: a model is not overwritten, none is not resumed, another recipe's is refused") {
  Task task(5);
  CHECK(not_a_clear_refusal(task.train({"--resume"})) == "");
  REQUIRE(task.train().code == 0);
  const std::string before = task.folder.read("model/last.safetensors");
  CHECK(not_a_clear_refusal(task.train()) == "");
  std::string other = recipe(5);
  other.replace(other.find("hidden = 24"), 11, "hidden = 32");
  task.folder.write("r.toml", other);
  CHECK(not_a_clear_refusal(task.train({"--resume"})) == "");
  CHECK(task.folder.read("model/last.safetensors") == before);
}

TEST_CASE("train: bad recipes and data are refused at their line and leave no folder") {
  const auto refused = [](const std::string& recipe_text, const std::string& train,
                          const std::string& names) {
    Task task(5);
    task.folder.write("r.toml", recipe_text);
    if (!train.empty()) task.folder.write("train.tsv", train);
    const Outcome o = task.train();
    INFO(names << ": " << o.err);
    CHECK(not_a_clear_refusal(o) == "");
    CHECK(o.err.find(names) != o.err.npos);
    CHECK_FALSE(task.folder.has("model"));
  };
  refused("", "", "r.toml");
  refused("[data\n", "", "r.toml:1");
  refused(recipe(5, "nonsense = 1\n"), "", "r.toml:11");
  refused(recipe(5, "beta1 = \"x\"\n"), "", "r.toml:11");
  refused("\xFF\xFE", "", "r.toml");
  refused(std::string(200000, '['), "", "r.toml");
  refused("[data]\ntrain = \"nope.tsv\"\nvalid = \"valid.tsv\"\n", "", "nope.tsv");
  refused(recipe(5, "beta1 = 1\n"), "", "r.toml:11");
  refused(recipe(5, "beta2 = 1\n"), "", "r.toml:11");
  std::string positions = recipe(5);
  positions.replace(positions.find("embedding = 16\nhidden = 24"), 26,
                    "family = \"transformer\"\npositions = \"learned\"\nmax_positions = 4");
  refused(positions, "a b\tx y\na b c d e\tx\n",
          "train.tsv:2: error: the source has 5 tokens, model.max_positions is 4 (");
  refused(positions, "a b\tx y\na\tx y z w\n",
          "train.tsv:2: error: the target has 4 tokens and </s>, model.max_positions is 4 (");
  refused(recipe(5), "a b c\n", "train.tsv:1");
  refused(recipe(5), "a\tb\n\tb\n", "train.tsv:2");
  refused(recipe(5), "a\tb\n\xC0\x80\tb\n", "train.tsv:2");
}

}  // namespace
}  // namespace weft::tests
