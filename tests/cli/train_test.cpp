// tests/cli/train_test.cpp -- weft train: refusals, stops, locks, and going on.
#include "tests/cli/small_task.h"

#include <doctest/doctest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>

namespace weft::tests {
namespace {

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

std::string with(std::string text, const std::string& what, const std::string& instead) {
  return text.replace(text.find(what), what.size(), instead);
}

std::string endless() {
  std::string text = recipe(1000000);
  return text.replace(text.find("validate_every = 100"), 20, "validate_every = 1000000");
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

TEST_CASE("train: bf16 is refused where the machine lacks it, before data are opened") {
  Task task(5);
  std::filesystem::remove(task.folder / "train.tsv");
  task.folder.write("r.toml", recipe(5) + "precision = \"bf16\"\n");
  setenv("WEFT_ISA", "avx2", 1);
  const Outcome by_recipe = task.train();
  task.folder.write("r.toml", recipe(5));
  const Outcome by_option = task.train({"--precision", "bf16"}),
                translated = weft({"translate", task.model, "--precision", "bf16"});
  unsetenv("WEFT_ISA");
  for (const Outcome& o : {by_recipe, by_option, translated}) {
    CHECK(not_a_clear_refusal(o) == "");
    CHECK(has(o.err, "AVX512_BF16"));
  }
  CHECK(has(by_recipe.err, "r.toml:15: error: precision bf16 is not for this machine: "));
  CHECK(has(by_option.err, "--precision: error: "));
  CHECK_FALSE(task.folder.has("model"));
  task.folder.write("r.toml", recipe(5) + "precision = \"half\"\n");
  CHECK(has(task.train().err, "r.toml:15: error: "));
}

TEST_CASE("train: killed at any moment, a run goes on or another one begins") {
  for (const double seconds : {0.05, 0.3, 0.6, 1.2}) {
    INFO(seconds);
    Task task(5);
    const bool writes_often = seconds > 0.5;
    task.folder.write(
        "r.toml", writes_often ? with(endless(), "validate_every = 1000000", "validate_every = 3") +
                                     "validate = [\"bleu\"]\non_divergence = \"restore\"\n"
                               : endless());
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

TEST_CASE(
    "train: a run that begins where another one trains hears of it, whatever that has learnt") {
  Task task;
  task.folder.write("r.toml", with(endless(), "validate_every = 1000000", "validate_every = 3"));
  while_training(
      task, "for i in $(seq 600); do [ -e model/best.safetensors ] && break; sleep 0.1; done; " +
                std::string(WEFT_PROGRAM) +
                " train r.toml --out model 2>err2; echo $? > code2; kill -9 $pid");
  CHECK(task.folder.read("code2") == "1\n");
  CHECK(task.folder.read("err2") == "model: error: another run is training into it\n");
}

TEST_CASE("train: a recipe without .toml in its name needs a folder of another name") {
  Task task;
  task.folder.write("recipe", recipe(2));
  const Outcome o = shell("\"$weft\" train recipe", task.folder / "");
  CHECK(not_a_clear_refusal(o, 2) == "");
  has(o.err, "--out names another");
  CHECK(shell("\"$weft\" train recipe --out model", task.folder / "").code == 0);
  const Outcome folder = shell("\"$weft\" train model", task.folder / "");
  CHECK(not_a_clear_refusal(folder) == "");
  CHECK(folder.err == "model: is a folder, a recipe is needed\n");
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

TEST_CASE("train: of batches in parts the first entry of a step is shown and measured") {
  Task task(5);
  std::string text = recipe(5);
  text.replace(text.find("max_rows = 16"), 13, "max_rows = 16\naccumulate = 4");
  task.folder.write("r.toml", text);
  const Outcome o = weft({"dump", task.recipe_file, "--stage", "optimised"});
  CHECK(o.code == 0);
  CHECK(o.out.find("%first: pred[]") != o.out.npos);
  CHECK(weft({"dump", task.recipe_file, "--stage", "planned"}).out.find("[4,") != o.out.npos);
  CHECK(weft({"bench", task.recipe_file, "--steps", "1", "--threads", "1"}).code == 0);
  CHECK(task.train().code == 0);
}

TEST_CASE("train: a folder that cannot be written to is noticed before training") {
  Task task(5);
  std::filesystem::create_directory_symlink("gone", task.folder / "link");
  for (const std::string& folder : {std::string("/proc"), std::string("/proc/model"),
                                    task.folder / "r.toml", task.folder / "link"}) {
    const Outcome o = weft({"train", task.recipe_file, "--out", folder});
    CHECK(not_a_clear_refusal(o) == "");
    has(o.err, folder + ": ");
  }
}

TEST_CASE("train: validation by scores of decoded text, which evaluate and the log say too") {
  Task task;
  task.folder.write("r.toml", recipe(200) + "validate = [\"bleu\", \"per\", \"perplexity\"]\n");
  const Outcome o = task.train();
  REQUIRE(o.code == 0);
  has(o.err, "step 200: validation loss ");
  has(o.err, " nats/token, BLEU ");
  has(o.err, ", perplexity ");
  const std::string log = task.folder.read("model/log.jsonl");
  const size_t at = log.find("\"bleu\":", log.find("\"kind\":\"validation\",\"step\":200"));
  REQUIRE(at != log.npos);
  const double logged = std::stod(log.substr(at + 7));
  const Outcome evaluated = weft({"evaluate", task.model, "--data", task.folder / "valid.tsv",
                                  "--metric", "bleu", "--checkpoint", "last"});
  REQUIRE(evaluated.code == 0);
  const double said = std::stod(evaluated.out.substr(evaluated.out.find("BLEU ") + 5));
  CHECK(said == doctest::Approx(logged).epsilon(0.001));
  for (const std::string score : {"bleu", "loss"})
    CHECK(
        weft({"curves", task.model, "--score", score, "-o", task.folder / (score + ".svg")}).code ==
        0);
  has(weft({"curves", task.model, "-o", "-"}).out, "validation BLEU");
  has(weft({"curves", task.model, "--score", "ter", "-o", "-"}).err,
      "no validation of these runs measured 'ter'");
}

TEST_CASE("train: patience and the rate by a score of decoded text go on bit for bit") {
  const auto text = [](int steps) {
    return with(recipe(steps, "shrink = 0.8\n"), "validate_every = 100", "validate_every = 10") +
           "validate = [\"chrf\"]\nvalidate_beam = 2\nvalidate_sentences = 20\npatience = 5\n";
  };
  Task whole, parts;
  whole.folder.write("r.toml", text(60));
  REQUIRE(whole.train().code == 0);
  parts.folder.write("r.toml", text(25));
  REQUIRE(parts.train().code == 0);
  parts.folder.write("r.toml", text(60));
  const Outcome o = parts.train({"--resume"});
  REQUIRE(o.code == 0);
  CHECK(o.err.find("going on differently") == o.err.npos);
  CHECK(whole.folder.read("model/last.safetensors") == parts.folder.read("model/last.safetensors"));
}

TEST_CASE("train: a recipe without validation data or without limits says what that means") {
  Task task;
  task.folder.write("r.toml", with(recipe(5), "valid = \"valid.tsv\"\n", ""));
  const Outcome o = task.train();
  CHECK(o.code == 0);
  has(o.err, "there is no data.valid: nothing is validated, the last model counts as the best");
  CHECK(weft({"translate", task.model}, "a b\n").code == 0);
  const auto refused = [&](const std::string& text, const std::string& says) {
    Task other;
    other.folder.write("r.toml", text);
    const Outcome refusal = other.train();
    CHECK(not_a_clear_refusal(refusal) == "");
    has(refusal.err, says);
  };
  const std::string without = with(recipe(5), "valid = \"valid.tsv\"\n", "");
  refused(without + "patience = 2\n", "r.toml:14: error: 'training.patience' needs data.valid");
  refused(recipe(5) + "validate = [\"blue\"]\n",
          "r.toml:15: error: 'training.validate': there is no score 'blue'");
  refused(recipe(5) + "freeze = [\"encoder/*\", \"nothing\"]\n",
          "r.toml:15: error: freeze: no parameter's name matches 'nothing'; there are ");
  Task endless_task;
  endless_task.folder.write("r.toml", with(recipe(5), "steps = 5\n", ""));
  while_training(endless_task, "sleep 0.1; kill -INT $pid");
  has(endless_task.folder.read("err"), "it trains until it is stopped; Ctrl-C saves");
}

TEST_CASE("train: a run begins with another model's parameters, of its vocabulary or a new one") {
  Task task(20);
  REQUIRE(task.train().code == 0);
  const auto from = [&](const std::string& name, std::vector<std::string> more) {
    more.insert(more.begin(),
                {"train", task.recipe_file, "--out", task.folder / name, "--from", task.model});
    return weft(more);
  };
  task.folder.write("r.toml", recipe(3) + "freeze = [\"encoder/*\"]\n");
  Outcome o = from("same", {});
  CHECK(o.code == 0);
  has(o.err, task.model + ": taken over: ");
  CHECK(weft({"train", task.recipe_file, "--out", task.folder / "file", "--from",
              task.model + "/best.safetensors"})
            .code == 0);
  task.folder.write("train.tsv", examples(5, 100) + "a new b\tw new x\n");
  o = from("new", {});
  CHECK(o.code == 0);
  has(o.err,
      "; of the source vocabulary 8 tokens, 1 are new; of the target vocabulary 8 tokens, 1");
  const std::string kept = with(recipe(3), "[model]", "vocabulary_from = \"model\"\n[model]");
  task.folder.write("r.toml", kept);
  o = from("kept", {});
  CHECK(o.code == 0);
  has(o.err, "8 source and 8 target tokens");
  CHECK(weft({"train", task.recipe_file, "--out", task.folder / "kept", "--resume"}).code == 0);
  task.folder.write("r.toml", with(kept, "\"model\"", "\"gone\""));
  o = from("gone", {});
  CHECK(not_a_clear_refusal(o) == "");
  has(o.err, "r.toml:4: error: ");
  CHECK_FALSE(task.folder.has("gone"));
  task.folder.write("r.toml", with(recipe(3), "hidden = 24", "hidden = 32"));
  o = from("other", {});
  CHECK(not_a_clear_refusal(o) == "");
  has(o.err, task.model + ": error: has of another shape ");
  CHECK_FALSE(task.folder.has("other"));
  CHECK(from("same", {"--resume"}).code == 2);
}

TEST_CASE("train: a trained model learns risks, and what does not go with them is refused") {
  Task task(20);
  REQUIRE(task.train().code == 0);
  const std::string risks = recipe(4) + "risk_samples = 3\nrisk_metric = \"chrf\"\n";
  task.folder.write("r.toml", risks);
  const auto to = [&](const std::string& name) {
    return weft({"train", task.recipe_file, "--out", task.folder / name, "--from", task.model});
  };
  const Outcome o = to("risks");
  CHECK_MESSAGE(o.code == 0, o.err);
  has(o.err, "step 1, epoch 1: risk 0.");
  has(task.folder.read("risks/log.jsonl"), "\"risk\":0.");
  CHECK(weft({"curves", task.folder / "risks", "-o", task.folder / "risks.svg"}).code == 0);
  has(task.folder.read("risks.svg"), "risk of training");
  CHECK(weft({"translate", task.folder / "risks"}, "a b\n").code == 0);
  CHECK(weft({"bench", task.recipe_file, "--steps", "1"}).code == 0);
  const auto refused = [&](const std::string& text, const std::string& part) {
    task.folder.write("r.toml", text);
    const Outcome bad = to("bad");
    CHECK(not_a_clear_refusal(bad) == "");
    has(bad.err, part);
    CHECK_FALSE(task.folder.has("bad"));
  };
  refused(with(risks, "hidden = 24", "hidden = 24\nlabel_smoothing = 0.1"),
          "r.toml:16: error: 'training.risk_samples' does not go with 'model.label_smoothing', "
          "which is 0.1");
  refused(with(risks, "samples = 3", "samples = 1"), "needed is 0 or at least 2");
  refused(with(risks, "\"chrf\"", "\"blue\""), "r.toml:16: error: ");
  refused(with(risks, "risk_samples = 3\n", ""), "goes with 'training.risk_samples' above 0");
  refused(recipe(4) + "risk_reference = false\n",
          "r.toml:15: error: 'training.risk_reference' goes with 'training.risk_samples' above 0");
  task.folder.write("r.toml", risks + "risk_reference = false\n");
  const Outcome without =
      weft({"train", task.recipe_file, "--out", task.folder / "risks", "--resume"});
  CHECK_MESSAGE(without.code == 0, without.err);
  has(without.err, "training.risk_reference was true, is false");
}

// A file may not grow beyond so many kB: as of a full disk, and of one that fills between two files.
TEST_CASE("train: where the disk is full the last checkpoint stays, and the run goes on from it") {
  // Of Adam the state, twice the parameters, no longer fits; sgd has next to no state, but the
  // parameters that are written behind it do not.
  constexpr int kKilobytes = 40;
  for (const std::string optimiser : {"kind = \"adam\"\n", "kind = \"sgd\"\n"}) {
    INFO(optimiser);
    Task task, whole;
    const auto text = [&](int steps) { return recipe(steps, optimiser) + "save_every = 10\n"; };
    task.folder.write("r.toml", text(15));
    whole.folder.write("r.toml", text(30));
    REQUIRE(task.train().code == 0);
    REQUIRE(whole.train().code == 0);
    const std::string before = task.folder.read("model/last.safetensors");
    REQUIRE(before.size() > 40'000);
    task.folder.write("r.toml", text(30));
    const Outcome full = shell(
        "ulimit -f " + std::to_string(kKilobytes) + "; $weft train r.toml --out model --resume",
        task.folder / "");
    CHECK(full.code == 1);
    has(full.err, "model/");
    has(full.err, "cannot write: File too large");
    has(full.err, "holds step 15, from which --resume goes on");
    CHECK(task.folder.read("model/last.safetensors") == before);
    for (const std::string& name : task.folder.names()) CHECK(name.find(".tmp") == name.npos);
    CHECK(task.train({"--resume"}).code == 0);
    CHECK(task.folder.read("model/last.safetensors") ==
          whole.folder.read("model/last.safetensors"));
  }
}

}  // namespace
}  // namespace weft::tests
