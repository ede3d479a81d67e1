// tests/cli/fine_tuning_test.cpp -- the program trains published models further.
#include "models/training/folder/model_folder.h"
#include "tests/cli/small_task.h"
#include "tests/models/published_folder.h"
#include "tests/support/oracle_cases.h"

#include <filesystem>
#include <sstream>

namespace weft::tests {
namespace {

// Ids to other ids, one by one; 1 ends a source of T5's.
std::string pairs(int seed, int lines) {
  std::string text;
  auto state = static_cast<uint32_t>(seed);
  const auto next = [&state](uint32_t n) {
    return (state = state * 1664525U + 1013904223U) / 65536U % n;
  };
  for (int i = 0; i < lines; ++i) {
    std::string source, target;
    for (uint32_t n = 2 + next(4); n > 0; --n) {
      const uint32_t id = next(5);
      source += std::to_string(4 + id) + " ";
      target += (target.empty() ? "" : " ") + std::to_string(12 + id);
    }
    text += source + "1\t" + target + "\n";
  }
  return text;
}

struct Fixture {
  PublishedFolder model{kSmallT5};
  Folder files;
  std::string out = files / "out";

  Fixture() {
    files.write("train.tsv", pairs(1, 60));
    files.write("valid.tsv", pairs(2, 10));
    write_recipe(12);
  }
  void write_recipe(int steps, const std::string& more = {}) const {
    files.write("r.toml",
                "[data]\ntrain = \"train.tsv\"\nvalid = \"valid.tsv\"\n[batch]\nmax_rows = "
                "8\n[optimizer]\nlearning_rate = 1e-2\n[training]\nfrom = \"" +
                    model.path() + "\"\nsteps = " + std::to_string(steps) +
                    "\nvalidate_every = 4\nvalidate = [\"loss\", \"bleu\"]\n" + more);
  }
  Outcome train(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"train", files / "r.toml", "--out", out});
    return weft(more);
  }
};

bool works(const Outcome& o) {
  CHECK_MESSAGE(o.code == 0, o.err);
  return o.code == 0;
}

TEST_CASE(
    "fine-tuning: a published model is trained, its folder is one of its form, and others load") {
  const Fixture f;
  f.write_recipe(12);
  REQUIRE(works(f.train()));
  for (const char* name : {"out/config.json", "out/model.safetensors", "out/model.toml"})
    CHECK(f.files.has(name));
  const published::Folder folder(f.out);
  const ParameterStore before = published::Folder(f.model.path()).load(), after = folder.load();
  CHECK_FALSE(before.at("embedding").same_bytes(after.at("embedding")));
  const Outcome translated = weft({"translate", f.out}, "4 5 6 1\n");
  CHECK(works(translated));
  // As weft's own folder it says the same.
  CHECK(works(weft({"convert", f.out, "--to", "weft", "-o", f.files / "own"})));
  const Outcome own = weft({"translate", f.files / "own"}, "4 5 6 1\n");
  CHECK(works(own));
  CHECK(own.out == translated.out);
  CHECK(works(weft({"convert", f.out, "--to", "hub", "-o", f.files / "hub"})));
  CHECK(f.files.read("hub/model.safetensors") == f.files.read("out/model.safetensors"));
  CHECK_FALSE(f.files.has("hub/model.toml"));
}

TEST_CASE("fine-tuning: a run that was stopped goes on bit for bit, with frozen parts") {
  const Fixture f;
  const std::string frozen = "freeze = [\"encoder/*\"]\n";
  f.write_recipe(12, frozen);
  REQUIRE(works(f.train()));
  const std::string whole = f.files.read("out/last.safetensors"),
                    published = f.files.read("out/model.safetensors");
  const Fixture g;
  g.write_recipe(5, frozen);
  REQUIRE(works(g.train()));
  g.write_recipe(12, frozen);
  REQUIRE(works(g.train({"--resume"})));
  const ParameterStore a = published::Folder(f.out).load(), b = published::Folder(g.out).load(),
                       base = published::Folder(f.model.path()).load();
  for (const ir::NamedArray& p : a.parameters()) {
    CAPTURE(p.name);
    CHECK(p.array.same_bytes(b.at(p.name)));
    if (p.name.starts_with("encoder/")) CHECK(p.array.same_bytes(base.at(p.name)));
  }
}

