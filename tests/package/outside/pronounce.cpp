// A program of somebody else's that trains a model and asks it:
//
//   pronounce FOLDER     leaves data, recipe and FOLDER/model, which it makes anew
#include <weft/models.h>

#include <filesystem>
#include <fstream>
#include <iostream>

namespace {

// Letters become other letters: a b c -> x y z.
void write_examples(const std::string& path, unsigned seed, int lines) {
  std::ofstream file(path);
  const auto next = [&seed](unsigned n) { return (seed = seed * 1664525 + 1013904223) / 65536 % n; };
  for (int i = 0; i < lines; ++i) {
    std::string source, target;
    for (unsigned n = 1 + next(4); n > 0; --n) {
      const unsigned letter = next(3);
      source += std::string(source.empty() ? "" : " ") + "abc"[letter];
      target += std::string(target.empty() ? "" : " ") + "xyz"[letter];
    }
    file << source << '\t' << target << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: pronounce FOLDER\n", 2;
  const std::string here = argv[1];
  std::filesystem::remove_all(here + "/model");
  std::filesystem::create_directories(here);
  write_examples(here + "/train.tsv", 1, 300);
  write_examples(here + "/valid.tsv", 2, 30);
  std::ofstream(here + "/recipe.toml") << "[data]\ntrain = \"train.tsv\"\nvalid = \"valid.tsv\"\n"
                                          "[model]\nembedding = 16\nhidden = 24\n"
                                          "[batch]\nmax_rows = 16\naccumulate = 2\n"
                                          "[optimizer]\nlearning_rate = 1e-2\n"
                                          "[training]\nsteps = 200\nvalidate_every = 100\n";

  const weft::Task task = weft::read_task(here + "/recipe.toml");
  const weft::training::ModelFolder folder(here + "/model");
  weft::training::Trainer trainer(weft::trainer_setup(task, folder));
  folder.create(task.config, task.tokenizers);
  trainer.run([](const weft::training::Event& e) {
    if (e.kind == weft::training::Event::Kind::validation)
      std::cerr << "step " << e.step << ": validation loss " << e.loss << "\n";
  });

  weft::Translator translator(here + "/model", {.beam = 3});
  const std::string answer = translator.translate("a b c");
  std::cout << answer << "\n";
  return answer == "x y z" ? 0 : 1;
}
