// models/cli/data/data_fashion.cpp -- weft data fashion-strings: strings of pictures and their words.
#include "frontend/formats/atomic_file.h"
#include "ir/error.h"
#include "models/cli/data/data.h"
#include "models/cli/data/private_apt.h"
#include "models/data/corpora/picture_strings.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

namespace weft::cli {
namespace {

constexpr const char* kInstalled = "/usr/share/datasets/fashion-mnist";
constexpr const char* kPackage = "dataset-fashion-mnist";

struct FashionOptions {
  std::string folder, from;
  int64_t longest = 5, train = 8000, valid = 500, test = 1000;
  uint64_t seed = 1;
};

data::LabelledPictures read(const std::string& folder, const char* part) {
  const std::string begin = folder + "/" + part;
  return data::read_labelled_pictures(begin + "-images-idx3-ubyte.gz",
                                      begin + "-labels-idx1-ubyte.gz",
                                      std::ssize(data::kFashionItems));
}

// One of many: the list that names it is written last, and whole.
void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  file.close();
  if (!file) throw ir::RuntimeError(path + ": cannot be written");
}

// `count` strings of the pictures [first, last): a list and a folder of pictures of one name.
void write(const FashionOptions& o, const std::string& part, const data::LabelledPictures& from,
           int64_t first, int64_t last, int64_t count) {
  make_folder(o.folder + "/" + part);
  data::Random random(o.seed, data::hash(0, part));
  std::string list;
  for (int64_t i = 1; i <= count; ++i) {
    const data::PictureString s = data::draw_string(from, first, last, o.longest, random);
    const std::string name = fmt::format("{}/{:05}.png", part, i);
    write_file(o.folder + "/" + name, data::png_bytes(s.image));
    list += name;
    char before = '\t';
    for (const int64_t label : s.labels) {
      (list += before) += data::kFashionItems[static_cast<size_t>(label)];
      before = ' ';
    }
    list += '\n';
  }
  formats::write_file_atomically(fmt::format("{}/{}.tsv", o.folder, part), list);
  put(fmt::format("{0}/{1}.tsv: {2} pictures of {3} by {4} pixels\n", o.folder, part, count,
                  from.height, o.longest * from.width));
}

void fashion_strings(const FashionOptions& o) {
  if (o.longest < 1 || o.longest > 64)
    throw UsageError(fmt::format("--longest is {}, needed is 1 to 64", o.longest));
  for (const int64_t count : {o.train, o.valid, o.test})
    if (count < 1 || count > 1 << 20)
      throw UsageError(fmt::format("{} strings are asked for, needed are 1 to {}", count, 1 << 20));
  std::optional<PrivateApt> apt;
  std::string from = o.from;
  if (from.empty() && std::filesystem::exists(kInstalled)) from = kInstalled;
  if (from.empty()) {
    say(fmt::format("{} is not installed: fetching it through apt", kPackage));
    const std::string file = apt.emplace().file_of_package(
        kPackage, fmt::format("{}/train-images-idx3-ubyte.gz", kInstalled));
    from = std::filesystem::path(file).parent_path().string();
  }
  const data::LabelledPictures train = read(from, "train"), test = read(from, "t10k");
  // The last twelfth of what is there to train on is for validation.
  const int64_t valid = train.count() - std::max<int64_t>(train.count() / 12, 1);
  if (valid < 1)
    throw ir::GraphError(from + ": has a single picture to train on, needed are 2 or more");
  if (train.height != test.height || train.width != test.width)
    throw ir::GraphError(from + ": pictures for training and for tests differ in size");
  make_folder(o.folder);
  write(o, "train", train, 0, valid, o.train);
  write(o, "valid", train, valid, train.count(), o.valid);
  write(o, "test", test, 0, test.count(), o.test);
}

}  // namespace

void add_fashion_strings(Command& data) {
  Command* command = data.add_command(
      "fashion-strings",
      "Pictures of 1 to 5 pieces of clothing side by side, and their names in order (Debian's "
      "dataset-fashion-mnist): PNG files and train.tsv, valid.tsv, test.tsv, of different pieces",
      "weft data fashion-strings fashion");
  const auto o = std::make_shared<FashionOptions>();
  command->add_option("DIR", o->folder, "Folder for the files")->required();
  command
      ->add_option("--from", o->from,
                   "Folder of the IDX files (default: the installed one, or fetched through apt)")
      ->type_name("DIR");
  command->add_option("--longest", o->longest, "Pieces in a picture at most")->show_default();
  command->add_option("--train", o->train, "Pictures to train on")->show_default();
  command->add_option("--valid", o->valid, "Pictures to validate on")->show_default();
  command->add_option("--test", o->test, "Pictures to test on")->show_default();
  command->add_option("--seed", o->seed, "Of what is drawn")->show_default();
  command->callback([o] { fashion_strings(*o); });
}

}  // namespace weft::cli
