// tests/models/translator_test.cpp -- a recipe trained and asked through the library.
#include "models/translator/translator.h"

#include "ir/error.h"
#include "models/data/random.h"
#include "models/translator/task.h"
#include "tests/formats/temporary_folder.h"
#include "tests/models/backends.h"
#include "tests/models/small_data.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <thread>

using namespace weft;
using tests::message_of;
using tests::TemporaryFolder;

namespace {

// Letters become other letters, one by one.
std::string examples(uint64_t seed, int lines) {
  data::Random random(seed);
  std::string text;
  for (int i = 0; i < lines; ++i) {
    std::string source, target;
    for (uint64_t n = 1 + random.below(4); n > 0; --n) {
      const auto letter = static_cast<char>(random.below(3));
      source += std::string(source.empty() ? "" : " ") + static_cast<char>('a' + letter);
      target += std::string(target.empty() ? "" : " ") + static_cast<char>('x' + letter);
    }
    text += source + "\t" + target + "\n";
  }
  return text;
}

struct Trained {
  TemporaryFolder folder;
  std::string model = folder / "model";

  explicit Trained(int steps) {
    folder.file("train.tsv", examples(1, 60));
    folder.file("valid.tsv", examples(2, 20));
    const Task task = read_task(folder.file(
        "r.toml",
        "[data]\ntrain = \"train.tsv\"\nvalid = \"valid.tsv\"\n[model]\nembedding = 8\nhidden = "
        "12\n"
        "[batch]\nmax_rows = 8\naccumulate = 2\n[optimizer]\nlearning_rate = 2e-2\n[training]\n"
        "validate_every = 5\nsteps = " +
            std::to_string(steps) + "\n"));
    const training::ModelFolder to(model);
    training::Trainer trainer(trainer_setup(task, to, tests::fast_options()));
    to.create(task.config, task.tokenizers);
    trainer.run();
  }
  Translator translator(TranslatorOptions options = {}) const {
    options.program = tests::fast_options();
    return Translator(model, options);
  }
};

}  // namespace

TEST_CASE("translator: text in, text out; empty stays empty, unknown tokens are counted") {
  const Trained trained(5);
  Translator t = trained.translator({.beam = 2});
  const std::vector<std::string> lines{"a b c", "", "c ? a"};
  const std::vector<std::string> found = t.translate(lines);
  REQUIRE(found.size() == 3);
  CHECK(found[1].empty());
  CHECK(t.unknown(lines[2]) == Translator::Tokens{"?"});
  CHECK(t.unknown(lines[0]).empty());
  CHECK(t.translate("a b c") == found[0]);
  std::string long_line;
  for (int i = 0; i < 1001; ++i) long_line += "a ";
  CHECK(message_of<ir::GraphError>([&] {
          t.translate(long_line);
        }).find("line 1 has 1001 tokens, at most 1000 are translated") != std::string::npos);
  CHECK(message_of<ir::GraphError>([&] {
          Translator(trained.folder / "none");
        }).find("is no model folder") != std::string::npos);
}

TEST_CASE("translator: its own thread or one shared by many, the answers are the same") {
  const Trained trained(5);
  std::vector<std::string> lines;
  for (const char a : std::string("abc"))
    for (const char b : std::string("abc")) lines.push_back({a, ' ', b, ' ', a});
  Translator first = trained.translator({.beam = 2}), second = trained.translator({.beam = 2});
  const std::vector<std::string> expected = first.translate(lines);
  const auto ask_all = [&](Translator& t, bool& same) {
    for (size_t i = 0; i < lines.size(); ++i) same = same && t.translate(lines[i]) == expected[i];
  };
  bool same[4] = {true, true, true, true};
  {
    std::thread a([&] { ask_all(first, same[0]); }), b([&] { ask_all(second, same[1]); }),
        c([&] { ask_all(first, same[2]); });
    ask_all(second, same[3]);
    a.join(), b.join(), c.join();
  }
  CHECK(std::all_of(same, same + 4, [](bool s) { return s; }));
}

TEST_CASE("task: batches, or their parts, are no larger than the data and the recipe make them") {
  const TemporaryFolder folder;
  folder.file("t.tsv", "a b c d e\tx\na\tx y\n");
  const auto largest = [&](const std::string& batch) {
    return largest_batch(read_task(folder.file(
        "r.toml", "[data]\ntrain = \"t.tsv\"\nvalid = \"t.tsv\"\n[batch]\n" + batch + "\n")));
  };
  const BatchSizes sizes = largest("max_rows = 64");
  CHECK(sizes.rows == 2);
  CHECK(sizes.source == 8);
  CHECK(sizes.target == 4);
  CHECK(largest("accumulate = 2").rows == 1);
  CHECK(largest("max_tokens = 8").rows == 1);
}
