// models/cli/data/data.h -- the commands below `weft data`, one file each.
#pragma once
#include "models/cli/command.h"

#include <string>

namespace weft::cli {

void add_pronunciation(Command& data);
void add_debian_descriptions(Command& data);
void add_digits(Command& data);
void add_fashion_strings(Command& data);

// Makes the folder that a data set is written to.
void make_folder(const std::string& folder);

}  // namespace weft::cli
