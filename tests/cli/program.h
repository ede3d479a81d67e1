// tests/cli/program.h -- the program `weft`, driven as a user drives it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace weft::tests {

struct Outcome {
  int code = 0;    // exit code; -1 when a signal ended it
  int signal = 0;  // that signal; SIGKILL after the time limit
  double seconds = 0;
  int64_t peak_bytes = 0;  // resident
  std::string out, err;
};

// Runs `weft` with these arguments; `input` is its standard input.
Outcome weft(const std::vector<std::string>& arguments, const std::string& input = {},
             double time_limit = 60);

// Runs a script of bash's, in this folder; $weft is the program.
Outcome shell(const std::string& script, const std::string& folder, double time_limit = 60);

// Is this a clear refusal: the exit code wanted, one line on stderr, nothing on stdout, quick,
// small? Empty when it is, else what is wrong.
std::string not_a_clear_refusal(const Outcome& outcome, int code = 1, double most_seconds = 60);

// A folder of this test's own, removed when the test ends.
class Folder {
 public:
  Folder();
  Folder(const Folder&) = delete;
  ~Folder();
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& content) const;  // -> its path
  std::string read(const std::string& name) const;
  bool has(const std::string& name) const;
  std::vector<std::string> names() const;

 private:
  std::string path_;
};

}  // namespace weft::tests
