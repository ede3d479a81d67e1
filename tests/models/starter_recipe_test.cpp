// tests/models/starter_recipe_test.cpp -- a first recipe for data nobody has seen.
#include "models/translator/starter_recipe.h"

#include "models/training/recipe/recipe.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

#include <functional>

namespace weft {
namespace {

using Line = std::function<std::string(int64_t)>;

CorpusFacts facts_of(int64_t pairs, const Line& source, const Line& target) {
  return corpus_facts([=, i = int64_t{0}]() mutable -> std::optional<data::Example> {
    if (i == pairs) return std::nullopt;
    ++i;
    return data::Example{.source = source(i), .target = target(i), .id = i};
  });
}

std::string sentence(int64_t i) {
  std::string text;
  for (int64_t w = 0; w < 8; ++w)
    text += (w > 0 ? " " : "") + std::string("wort") + std::to_string(i * w % 997);
  return text;
}

// Read back as a recipe, which checks every key.
training::Recipe recipe_of(const CorpusFacts& facts, StarterRecipe wanted) {
  const tests::TemporaryFolder folder;
  folder.file("train.tsv", "a\tb\n");
  wanted.train = wanted.valid = "\"train.tsv\"";
  return training::read_recipe(folder.file("r.toml", starter_recipe(facts, wanted)));
}

TEST_CASE(
    "starter recipe: text becomes pieces, single words characters, symbols stay as they are") {
  const auto kind = [](const CorpusFacts& f) { return recipe_of(f, {}).data.tokens.kind; };
  CHECK(kind(facts_of(2000, sentence, sentence)) == data::TokenizerKind::bpe);
  const auto name = [](int64_t i) { return "Name" + std::to_string(i * 7919); };
  CHECK(kind(facts_of(2000, name, name)) == data::TokenizerKind::characters);
  const auto symbols = [](int64_t i) { return std::string(i % 2 == 0 ? "a b c d" : "w x y"); };
  CHECK(kind(facts_of(2000, symbols, symbols)) == data::TokenizerKind::words);
}

TEST_CASE("starter recipe: more pairs make a larger model, too little time a smaller one") {
  CorpusFacts f = facts_of(2000, sentence, sentence);
  const auto width = [&](double minutes) {
    return settings::values(
        settings::fields_of(recipe_of(f, {.minutes = minutes, .flops = 4e11, .cores = 2}).model));
  };
  const auto value = [](const std::vector<settings::FieldValue>& all, std::string_view key) {
    for (const settings::FieldValue& v : all)
      if (v.key == key) return std::stoll(v.value);
    return -1LL;
  };
  const int64_t few = value(width(600), "width");
  f.pairs *= 100, f.source.words *= 100, f.target.words *= 100;
  const int64_t many = value(width(600), "width");
  CHECK(many > few);
  CHECK(value(width(1), "width") < many);
}

TEST_CASE("starter recipe: a run of words is judged by its characters, and not at every step") {
  const auto name = [](int64_t i) { return "Name" + std::to_string(i * 7919); };
  const training::Recipe r = recipe_of(facts_of(200, name, name), {});
  CHECK(r.validation.judge() == "chrf");
  CHECK(r.limits.validate_every == 100);
}

TEST_CASE("starter recipe: syllables between spaces are symbols too, however many there are") {
  const auto syllables = [](int64_t i) {  // of three bytes each
    std::string text;
    for (int64_t w = 0; w < 3; ++w) {
      const int64_t code = 0xAC00 + (i * 3 + w) * 7 % 900;
      text += w > 0 ? " " : "";
      text += static_cast<char>(0xE0 | code >> 12);
      text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
      text += static_cast<char>(0x80 | (code & 0x3F));
    }
    return text;
  };
  const auto phones = [](int64_t i) { return std::string(i % 2 == 0 ? "k a m" : "t͡ɕ o n"); };
  const training::Recipe r = recipe_of(facts_of(2000, syllables, phones), {});
  CHECK(r.data.tokens.kind == data::TokenizerKind::words);
  CHECK(r.validation.judge() == "per");
}

TEST_CASE(
    "starter recipe: little time is named as it is, and its warm-up is a tenth of the steps") {
  const CorpusFacts facts = facts_of(9000, sentence, sentence);
  const StarterRecipe little{.minutes = 0.5, .flops = 2e10, .cores = 1};
  CHECK(starter_recipe(facts, little).find(" in 0.5 minutes\n") != std::string::npos);
  CHECK(recipe_of(facts, little).rate.warmup < 20);
  CHECK(recipe_of(facts, {.minutes = 600}).rate.warmup == 200);
}

TEST_CASE("starter recipe: without pairs there is none") {
  CHECK_THROWS_WITH_AS(starter_recipe({}, {}), "there are no pairs to train on", ir::GraphError);
}

}  // namespace
}  // namespace weft
