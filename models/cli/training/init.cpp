// models/cli/training/init.cpp -- weft init: a first recipe for data of one's own.
#include "backends/backend.h"
#include "frontend/formats/atomic_file.h"
#include "ir/error.h"
#include "models/cli/command.h"
#include "models/cli/data/data.h"
#include "models/data/parallel_text.h"
#include "models/data/random.h"
#include "models/settings/toml_table.h"
#include "models/translator/starter_recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <thread>

namespace weft::cli {
namespace {

namespace fs = std::filesystem;

struct InitOptions {
  std::string folder, data, source, target, valid, valid_source, valid_target;
  double minutes = 30;
};

std::optional<data::ParallelFile> file_of(const std::string& pairs, const std::string& source,
                                          const std::string& target, const char* flags) {
  if (source.empty() != target.empty() || (!pairs.empty() && !source.empty()))
    throw UsageError(
        fmt::format("{}: a file of pairs, or one of sources and one of targets", flags));
  if (pairs.empty() && source.empty()) return std::nullopt;
  return data::ParallelFile{.source = pairs.empty() ? source : pairs, .target = target};
}

// As the recipe in `folder` names it.
std::string named(const data::ParallelFile& file, const fs::path& folder) {
  const auto from_folder = [&](const std::string& path) {
    return settings::toml_string(
        fs::absolute(path).lexically_relative(fs::absolute(folder)).string());
  };
  return file.is_tsv() ? from_folder(file.source)
                       : fmt::format("{{source = {}, target = {}}}", from_folder(file.source),
                                     from_folder(file.target));
}

// A twentieth of the pairs, at most some 2,000, to validate on; pairs with one source stay together.
void split(const data::ParallelCorpus& corpus, int64_t pairs, const fs::path& folder) {
  constexpr int64_t kMostValid = 2000;
  const int64_t share = std::max<int64_t>(20, pairs / kMostValid);
  formats::AtomicFile train((folder / "train.tsv").string()),
      valid((folder / "valid.tsv").string());
  const auto next = corpus.examples();
  while (const auto pair = next()) {
    if (pair->source.empty() || pair->target.empty()) continue;
    const bool held_out = data::hash(1, pair->source) % static_cast<uint64_t>(share) == 0;
    const std::string line = pair->source + "\t" + pair->target + "\n";
    (held_out ? valid : train).write(line.data(), line.size());
  }
  train.commit();
  valid.commit();
}

// A list of sound or pictures has names that no one wants spelled.
void check_is_text(const data::ParallelCorpus& corpus, const data::ParallelFile& file) {
  constexpr std::array<std::string_view, 4> kSound{".wav", ".flac", ".ogg", ".npy"};
  constexpr std::array<std::string_view, 3> kPictures{".png", ".jpg", ".jpeg"};
  const auto first = corpus.examples()();
  if (!first) return;
  const std::string extension = fs::path(first->source).extension().string();
  const auto is_of = [&](std::span<const std::string_view> all) {
    return std::find(all.begin(), all.end(), extension) != all.end();
  };
  const bool sound = is_of(kSound);
  if (!sound && !is_of(kPictures)) return;
  throw ir::GraphError(fmt::format(
      "{}:1: error: '{}' is the name of a file; init writes recipes for text, one for {} has "
      "data.source = \"{}\" (docs/training.md, Sound and images)",
      file.source, first->source, sound ? "sound" : "pictures", sound ? "frames" : "image"));
}

void init(const InitOptions& o) {
  const auto file = file_of(o.data, o.source, o.target, "--data, --source and --target");
  const auto valid = file_of(o.valid, o.valid_source, o.valid_target,
                             "--valid, --valid-source and --valid-target");
  if (!file) throw UsageError("what to train on is said by --data, or by --source and --target");
  const fs::path folder(o.folder);
  const std::string recipe = (folder / "recipe.toml").string();
  if (fs::exists(recipe))
    throw ir::GraphError(recipe + ": is there already; it is not written over");
  const data::ParallelCorpus corpus({*file});
  check_is_text(corpus, *file);
  const CorpusFacts facts = corpus_facts(corpus.examples());
  if (valid) data::ParallelCorpus({*valid}).examples()();  // a fault in it is told now
  make_folder(o.folder);
  StarterRecipe wanted{.train = "\"train.tsv\"",
                       .valid = "\"valid.tsv\"",
                       .minutes = o.minutes,
                       .flops = backends::make_onednn()->peak_flops(0.2),
                       .cores = static_cast<int>(std::thread::hardware_concurrency())};
  if (valid) {
    wanted.train = named(*file, folder);
    wanted.valid = named(*valid, folder);
  }
  const std::string text = starter_recipe(facts, wanted);
  if (!valid) split(corpus, facts.pairs, folder);
  formats::write_file_atomically(recipe, text);
  const std::string model = (folder / "model").string();
  put(fmt::format(
      "{} is written{}. Next:\n  weft train {} --out {}\n  weft translate {} < new.txt\n", recipe,
      valid ? "" : ", with train.tsv and valid.tsv, which share no source", recipe, model, model));
}

}  // namespace

void add_init(Command& program) {
  Command* command = program.add_command(
      "init", "Write a commented recipe for two given files, of sizes that data and machine allow",
      "weft init de-uk --source corpus.de --target corpus.uk.gz --minutes 60");
  const auto o = std::make_shared<InitOptions>();
  command->add_option("DIR", o->folder, "Where recipe.toml goes")->required();
  command->add_option("--data", o->data, "Pairs, source<TAB>target")->type_name("FILE.tsv");
  command->add_option("--source", o->source, "Or sources, one a line, with")->type_name("FILE");
  command->add_option("--target", o->target, "their translations, line by line")->type_name("FILE");
  command
      ->add_option("--valid", o->valid,
                   "Pairs to validate on; without any, a part of the data is held out")
      ->type_name("FILE.tsv");
  command->add_option("--valid-source", o->valid_source, "Or sources to validate on, with")
      ->type_name("FILE");
  command->add_option("--valid-target", o->valid_target, "their translations")->type_name("FILE");
  command->add_option("--minutes", o->minutes, "That training may take")
      ->within(0.1, 1e6)
      ->type_name("N")
      ->show_default();
  command->callback([o] { init(*o); });
}

}  // namespace weft::cli
