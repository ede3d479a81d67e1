// tests/cli/small_task.h -- a recipe and data that are learnt in seconds.
#pragma once
#include "tests/cli/program.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace weft::tests {

// a b c -> x y z: letters to other letters, one by one.
inline std::string examples(int seed, int lines) {
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

inline std::string recipe(int steps, const std::string& more = "") {
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

inline bool has(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != text.npos);
  return text.find(part) != text.npos;
}

}  // namespace weft::tests
