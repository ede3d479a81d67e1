// tests/cli/init_test.cpp -- weft init: from files to a recipe that trains.
#include "tests/cli/program.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

namespace weft::tests {
namespace {

std::string lines(const char* symbols) {
  std::string text;
  for (int i = 0; i < 400; ++i) {
    for (int w = 0, n = 2 + i % 5; w < n; ++w)
      text += (w > 0 ? " " : "") + std::string(1, symbols[(i / (w + 1)) % 4]);
    text += "\n";
  }
  return text;
}

TEST_CASE("init: two files become a recipe, and what is held out, with which training begins") {
  const Folder folder;
  const std::string source = folder.write("x.src", lines("abcd")),
                    target = folder.write("x.trg", lines("wxyz")), dir = folder / "new";
  const Outcome o = weft({"init", dir, "--source", source, "--target", target, "--minutes", "1"});
  REQUIRE_MESSAGE(o.code == 0, o.err);
  CHECK(o.out.find("weft train " + dir + "/recipe.toml") != std::string::npos);
  CHECK(std::filesystem::exists(dir + "/valid.tsv"));
  // The same but for its end.
  std::string recipe = folder.read("new/recipe.toml");
  recipe.replace(recipe.find("\nminutes = 1"), 12, "\nsteps = 2");
  const size_t warmup = recipe.find("warmup = ");
  recipe.replace(warmup, recipe.find('\n', warmup) - warmup, "warmup = 1");
  folder.write("new/short.toml", recipe);
  const Outcome trained = weft({"train", dir + "/short.toml", "--out", dir + "/model"});
  CHECK_MESSAGE(trained.code == 0, trained.err);
  const Outcome again = weft({"init", dir, "--source", source, "--target", target});
  CHECK(not_a_clear_refusal(again) == "");
  CHECK(again.err.find("recipe.toml: is there already") != std::string::npos);
}

TEST_CASE("init: files that do not fit together are told before anything is written") {
  const Folder folder;
  const std::string three = folder.write("three", "a\nb\nc\n"), two = folder.write("two", "a\nb\n");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--source", three, "--target", two},
        {"--source", three},
        {},
        {"--data", three},
        {"--data", folder / "none.tsv"}}) {
    std::vector<std::string> command{"init", folder / "new"};
    command.insert(command.end(), words.begin(), words.end());
    const Outcome o = weft(command);
    CHECK(o.code != 0);
    CHECK(std::count(o.err.begin(), o.err.end(), '\n') == 1);
    CHECK(!std::filesystem::exists(folder / "new"));
  }
}

TEST_CASE("init: a list of sound or pictures is no text, and is told so") {
  const Folder folder;
  for (const auto& [name, source] :
       {std::pair<std::string, std::string>{"a.wav", "frames"}, {"b.jpeg", "image"}}) {
    const std::string list = folder.write("list.tsv", "x/" + name + "\tone two\n");
    const Outcome o = weft({"init", folder / "new", "--data", list});
    CHECK(not_a_clear_refusal(o) == "");
    CHECK(o.err.find("list.tsv:1: error: 'x/" + name) != std::string::npos);
    CHECK(o.err.find("data.source = \"" + source + "\"") != std::string::npos);
    CHECK(!std::filesystem::exists(folder / "new"));
  }
}

}  // namespace
}  // namespace weft::tests
