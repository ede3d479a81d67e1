// tests/cli/raw_text_test.cpp -- raw text in, raw text out, through pieces and characters.
#include "tests/cli/small_task.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace weft::tests {
namespace {

// "Two dogs play." -> "Zwei Hunde spielen.": word for word.
std::string sentences(int seed, int lines) {
  static const char* words[3][4][2] = {
      {{"Two", "Zwei"}, {"Some", "Einige"}, {"Big", "Große"}, {"The", "Die"}},
      {{"dogs", "Hunde"}, {"cats", "Katzen"}, {"birds", "Vögel"}, {"men", "Männer"}},
      {{"play.", "spielen."}, {"sleep.", "schlafen."}, {"run!", "rennen!"}, {"eat.", "essen."}}};
  auto state = static_cast<uint32_t>(seed);
  std::string text;
  for (int i = 0; i < lines; ++i) {
    std::string source, target;
    for (const auto& choices : words) {
      const auto& chosen = choices[(state = state * 1664525U + 1013904223U) / 65536U % 4];
      source += std::string(source.empty() ? "" : " ") + chosen[0];
      target += std::string(target.empty() ? "" : " ") + chosen[1];
    }
    text += source + "\t" + target + "\n";
  }
  return text;
}

struct RawTask {
  Folder folder;
  std::string model = folder / "model";

  explicit RawTask(const std::string& data,
                   const std::string& model_table = "embedding = 16\nhidden = 24\n",
                   int steps = 150) {
    folder.write("train.tsv", sentences(1, 200));
    folder.write("valid.tsv", sentences(2, 20));
    write_recipe(data, model_table, steps);
  }
  std::string write_recipe(const std::string& data, const std::string& model_table, int steps) {
    return folder.write("r.toml", "[data]\ntrain = \"train.tsv\"\nvalid = \"valid.tsv\"\n" + data +
                                      "[model]\n" + model_table +
                                      "[batch]\nmax_rows = 16\n[optimizer]\nlearning_rate = 1e-2\n"
                                      "[training]\nsteps = " +
                                      std::to_string(steps) + "\nvalidate_every = 50\n");
  }
  Outcome train(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"train", folder / "r.toml", "--out", model});
    return weft(more);
  }
};

TEST_CASE("raw text: two keys train a SentencePiece model, and text comes out as it went in") {
  RawTask task("tokens = \"bpe\"\nvocabulary_size = 60\nbyte_fallback = false\n");
  const Outcome trained = task.train();
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  CHECK(task.folder.has("model/source.spm"));
  CHECK(task.folder.has("model/target.spm"));
  CHECK_FALSE(task.folder.has("model/target.vocab"));
  const Outcome o = weft({"translate", task.model}, "Two dogs sleep.\n\nThe birds run!\n");
  CHECK(o.out == "Zwei Hunde schlafen.\n\nDie Vögel rennen!\n");
  CHECK(o.err.empty());
  has(weft({"translate", task.model}, "Two dogs\nTwo \xE6\x97\xA5 run!\n").err,
      "line 2 ('\xE6\x97\xA5'): with what is not in the model's vocabulary");
  has(weft({"translate", task.model}, "Two dogs\nTwo cats\tZwei Katzen\n").err,
      "line 2: with a tab, and translated whole; of source<TAB>target `cut -f1` leaves the source");
  const Outcome scores =
      weft({"evaluate", task.model, "--data", task.folder / "valid.tsv", "--metric", "bleu"});
  CHECK(scores.code == 0);
  has(scores.out, "BLEU 100.00");
  const Outcome drawn = weft({"attend", task.model, "Two dogs sleep."});
  CHECK(drawn.code == 0);
  has(drawn.out,
      "\xE2\x96\x81"
      "dogs");

  SUBCASE("a run does not go on with another vocabulary, and a changed one is told") {
    task.write_recipe("tokens = \"bpe\"\nvocabulary_size = 61\nbyte_fallback = false\n",
                      "embedding = 16\nhidden = 24\n", 160);
    has(task.train({"--resume"}).err, "r.toml:5: error: ");
    task.write_recipe("", "embedding = 16\nhidden = 24\n", 160);
    has(task.train({"--resume"}).err, "data.source_tokens was bpe, is not used");
    std::string bytes = task.folder.read("model/target.spm");
    bytes[bytes.size() / 2] ^= 1;
    task.folder.write("model/target.spm", bytes);
    const Outcome damaged = weft({"translate", task.model}, "Two dogs\n");
    CHECK(damaged.code == 1);
    has(damaged.err, "target.spm");
  }
}

