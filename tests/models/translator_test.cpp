// tests/models/translator_test.cpp -- a recipe trained and asked through the library.
#include "models/translator/translator.h"

#include "ir/error.h"
#include "models/data/random.h"
#include "models/translator/task.h"
#include "models/translator/training_setup.h"
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
        }).find("line 1 has 1001 tokens, at most 1000 are accepted") != std::string::npos);
  CHECK(t.most_source_tokens() == 1000);
  CHECK_NOTHROW(trained.translator({.search = {.max_length = {0, 3}}, .max_source_tokens = 1001})
                    .translate(long_line));
  CHECK(message_of<ir::GraphError>([&] {
          trained.translator({.max_source_tokens = 2}).translate("a b c");
        }).find("has 3 tokens, at most 2 are accepted") != std::string::npos);
  CHECK(message_of<ir::GraphError>([&] {
          Translator(trained.folder / "none");
        }).find("is no model folder") != std::string::npos);
  CHECK(message_of<ir::GraphError>([&] {
          Translator(trained.folder / "none", {.languages = {.target = "de"}});
        }).find("is no model folder") != std::string::npos);
  CHECK(message_of<ir::GraphError>([&] {
          trained.translator({.languages = {.target = "de"}});
        }).find("languages are for published models") != std::string::npos);
}

TEST_CASE(
    "translator: whole targets score what a search forced to them does, alone and in batches") {
  const Trained trained(5);
  const std::vector<std::string> folders{trained.model, trained.model};
  std::vector<std::string> sources{"a b c", "c", "", "a a a a b c b a c", "b ? a"};
  const std::vector<std::string> texts{"x y z", "z", "x", "x x", "y ? x z z y x y z y x"};
  std::vector<search::Phrase> targets;
  Translator t = trained.translator({.beam = 2});
  std::vector<search::Demands> demands;
  for (const std::string& text : texts) {
    targets.push_back(t.tokenizers().target.encode(text));
    demands.push_back({.prefix = targets.back(), .phrases = {}});
    demands.back().prefix.push_back(t.tokenizers().target.special().end);
  }
  const auto scores = t.score(sources, targets);
  const auto forced = t.search(sources, {}, {.demands = demands});
  REQUIRE(scores.size() == sources.size());
  CHECK(scores[2].empty());
  for (size_t i = 0; i < sources.size(); ++i) {
    if (i == 2) continue;
    CAPTURE(i);
    REQUIRE(scores[i].size() == targets[i].size() + 1);
    REQUIRE(forced[i].front().token_log_probabilities.size() == scores[i].size());
    // Sums of some ten f32 products each, in another order.
    for (size_t k = 0; k < scores[i].size(); ++k)
      CHECK(scores[i][k] ==
            doctest::Approx(forced[i].front().token_log_probabilities[k]).epsilon(1e-5));
    CHECK(t.score(std::span(&sources[i], 1), std::span(&targets[i], 1)).front() == scores[i]);
  }
  // Of a model twice, the mean is its own.
  Translator two(folders, {.program = tests::fast_options()});
  const auto both = two.score(sources, targets);
  for (size_t k = 0; k < both[0].size(); ++k)
    CHECK(both[0][k] == doctest::Approx(scores[0][k]).epsilon(1e-12));
  CHECK(message_of<ir::GraphError>([&] { t.score(sources, {}); }) ==
        "there are 0 targets for 5 sources");
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
