// models/cli/data/data_debian.cpp -- weft data debian-descriptions: parallel text from Debian's packages.
#include "frontend/formats/atomic_file.h"
#include "ir/error.h"
#include "models/cli/data/data.h"
#include "models/cli/data/private_apt.h"
#include "models/data/corpora/debian_descriptions.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>

namespace weft::cli {
namespace {

struct DescriptionOptions {
  std::string folder, language;
  std::vector<std::string> files;
  uint64_t seed = 1;
};

bool is_language(const std::string& name) {
  return !name.empty() && name.size() <= 16 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  });
}

bool is_compressed(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  constexpr std::string_view kKnown[] = {".gz", ".bz2", ".xz", ".zst", ".lz4"};
  return std::find(std::begin(kKnown), std::end(kKnown), extension) != std::end(kKnown);
}

void read(const std::string& path, data::DescriptionIndex& english,
          data::DescriptionIndex& translated) {
  const bool packed = is_compressed(path) && std::filesystem::exists(path);
  const std::string content = packed ? decompressed(path) : std::string();
  std::istringstream text(content);
  auto lines = packed ? formats::LineReader(text, path) : formats::LineReader(path);
  data::read_descriptions(lines, english, translated);
}

void write(const std::string& folder, const std::string& part, const std::string& language,
           const std::vector<data::TextPair>& pairs) {
  std::string source, target;
  for (const data::TextPair& pair : pairs) {
    source += pair.source + '\n';
    target += pair.target + '\n';
  }
  const std::string path = folder + "/" + part;
  formats::write_file_atomically(path + ".en", source);
  formats::write_file_atomically(path + "." + language, target);
  put(fmt::format("{0}.en {0}.{1}: {2} pairs\n", path, language, pairs.size()));
}

void debian_descriptions(const DescriptionOptions& o) {
  if (!is_language(o.language) || o.language == "en")
    throw UsageError(fmt::format(
        "--to: '{}' is no language that English is translated to, as in fr or pt_BR", o.language));
  std::optional<PrivateApt> apt;
  std::vector<std::string> files = o.files;
  if (files.empty()) {
    say("fetching the package index through apt");
    try {
      files = apt.emplace().translations({"en", o.language});
    } catch (const ir::RuntimeError& e) {
      throw ir::RuntimeError(fmt::format(
          "{}; --from takes files fetched elsewhere (dists/stable/main/i18n/Translation-en.xz and "
          "Translation-{}.bz2 of a mirror)",
          e.what(), o.language));
    }
  }
  data::DescriptionIndex english{"en"}, translated{o.language};
  for (const std::string& file : files) read(file, english, translated);
  for (const data::DescriptionIndex* index : {&english, &translated})
    if (index->descriptions.empty())
      throw ir::GraphError(
          fmt::format("{}: holds no Description-{}", fmt::join(files, ", "), index->language));
  const data::DescriptionPairs pairs = data::description_pairs(english, translated, o.seed);
  if (pairs.train.empty())
    throw ir::GraphError(
        fmt::format("{}: no description is there in both languages", fmt::join(files, ", ")));
  make_folder(o.folder);
  put(
      fmt::format("{} descriptions; left out: {} untranslated pieces, {} out of proportion or "
                  "without letters, {} repeated\n",
                  pairs.descriptions, pairs.identical, pairs.implausible, pairs.repeated));
  write(o.folder, "train", o.language, pairs.train);
  write(o.folder, "valid", o.language, pairs.valid);
  write(o.folder, "test", o.language, pairs.test);
}

}  // namespace

void add_debian_descriptions(Command& data) {
  Command* command = data.add_command(
      "debian-descriptions",
      "English and its translation, sentence by sentence, from the descriptions of Debian's "
      "packages: train, valid and test, split by package, two text files each",
      "weft data debian-descriptions --to fr debian-fr");
  const auto o = std::make_shared<DescriptionOptions>();
  command->add_option("DIR", o->folder, "Folder for the files")->required();
  command->add_option("--to", o->language, "The other language: fr, de, ja, pt_BR, ...")
      ->required()
      ->type_name("LANGUAGE");
  command
      ->add_option("--from", o->files,
                   "Indexes Translation-en and Translation-LANGUAGE (default: fetched through apt, "
                   "the system stays as it is)")
      ->type_name("FILE");
  command->add_option("--seed", o->seed, "Of the split")->show_default();
  command->callback([o] { debian_descriptions(*o); });
}

}  // namespace weft::cli