TEST_CASE("raw text: a transformer shares one vocabulary and one embedding") {
  const std::string transformer =
      "family = \"transformer\"\nwidth = 16\nheads = 2\nfeed_forward = 32\nencoder_layers = 1\n"
      "decoder_layers = 1\nshared_embedding = true\n";
  RawTask task(
      "tokens = \"unigram\"\nvocabulary_size = 310\nshared_vocabulary = true\n"
      "subword_alpha = 0.3\n",
      transformer, 20);
  const Outcome trained = task.train();
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  CHECK(task.folder.read("model/source.spm") == task.folder.read("model/target.spm"));
  CHECK(weft({"translate", task.model}, "Two dogs\n").code == 0);

  SUBCASE("going on draws the pieces that one run would have drawn") {
    task.write_recipe(
        "tokens = \"unigram\"\nvocabulary_size = 310\nshared_vocabulary = true\n"
        "subword_alpha = 0.3\n",
        transformer, 30);
    REQUIRE(task.train({"--resume"}).code == 0);
    const std::string resumed = task.folder.read("model/last.safetensors");
    task.model = task.folder / "other";
    REQUIRE(task.train().code == 0);
    CHECK(task.folder.read("other/last.safetensors") == resumed);
  }
  SUBCASE("without one vocabulary the cure is named") {
    task.write_recipe("tokens = \"bpe\"\nvocabulary_size = 305\ntarget_max_size = 306\n",
                      transformer, 20);
    task.model = task.folder / "other";
    has(task.train().err, "data.shared_vocabulary = true makes one");
  }
}

TEST_CASE("raw text: characters need no spaces between them") {
  RawTask task("tokens = \"characters\"\n", "embedding = 16\nhidden = 24\n", 60);
  REQUIRE(task.train().code == 0);
  CHECK(task.folder.has("model/source.vocab"));
  const Outcome o = weft({"translate", task.model, "--max-length", "40"}, "Two dogs run!\n");
  CHECK(o.code == 0);
  CHECK(o.err.find("vocabulary") == std::string::npos);
}

TEST_CASE("raw text: keys that do not go together are refused at their line") {
  const auto refusal = [](const std::string& data) {
    RawTask task(data);
    const Outcome o = task.train();
    CHECK(not_a_clear_refusal(o) == "");
    return o.err;
  };
  has(refusal("tokens = \"bpe\"\nvocabulary_size = 5000\n"),
      "r.toml:5: error: source vocabulary: a size of 5000 is more than the text yields, at most ");
  has(refusal("tokens = \"bpe\"\nvocabulary_size = 200\n"),
      "r.toml:5: error: source vocabulary: a "
      "size of 200 is too small: characters, "
      "bytes and special tokens alone take ");
  has(refusal("user_symbols = [\"<x>\"]\n"), "r.toml:4: error: 'data.user_symbols' goes with");
  has(refusal("tokens = \"bpe\"\nsource_min_count = 2\n"),
      "r.toml:5: error: 'data.source_min_count' goes with words and characters");
  has(refusal("target_tokens = \"bpe\"\nshared_vocabulary = true\n"),
      "r.toml:4: error: 'data.shared_vocabulary' needs one for both sides, found words and bpe");
  has(refusal("tokens = \"letters\"\n"), "there are words, characters, bpe, unigram");
}

TEST_CASE("raw text: a model of words says that it was given something else") {
  Task task(40);
  REQUIRE(task.train().code == 0);
  const Outcome o = weft({"translate", task.model}, "abc\na b\ncab\n");
  CHECK(o.code == 0);
  has(o.err, "lines 1 ('abc'), 3 ('cab'): with what is not in the model's vocabulary");
  CHECK(o.err.find("separated by spaces") == std::string::npos);
  has(weft({"translate", task.model}, "abc\ncab\n").err,
      "2 tokens are not in the model's vocabulary, of 2: it knows tokens separated by spaces");
}

