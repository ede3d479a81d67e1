// tests/cli/model_test.cpp -- weft train, translate, evaluate, attend, dump on a model that is
// learnt in seconds.
#include "ir/text/text.h"
#include "tests/cli/program.h"

#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

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
    for (const std::string& bad : {std::string("a\n\xFF\xFE\n"), long_line})
      CHECK(not_a_clear_refusal(weft({"translate", task.model}, bad)) == "");
    CHECK(not_a_clear_refusal(weft({"translate", task.model, "--input", task.folder / "nope", "-o",
                                    task.folder / "out"})) == "");
    CHECK_FALSE(task.folder.has("out"));
  }
  SUBCASE("a line of too many tokens is told, and the others are translated") {
    std::string tokens;
    for (int i = 0; i < 5000; ++i) tokens += "a ";
    const Outcome o = weft({"translate", task.model}, "a b c\n" + tokens + "\nd a\n");
    CHECK(o.code == 1);
    CHECK(o.out == "w x y\n\nz w\n");
    CHECK(o.err.find("standard input:2: has 5000 tokens, at most 1000 are translated") == 0);
    CHECK(o.err.find("1 of 3 lines are too long and were not translated") != std::string::npos);
  }
  SUBCASE("results that were cut say so, with their lines") {
    const Outcome o = weft({"translate", task.model, "--max-length", "2"}, "a\na b c\n\nd a b a\n");
    CHECK(o.code == 0);
    CHECK(o.out == "w\nw x\n\nz w\n");
    CHECK(o.err == "lines 2, 4: cut before an end, at the limit of length (--max-length 2)\n");
    CHECK(weft({"translate", task.model, "--max-length", "1x"}, "a b c\n").out == "w x y\n");
    CHECK(weft({"translate", task.model, "--max-length", "1x+1"}, "a b c\n").err.empty());
    CHECK(weft({"translate", task.model, "--beam", "3", "--nbest", "3", "--max-length", "1x"},
               "a b c\n")
              .err.find("line 1 (3 of 3 hypotheses): cut") == 0);
    const Outcome rate =
        weft({"evaluate", task.model, "--data", task.folder / "test.tsv", "--max-length", "1"});
    CHECK(rate.out.find("WER 100.00 %") != std::string::npos);
    CHECK(rate.err.find("of 40 results were cut before an end") != std::string::npos);
    CHECK(
        weft({"attend", task.model, "a b c", "--max-length", "2"}).err.find("cut before an end") !=
        std::string::npos);
    for (const std::string bad : {"0", "-3", "x", "3y", "1e99x"})
      CHECK(not_a_clear_refusal(weft({"translate", task.model, "--max-length", bad}, "a\n"), 2) ==
            "");
  }
  SUBCASE("a tab among the tokens is told") {
    const Outcome o = weft({"translate", task.model}, "a b c\na b\tw x\n");
    CHECK(o.err.find("line 2: with a tab; tokens are separated by spaces") == 0);
  }
  SUBCASE("length penalties that say nothing are refused with a range") {
    for (const std::string bad : {"inf", "nan", "-1", "1000"}) {
      const Outcome o =
          weft({"translate", task.model, "--beam", "2", "--length-penalty", bad}, "a\n");
      CHECK(not_a_clear_refusal(o, 2) == "");
      CHECK(o.err.find("must be a number from 0 to 20") != std::string::npos);
    }
  }
  SUBCASE("a beam's best of each line, ranked, with scores") {
    const Outcome o =
        weft({"translate", task.model, "--beam", "4", "--nbest", "2"}, "a b c\n\nd a\n");
    CHECK(o.code == 0);
    CHECK(std::count(o.out.begin(), o.out.end(), '\n') == 4);
    CHECK(o.out.starts_with("0\t-"));
    CHECK(o.out.find("\tw x y\n") != std::string::npos);
    CHECK(o.out.find("\n2\t-") != std::string::npos);
    std::set<std::string> distinct;
    const std::string list =
        weft({"translate", task.model, "--beam", "12", "--nbest", "12"}, "a\n").out;
    for (size_t at = 0, end = 0; (end = list.find('\n', at)) != list.npos; at = end + 1)
      distinct.insert(list.substr(list.rfind('\t', end), end - list.rfind('\t', end)));
    CHECK(distinct.size() == 12);
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
    for (const int rank : {1, 20, 43, 64})
      CHECK(weft({"attend", task.model, "a", "--beam", "64", "--rank", std::to_string(rank)})
                .out.find("<svg") != std::string::npos);
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

// A run without an end, in the background, from when it trains; `then` is what the shell does with
// $pid. Its exit code goes to the file `code`, what it says to `err`.
void while_training(const Task& task, const std::string& then, bool resume = false) {
  const std::string
      weft = WEFT_PROGRAM,
      script =
          "cd " + (task.folder / "") + "; rm -f code; " + weft + " train r.toml --out model " +
          (resume ? "--resume" : "") +
          " 2>err >out & pid=$!\n"
          "for i in $(seq 600); do [ -e model/last.safetensors ] && grep -q examples err && break; "
          "sleep 0.1; done\n" +
          then + "\nwait $pid; echo $? > code";
  CHECK(std::system(script.c_str()) == 0);
}

std::string endless() {
  std::string text = recipe(1000000);
  return text.replace(text.find("validate_every = 100"), 20, "validate_every = 1000000");
}

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != text.npos);
  return text.find(part) != text.npos;
}

