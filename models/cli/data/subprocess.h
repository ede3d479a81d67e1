// models/cli/data/subprocess.h -- another program, run to its end.
#pragma once
#include <string>
#include <vector>

namespace weft::cli {

struct ProgramResult {
  int code = 0;  // exit code; 128 + its number where a signal ended it
  std::string out, err;

  // The last line of what it complained about, or of what it said at all.
  std::string complaint() const;
};

// Its standard input is empty, its messages are in English. RuntimeError where it cannot be started:
// "NAME: ...".
ProgramResult run_program(const std::vector<std::string>& arguments);

}  // namespace weft::cli
