// models/cli/data/data.cpp -- weft data: known data sets, fetched and split.
#include "models/cli/data/data.h"

#include "ir/error.h"

#include <filesystem>

namespace weft::cli {

void make_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw ir::RuntimeError(folder + ": cannot make the folder: " + error.message());
}

void add_data(Command& program) {
  Command* command = program.add_command("data", "Get known data sets, split for training",
                                         "weft data pronunciation data");
  command->require_command();
  add_pronunciation(*command);
  add_debian_descriptions(*command);
  add_digits(*command);
  add_fashion_strings(*command);
}

}  // namespace weft::cli