TEST_CASE("fine-tuning: without a recipe, by --from, --data and --adapt") {
  const Fixture f;
  const Outcome trained =
      weft({"train", "--from", f.model.path(), "--data", f.files / "train.tsv", "--valid",
            f.files / "valid.tsv", "--out", f.out, "--adapt", "rank=2,targets=q,targets=wo"});
  REQUIRE(works(trained));
  for (const char* name : {"out/recipe.toml", "out/adapter_config.json",
                           "out/adapter_model.safetensors", "out/last.safetensors"})
    CHECK(f.files.has(name));
  CHECK(f.files.read("out/last.safetensors").size() < 16384);  // A and B alone
  const Outcome named = weft({"translate", f.out}, "4 5 6 1\n"),
                given = weft({"translate", f.model.path(), "--adapter", f.out}, "4 5 6 1\n");
  CHECK(works(named));
  CHECK(works(given));
  CHECK(named.out == given.out);
  CHECK(works(weft({"convert", f.out, "--to", "hub", "-o", f.files / "merged"})));
  const Outcome merged = weft({"translate", f.files / "merged"}, "4 5 6 1\n");
  CHECK(works(merged));
  CHECK(merged.out == named.out);
}

TEST_CASE("fine-tuning: an adapter's run goes on bit for bit") {
  const std::string adapter = "[adapter]\nrank = 2\ndropout = 0.1\n";
  const Fixture f, g;
  f.write_recipe(9, adapter);
  REQUIRE(works(f.train()));
  g.write_recipe(5, adapter);
  REQUIRE(works(g.train()));
  g.write_recipe(9, adapter);
  REQUIRE(works(g.train({"--resume"})));
  CHECK(f.files.read("out/adapter_model.safetensors") ==
        g.files.read("out/adapter_model.safetensors"));
}

TEST_CASE("fine-tuning: an adapter tells a model of equal shapes that is not its own") {
  const Fixture f;
  REQUIRE(works(weft({"train", "--from", f.model.path(), "--data", f.files / "train.tsv", "--out",
                      f.out, "--adapt", "rank=2"})));
  CHECK(weft({"translate", f.out}, "4 5 1\n").err.find("warning") == std::string::npos);
  ir::NamedArrays others;
  for (const ir::NamedArray& t : f.model.tensors()) others.add(t.name, t.array.clone());
  ir::Array changed = others.at("shared.weight");
  changed.set(0, changed.at(0) + 1);
  f.model.write_tensors(others);
  const Outcome told = weft({"translate", f.out}, "4 5 1\n");
  CHECK(works(told));
  CHECK(has(told.err, "warning: the adapter was trained on another model than "));
  const Outcome resumed = weft({"train", "--out", f.out, "--resume"});
  CHECK(resumed.code == 1);
  CHECK(has(resumed.err, "its adapter was begun on another model than "));
}

TEST_CASE("fine-tuning: a model of our own form is trained further without a recipe") {
  const Fixture f;
  REQUIRE(works(weft({"convert", f.model.path(), "--to", "weft", "-o", f.files / "own"})));
  const std::vector<std::string> train{
      "train", "--from", f.files / "own", "--data", f.files / "train.tsv", "--out", f.out};
  REQUIRE(works(weft(train)));
  CHECK(works(weft({"train", "--out", f.out, "--resume"})));
  CHECK(works(weft({"translate", f.out}, "4 5 1\n")));
  const ParameterStore before = training::ModelFolder(f.files / "own").load(),
                       after = training::ModelFolder(f.out).load();
  CHECK_FALSE(before.at("embedding").same_bytes(after.at("embedding")));
  CHECK(not_a_clear_refusal(weft({"train", "--from", f.files / "", "--data", f.files / "train.tsv",
                                  "--out", f.files / "other"})) == "");
  CHECK(
      not_a_clear_refusal(weft({"train", "--from", f.files / "own", "--data", f.files / "train.tsv",
                                "--out", f.files / "other", "--target-language", "de_DE"})) == "");
}

