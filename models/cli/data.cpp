// models/cli/data.cpp -- weft data: known data sets as TSV files.
#include "frontend/formats/atomic_file.h"
#include "ir/error.h"
#include "models/cli/command.h"
#include "models/data/cmudict.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

namespace weft::cli {
namespace {

struct CmudictOptions {
  std::string folder, dictionary{data::kCmudictPath};
  uint64_t seed = 1;
};

void cmudict(const CmudictOptions& o) {
  const data::Dictionary dictionary = data::read_cmudict(o.dictionary);
  const data::DictionarySplit split = data::split_dictionary(dictionary, o.seed);
  std::error_code error;
  std::filesystem::create_directories(o.folder, error);
  if (error) throw ir::RuntimeError(o.folder + ": cannot make the folder: " + error.message());
  const auto write = [&](const std::string& name, const std::vector<data::Word>& words) {
    std::string text;
    for (const data::Example& e : data::pronunciation_examples(words))
      text += data::join_tokens(e.source) + "\t" + data::join_tokens(e.target) + "\n";
    formats::write_file_atomically(o.folder + "/" + name, text);
    put(fmt::format("{}/{}: {} words\n", o.folder, name, words.size()));
  };
  put(fmt::format("{}: {} entries, {} left out that are not plain words, {} merged\n", o.dictionary,
                  dictionary.entries, dictionary.not_plain, dictionary.merged));
  write("train.tsv", split.train);
  write("valid.tsv", split.valid);
  write("test.tsv", split.test);
}

}  // namespace

void add_data(Command& program) {
  Command* command =
      program.add_command("data", "Prepare known data sets", "weft data cmudict --out data");
  command->require_command();
  Command* dictionary =
      command->add_command("cmudict",
                           "English pronunciations (Debian's festlex-cmu) as train.tsv, "
                           "valid.tsv, test.tsv, split by word",
                           "weft data cmudict --out data");
  const auto o = std::make_shared<CmudictOptions>();
  dictionary->add_option("--out", o->folder, "Folder for the files")->required()->type_name("DIR");
  dictionary->add_option("--dictionary", o->dictionary, "The dictionary")
      ->type_name("FILE")
      ->show_default();
  dictionary->add_option("--seed", o->seed, "Of the split")->show_default();
  dictionary->callback([o] { cmudict(*o); });
}

}  // namespace weft::cli