TEST_CASE("train: killed at any moment, a run goes on or another one begins") {
  for (const double seconds : {0.05, 0.3, 0.6, 1.2}) {
    INFO(seconds);
    Task task(5);
    task.folder.write("r.toml", endless());
    CHECK(weft({"train", task.recipe_file, "--out", task.model}, "", seconds).signal == SIGKILL);
    task.folder.write("r.toml", recipe(5));
    const Outcome anew = task.train();
    if (anew.code == 0) continue;
    CHECK(not_a_clear_refusal(anew) == "");
    has(anew.err, "--resume goes on with it");
    CHECK(task.train({"--resume"}).code == 0);
  }
}

TEST_CASE("train: a stop that comes twice at once, and a terminal that closes, save") {
  for (const std::string name : {"INT", "TERM", "HUP"}) {
    INFO(name);
    Task task;
    task.folder.write("r.toml", endless());
    while_training(task, "kill -" + name + " $pid; kill -" + name + " $pid");
    CHECK(task.folder.read("code") == "0\n");
    has(task.folder.read("err"), "stopped as asked");
    CHECK_FALSE(task.folder.has("model/.lock"));
  }
}

TEST_CASE("train: two runs in one folder: the second is refused at once, the first not disturbed") {
  Task task;
  task.folder.write("r.toml", endless());
  while_training(task, std::string(WEFT_PROGRAM) +
                           " train r.toml --out model --resume 2>err2; echo $? > code2; "
                           "kill -9 $pid");
  CHECK(task.folder.read("code2") == "1\n");
  CHECK(task.folder.read("err2") == "model: error: another run is training into it\n");
  task.folder.write("r.toml", recipe(5));
  const bool learnt = task.train().code != 0;
  CHECK((!learnt || task.train({"--resume"}).code == 0));  // the lock has died with its process
}

TEST_CASE("train: what diverges ends with code 1 and the step, and saves no NaN") {
  Task task;
  std::string text = recipe(5, "kind = \"sgd\"\nclip_norm = 0\n");
  text.replace(text.find("1e-2"), 4, "1e6");
  text.replace(text.find("validate_every = 100"), 20, "validate_every = 1");
  task.folder.write("r.toml", text);
  for (const bool resume : {false, true}) {
    const Outcome o = resume ? task.train({"--resume"}) : task.train();
    CHECK(o.code == 1);
    has(o.err, "diverged at step ");
    CHECK(o.err.find("nan") == o.err.npos);
  }
}

TEST_CASE("train: another optimiser, seed or data is refused by its key when a run goes on") {
  Task task(5);
  REQUIRE(task.train().code == 0);
  const auto refused = [&](const std::string& text, const std::string& says) {
    task.folder.write("r.toml", text);
    const Outcome o = task.train({"--resume"});
    CHECK(not_a_clear_refusal(o) == "");
    has(o.err, says);
  };
  refused(recipe(9, "kind = \"sgd\"\n"),
          "r.toml:11: error: " + task.model + " cannot go on: optimizer.kind was adam, is sgd");
  std::string text = recipe(9);
  text.replace(text.find("seed = 3"), 8, "seed = 4");
  refused(text, "training.seed was 3, is 4");
  text = recipe(9);
  text.replace(text.find("valid.tsv\""), 10, "valid.tsv\"\nsource_max_size = 6");
  refused(text, "data.source_min_count and data.source_max_size would make another vocabulary");
  task.folder.write("train.tsv", examples(7, 400));
  refused(recipe(9), "data.train holds other examples than before");
  task.folder.write("train.tsv", examples(1, 400));
  task.folder.write("r.toml", recipe(9, "beta1 = 0.8\n"));
  const Outcome o = task.train({"--resume"});
  CHECK(o.code == 0);
  has(o.err, "r.toml: going on differently: optimizer.beta1 was 0.9, is 0.8\n");
}

TEST_CASE("train: a folder that cannot be written to is noticed before training") {
  Task task(5);
  for (const std::string& folder :
       {std::string("/proc"), std::string("/proc/model"), task.folder / "r.toml"}) {
    const Outcome o = weft({"train", task.recipe_file, "--out", folder});
    CHECK(not_a_clear_refusal(o) == "");
    has(o.err, folder + ": ");
  }
}

TEST_CASE("model: the best parameters and the last ones can be told apart") {
  Task task(5);
  REQUIRE(task.train().code == 0);
  for (const std::string which : {"best", "last"}) {
    CHECK(weft({"translate", task.model, "--checkpoint", which}, "a b\n").code == 0);
    CHECK(weft({"attend", task.model, "a b", "--checkpoint", which}).code == 0);
    CHECK(weft({"evaluate", task.model, "--data", task.folder / "test.tsv", "--checkpoint", which})
              .code == 0);
    const std::string name = "model/" + which + ".safetensors", whole = task.folder.read(name);
    std::filesystem::remove(task.folder / name);
    const Outcome o = weft({"translate", task.model, "--checkpoint", which}, "a b\n");
    CHECK(not_a_clear_refusal(o) == "");
    has(o.err, which + ".safetensors: error: is not there");
    task.folder.write(name, whole);
  }
  CHECK(not_a_clear_refusal(weft({"translate", task.model, "--checkpoint", "first"}, "a\n"), 2) ==
        "");
  const Outcome o = weft({"translate", task.model, "-o", task.folder / "nope/x"}, "a\n");
  CHECK(o.err.find(".tmp") == o.err.npos);
}

}  // namespace
}  // namespace weft::tests
