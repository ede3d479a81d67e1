// tests/cli/cache_test.cpp -- encoded examples beside a model: used, told when they are changed, and
// shuffled from the file.
#include "tests/cli/small_task.h"

namespace weft::tests {
namespace {

void flip_a_bit(const Folder& folder, const std::string& name, size_t at) {
  std::string bytes = folder.read(name);
  REQUIRE(at < bytes.size());
  bytes[at] = static_cast<char>(bytes[at] ^ 4);
  folder.write(name, bytes);
}

TEST_CASE("cache: a flipped bit has the examples encoded anew, and the run is the same") {
  Task whole(40), parts(20);
  REQUIRE(whole.train().code == 0);
  REQUIRE(parts.train().code == 0);
  CHECK(parts.folder.has("model/train.examples"));
  CHECK(parts.folder.has("model/valid.examples"));
  const std::string cache = parts.folder.read("model/train.examples");
  flip_a_bit(parts.folder, "model/train.examples", cache.size() / 2);
  parts.folder.write("r.toml", recipe(40));
  const Outcome resumed = parts.train({"--resume"});
  INFO(resumed.err);
  REQUIRE(resumed.code == 0);
  CHECK(has(resumed.err, "model/train.examples was changed: it is made anew"));
  CHECK_FALSE(resumed.err.find("valid.examples") != std::string::npos);
  CHECK(parts.folder.read("model/train.examples") == cache);
  CHECK(parts.folder.read("model/last.safetensors") == whole.folder.read("model/last.safetensors"));
}

TEST_CASE("cache: other data are encoded anew, and a run does not go on with them") {
  Task task(20);
  REQUIRE(task.train().code == 0);
  task.folder.write("train.tsv", examples(9, 400));
  const Outcome refused = task.train({"--resume"});
  CHECK(not_a_clear_refusal(refused) == "");
  CHECK(has(refused.err, "data.train holds other examples than before"));
  task.folder.write("train.tsv", examples(1, 400));
  task.folder.write("valid.tsv", examples(7, 40));
  const Outcome resumed = task.train({"--resume"});
  CHECK(resumed.code == 0);
  CHECK(has(resumed.err,
            "model/valid.examples was made from other data or settings: it is made anew"));
}

TEST_CASE("cache: a refused run leaves no folder, and a pipe is read once") {
  Task task(5);
  task.folder.write("valid.tsv", "a\tb\nno tab\n");
  CHECK(not_a_clear_refusal(task.train()) == "");
  CHECK_FALSE(task.folder.has("model"));
  task.folder.write("valid.tsv", examples(2, 40));
  std::string text = recipe(5);
  text.replace(text.find("train.tsv"), 9, "pipe");
  task.folder.write("p.toml", text);
  const Outcome piped = shell("mkfifo pipe; cat train.tsv > pipe & \"$weft\" train p.toml --out m",
                              task.folder / ".");
  INFO(piped.err);
  CHECK(piped.code == 0);
  CHECK_FALSE(task.folder.has("m/train.examples"));
  CHECK(task.folder.has("m/valid.examples"));
}

TEST_CASE("cache: a file that is larger than what is shuffled together goes on to the bit") {
  const std::string small = "shuffle_bytes = 1048576\n";
  const auto with = [&](int steps) {
    std::string text = recipe(steps);
    return text.insert(text.find("[optimizer]"), small);
  };
  Task whole(12), parts(5);
  for (Task* task : {&whole, &parts}) task->folder.write("train.tsv", examples(1, 40000));
  whole.folder.write("r.toml", with(12));
  parts.folder.write("r.toml", with(5));
  REQUIRE(whole.train().code == 0);
  REQUIRE(parts.train().code == 0);
  parts.folder.write("r.toml", with(12));
  REQUIRE(parts.train({"--resume"}).code == 0);
  CHECK(parts.folder.read("model/last.safetensors") == whole.folder.read("model/last.safetensors"));
  parts.folder.write("r.toml", recipe(15));
  const Outcome refused = parts.train({"--resume"});
  CHECK(not_a_clear_refusal(refused) == "");
  CHECK(has(refused.err, "batch.shuffle_bytes was 1048576, is not used"));
}

}  // namespace
}  // namespace weft::tests