TEST_CASE("fine-tuning: several languages in one run, by file, and no other ones afterwards") {
  const auto spm = oracle_folder() / ".." / "spm" / "bpe600.model";
  if (!std::filesystem::exists(spm)) return;
  const PublishedFolder model(R"({"model_type": "mbart", "vocab_size": 860, "d_model": 16,
    "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
    "activation_function": "gelu", "max_position_embeddings": 64, "scale_embedding": true,
    "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2})");
  model.write("tokenizer_config.json", R"({"tokenizer_class": "MBartTokenizer"})");
  std::filesystem::copy_file(spm, model.path() + "sentencepiece.bpe.model");
  const Folder files;
  for (const char* name : {"de.tsv", "fr.tsv"})
    files.write(name, "the of and\tand of the\nto in is\tis in to\nas it was\twas it as\n");
  const auto recipe = [&](const std::string& second, const std::string& more = {}) {
    files.write("r.toml",
                "[data]\ntrain = [{file = \"de.tsv\", target_language = \"de_DE\"}, {file = "
                "\"fr.tsv\", target_language = \"" +
                    second +
                    "\"}]\nvalid = [{file = \"fr.tsv\", "
                    "target_language = \"fr_XX\"}]\n[training]\nfrom = \"" +
                    model.path() + "\"\nsteps = 4\n" + more);
    return files / "r.toml";
  };
  REQUIRE(works(weft({"train", recipe("fr_XX"), "--out", files / "out"})));
  CHECK(works(weft({"train", recipe("fr_XX"), "--out", files / "out", "--resume"})));
  CHECK(not_a_clear_refusal(weft({"train", recipe("ro_RO"), "--out", files / "out", "--resume"})) ==
        "");
  CHECK(not_a_clear_refusal(weft({"train", recipe("fr_FR"), "--out", files / "other"})) == "");
  CHECK(not_a_clear_refusal(weft({"train", recipe("fr_XX", "validate = [\"bleu\"]\n"), "--out",
                                  files / "other"})) == "");
  // By options, kept in the folder's recipe.
  const std::vector<std::string> one{"train",          "--from", model.path(), "--data",
                                     files / "de.tsv", "--out",  files / "one"};
  CHECK(not_a_clear_refusal(weft(one)) == "");
  std::vector<std::string> german = one;
  german.insert(german.end(), {"--source-language", "en_XX", "--target-language", "de_DE"});
  REQUIRE(works(weft(german)));
  CHECK(works(weft({"train", "--out", files / "one", "--resume"})));
  CHECK(not_a_clear_refusal(weft(
            {"train", "--out", files / "one", "--resume", "--target-language", "fr_XX"})) == "");
}

TEST_CASE("fine-tuning: info tells what a model is") {
  const Fixture f;
  const Outcome told = weft({"info", f.model.path()});
  REQUIRE(works(told));
  for (const char* part : {"t5 (T5", "parameters", "model.safetensors", "attention 3", "32 x 64"})
    CHECK(has(told.out, part));
}

TEST_CASE("fine-tuning: what cannot be is refused in one line") {
  const Fixture f;
  f.write_recipe(4, "[model]\nwidth = 32\n");
  CHECK(not_a_clear_refusal(f.train()) == "");
  f.write_recipe(4, "[adapter]\nrank = 2\ntargets = [\"query\"]\n");
  CHECK(not_a_clear_refusal(f.train()) == "");
  f.write_recipe(4);
  CHECK(not_a_clear_refusal(f.train({"--adapt", "rnak=2"}), 2) == "");
  CHECK(not_a_clear_refusal(weft({"train", f.files / "r.toml", "--out", f.model.path()})) == "");
  CHECK(not_a_clear_refusal(weft({"convert", f.files / "none", "--to", "hub", "-o", f.out})) == "");
  CHECK_FALSE(f.files.has("out"));
}

}  // namespace
}  // namespace weft::tests
