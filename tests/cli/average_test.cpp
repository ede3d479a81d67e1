// tests/cli/average_test.cpp -- weft average, and what recipes say of optimisers, schedules and losses.
#include "tests/cli/small_task.h"

#include <doctest/doctest.h>

namespace weft::tests {
namespace {

TEST_CASE("average: the mean of the last checkpoints is a model that translates") {
  Task task(60);
  task.folder.write("r.toml", recipe(60) + "save_every = 20\nkeep = 3\n");
  REQUIRE(task.train().code == 0);
  const std::string mean = task.folder / "mean";
  const Outcome made = weft({"average", task.model, "-o", mean, "--last", "2"});
  CHECK(made.code == 0);
  has(made.err, "mean: the mean of 2 checkpoints of ");
  CHECK(weft({"evaluate", mean, "--data", task.folder / "test.tsv"}).code == 0);
  CHECK(not_a_clear_refusal(weft({"average", task.model, "-o", mean})) == "");
  const Outcome many = weft({"average", task.model, "-o", task.folder / "x", "--last", "9"});
  CHECK(not_a_clear_refusal(many) == "");
  has(many.err, "3 checkpoints are kept there, --last asks for 9");
  const Outcome named = weft({"average", task.model, task.model + "/checkpoint-40.safetensors",
                              task.model + "/last.safetensors", "-o", task.folder / "named"});
  CHECK(named.code == 0);
  has(named.err, "the mean of 2 checkpoints");
  const Outcome foreign =
      weft({"average", task.model, task.folder / "train.tsv", "-o", task.folder / "x"});
  CHECK(not_a_clear_refusal(foreign) == "");
  const Outcome none = weft({"average", task.folder / "none", "-o", task.folder / "x"});
  CHECK(not_a_clear_refusal(none) == "");
  has(none.err, "none: error: is no model folder");
}

TEST_CASE("train: every optimiser trains from a recipe, with decay and a moving average") {
  for (const std::string kind : {"sgd", "adagrad", "adafactor", "lion", "adadelta"}) {
    CAPTURE(kind);
    Task task(6);
    std::string text = recipe(6, "average_decay = 0.9\ndecay = 0.01\n");
    const std::string rate = "learning_rate = 1e-2\n";
    text.replace(text.find(rate), rate.size(), "kind = \"" + kind + "\"\n");
    task.folder.write("r.toml", text);
    const Outcome trained = task.train();
    CHECK_MESSAGE(trained.code == 0, trained.err);
    CHECK(weft({"evaluate", task.model, "--data", task.folder / "test.tsv"}).code == 0);
  }
}

TEST_CASE("train: a schedule without steps ends with the minutes, and says so") {
  Task task(6);
  std::string text = recipe(6, "schedule = \"cosine\"\n");
  const std::string steps = "steps = 6\n";
  text.replace(text.find(steps), steps.size(), "minutes = 0.02\n");
  task.folder.write("r.toml", text);
  const Outcome trained = task.train();
  CHECK_MESSAGE(trained.code == 0, trained.err);
  // A slow machine, or a sanitizer, may be at its first steps when the time is up.
  CHECK_MESSAGE((trained.err.find("schedule cosine ends with the minutes: ") != std::string::npos ||
                 trained.err.find("the time is up") != std::string::npos),
                trained.err);
}

TEST_CASE(
    "train: attention is guided by a file of alignments, whose faults are said at their line") {
  Task task(20);
  std::string lines;
  const std::string train = task.folder.read("train.tsv");
  for (size_t begin = 0; begin < train.size();) {
    const size_t tab = train.find('\t', begin), end = train.find('\n', begin);
    for (size_t i = 0; i < (tab - begin + 1) / 2; ++i)
      lines += (i > 0 ? " " : "") + std::to_string(i) + "-" + std::to_string(i);
    lines += "\n";
    begin = end + 1;
  }
  task.folder.write("train.align", lines);
  std::string text = recipe(20);
  text.replace(text.find("[model]\n"), 8,
               "alignments = \"train.align\"\n[model]\nguided_alignment = 0.5\n");
  task.folder.write("r.toml", text);
  const Outcome trained = task.train();
  CHECK_MESSAGE(trained.code == 0, trained.err);
  const Outcome timed = weft({"bench", task.recipe_file, "--steps", "1", "--threads", "1"});
  CHECK_MESSAGE(timed.code == 0, timed.err);
  task.folder.write("train.align", "0-9\n" + lines);
  const Outcome refused = weft({"train", task.recipe_file, "--out", task.folder / "x"});
  CHECK(not_a_clear_refusal(refused) == "");
  has(refused.err, "train.align:1: error: aligns 0-9, the example has ");
}

}  // namespace
}  // namespace weft::tests
