// models/cli/data/data_pronunciation.cpp -- weft data pronunciation: English words and their phones.
#include "frontend/formats/atomic_file.h"
#include "models/cli/data/data.h"
#include "models/cli/data/private_apt.h"
#include "models/data/corpora/cmudict.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>

namespace weft::cli {
namespace {

struct PronunciationOptions {
  std::string folder, dictionary;
  uint64_t seed = 1;
};

data::Dictionary dictionary(const PronunciationOptions& o) {
  if (!o.dictionary.empty()) return data::read_cmudict(o.dictionary);
  const std::string installed(data::kCmudictPath);
  if (std::filesystem::exists(installed)) return data::read_cmudict(installed);
  say("festlex-cmu is not installed: fetching it through apt");
  return data::read_cmudict(PrivateApt().file_of_package("festlex-cmu", installed));
}

void pronunciation(const PronunciationOptions& o) {
  const data::Dictionary words = dictionary(o);
  const data::DictionarySplit split = data::split_dictionary(words, o.seed);
  make_folder(o.folder);
  put(fmt::format("{} entries, {} left out that are not plain words, {} merged\n", words.entries,
                  words.not_plain, words.merged));
  for (const auto& [name, part] : {std::pair{"train.tsv", &split.train},
                                   {"valid.tsv", &split.valid},
                                   {"test.tsv", &split.test}}) {
    std::string text;
    for (const data::Example& e : data::pronunciation_examples(*part))
      text += e.source + "\t" + e.target + "\n";
    formats::write_file_atomically(o.folder + "/" + name, text);
    put(fmt::format("{}/{}: {} words\n", o.folder, name, part->size()));
  }
}

}  // namespace

void add_pronunciation(Command& data) {
  Command* command =
      data.add_command("pronunciation",
                       "English words, letter by letter, and their phones (Debian's festlex-cmu): "
                       "train.tsv, valid.tsv, test.tsv, split by word",
                       "weft data pronunciation data");
  const auto o = std::make_shared<PronunciationOptions>();
  command->add_option("DIR", o->folder, "Folder for the files")->required();
  command
      ->add_option("--dictionary", o->dictionary,
                   "The dictionary (default: the installed one, or fetched through apt)")
      ->type_name("FILE");
  command->add_option("--seed", o->seed, "Of the split")->show_default();
  command->callback([o] { pronunciation(*o); });
}

}  // namespace weft::cli