TEST_CASE("files: two files, packed ones, patterns and weights train; what is dropped is said") {
  Folder folder;
  std::string en, de;
  for (int i = 0; i < 60; ++i) {
    en += std::string(i % 2 == 0 ? "a b" : "b c") + "\n";
    de += std::string(i % 2 == 0 ? "w x" : "x y") + "\n";
  }
  folder.write("n.1.en", en);
  folder.write("n.1.de", de);
  folder.write("n.2.en", "a\n\na b c d e f\nc\na\n");
  folder.write("n.2.de", "w\nx\nw x y z w x\ny z w x\nw\n");
  const char packed[] =
      "\x1F\x8B\x08\x00\x00\x00\x00\x00\x02\x03\x05\xC1\x49\x01\x00\x30\x08\x04\xB1\xF7\xAE\x8A\xB1"
      "\x06\xD4\x03\x87\xFA\x26\x41\xAA\x19\x27\xA5\x61\x5D\x3C\x2D\xE7\x47\xE8\x68\x7F\x00\x8F\x33"
      "\x81\x20\x00\x00\x00";
  folder.write("more.tsv.gz", std::string(packed, sizeof packed - 1));
  const auto recipe = [&](const std::string& data) {
    return folder.write("r.toml", "[data]\n" + data +
                                      "[model]\nembedding = 8\nhidden = 8\n[batch]\nmax_rows = 8\n"
                                      "[training]\nsteps = 12\n");
  };
  const std::string files =
      "train = [\"more.tsv.gz\", {source = \"n.*.en\", target = \"n.*.de\", weight = 0.5}]\n";
  const auto train = [&](const std::string& out) {
    return weft({"train", folder / "r.toml", "--out", folder / out});
  };
  recipe(files +
         "empty_lines = \"drop\"\nlong_lines = \"drop\"\nmax_tokens = 5\nmax_ratio = 3\n"
         "drop_duplicates = true\n");
  const Outcome o = train("m");
  INFO(o.err);
  REQUIRE(o.code == 0);
  // Of 60 lines two are different ones, and "a b" is in the packed file, as is "b c".
  has(o.err, "n.1.en and " + (folder / "n.1.de") + ": 60 of 60 lines dropped: 60 there before");
  const Outcome again = weft({"train", folder / "r.toml", "--out", folder / "m", "--resume"});
  CHECK(again.code == 0);
  has(again.err, ": 60 of 60 lines dropped: 60 there before");  // of the cache
  has(o.err,
      "4 of 5 lines dropped: 1 with an empty side, 1 there before, 1 too long, 1 of too different "
      "lengths");
  has(o.err, "5 examples, 0 to validate on");
  CHECK(weft({"translate", folder / "m"}, "a b\n").code == 0);

  SUBCASE("by default a line that does not fit is an error at its place, with the cure") {
    recipe(files);
    const Outcome refused = train("other");
    CHECK(not_a_clear_refusal(refused) == "");
    has(refused.err, "n.2.en:2: error: the source is empty (data.empty_lines = \"drop\"");
    CHECK_FALSE(folder.has("other"));
  }
  SUBCASE("faults of files are told at the recipe's line, or with both names") {
    recipe("train = {source = \"n.*.en\", target = \"n.1.de\"}\n");
    has(train("other").err, "r.toml:2: error: 'data.train': 'n.*.en' names 2 files, 'n.1.de' 1");
    recipe("train = {source = \"n.1.en\", target = \"n.2.de\"}\n");
    has(train("other").err, "n.1.en: has 60 lines, " + (folder / "n.2.de") + " has 5");
    recipe("train = {source = \"n.1.en\", weigth = 2}\n");
    has(train("other").err, "r.toml:2: error: there is no 'data.train.weigth'");
    recipe("train = [3]\n");
    has(train("other").err, "r.toml:2: error: 'data.train' must be a string, a table or a list");
  }
  SUBCASE("evaluation takes two files, translation a packed one") {
    folder.write("t.en", "a b\n");
    folder.write("t.de", "w x\n");
    CHECK(weft({"evaluate", folder / "m", "--source", folder / "t.en", "--reference",
                folder / "t.de"})
              .code == 0);
    CHECK(not_a_clear_refusal(weft({"evaluate", folder / "m", "--source", folder / "t.en"}), 2) ==
          "");
    const Outcome translated = weft({"translate", folder / "m", "--input", folder / "more.tsv.gz"});
    CHECK(translated.code == 0);
    CHECK(std::count(translated.out.begin(), translated.out.end(), '\n') == 4);
  }
}

}  // namespace
}  // namespace weft::tests
