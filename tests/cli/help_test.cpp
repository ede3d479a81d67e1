// tests/cli/help_test.cpp -- what `weft` says of itself.
#include "tests/cli/program.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

namespace weft::tests {
namespace {

// The subcommands, as the program's own help lists them, group by group.
std::vector<std::string> subcommands() {
  std::istringstream help(weft({"--help"}).out);
  std::vector<std::string> names;
  bool listed = false;
  for (std::string line; std::getline(help, line);) {
    if (line.ends_with(":")) listed = line != "Options:" && line != "Example:";
    if (listed && line.starts_with("  ") && line[2] != ' ')
      names.push_back(line.substr(2, line.find(' ', 2) - 2));
  }
  return names;
}

TEST_CASE("help: commands are grouped by what they are for") {
  const std::string help = weft({"--help"}).out;
  const size_t training = help.find("\nTraining and its results:\n");
  REQUIRE(training != help.npos);
  CHECK(help.find("\n  train ", training) < help.find("\nUsing a model:\n"));
}

TEST_CASE("help: every subcommand has one, with an example that names it") {
  const auto names = subcommands();
  CHECK(names.size() >= 5);
  for (const std::string& name : names) {
    INFO(name);
    const Outcome o = weft({name, "--help"});
    CHECK(o.code == 0);
    CHECK(o.err.empty());
    const size_t example = o.out.find("Example:\n  ");
    REQUIRE(example != o.out.npos);
    CHECK(o.out.find("weft " + name, example) != o.out.npos);
  }
}

TEST_CASE("ops: the manual's table is the one the program prints") {
  std::ifstream in(std::string(WEFT_SOURCE_DIR) + "/docs/ir.md");
  std::stringstream manual;
  manual << in.rdbuf();
  const std::string text = manual.str();
  const size_t table = text.find("<!-- ops -->\n");
  REQUIRE(table != text.npos);
  CHECK_MESSAGE(text.substr(table + 13) == weft({"ops"}).out,
                "docs/ir.md, section 6: replace the table by what `weft ops` prints");
}

TEST_CASE("families: docs/recipes.md is what the command prints") {
  std::ifstream file(std::string(WEFT_SOURCE_DIR) + "/docs/recipes.md");
  const std::string current((std::istreambuf_iterator<char>(file)), {});
  CHECK_MESSAGE(weft({"families"}).out == current, "docs/update makes it current");
}

TEST_CASE("help: the version") { CHECK(weft({"--version"}).out.starts_with("weft 0.")); }

TEST_CASE("usage: what is no command line of ours gets one line and exit code 2") {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {"nonsense"},
                                             {"run"},
                                             {"opt"},
                                             {"run", "a.ir", "--backend", "cuda"},
                                             {"run", "a.ir", "--nonsense"},
                                             {"opt", "a.ir", "--passes=nonsense"},
                                             {"dump", "a.ir", "--stage", "x"},
                                             {"run", "a.ir", "--profile"}})
    CHECK(not_a_clear_refusal(weft(arguments), 2) == "");
}

TEST_CASE("usage: a command that there is not is named, and those that there are") {
  const Outcome o = weft({"tranlsate", "model"});
  CHECK(not_a_clear_refusal(o, 2) == "");
  CHECK(o.err.starts_with("weft: there is no command 'tranlsate'; there are data, init, "));
  CHECK(weft({"data", "speech"}).err ==
        "weft: there is no command 'speech'; there are pronunciation, debian-descriptions, digits, "
        "fashion-strings (weft data --help says more)\n");
  CHECK(weft({"data", "debian-descriptions", "x"}).err ==
        "weft: --to is required (weft data debian-descriptions --help says more)\n");
  CHECK(weft({"data"}).err == "weft: A subcommand is required (weft data --help says more)\n");
}

TEST_CASE("output: a reader that goes away early is no error") {
  const std::string command =
      std::string(WEFT_PROGRAM) + " ops | head -c 10 > /dev/null; exit ${PIPESTATUS[0]}";
  CHECK(std::system(("bash -c '" + command + "'").c_str()) == 0);
}

TEST_CASE("output: a full device is an error") {
  const std::string command = std::string(WEFT_PROGRAM) + " ops > /dev/full 2> /dev/null";
  CHECK(WEXITSTATUS(std::system(command.c_str())) == 1);
}

TEST_CASE("doctor: this machine is as it must be") {
  const Outcome o = weft({"doctor"});
  CHECK(o.code == 0);
  INFO(o.out << o.err);
  CHECK(o.out.find("libomp") != o.out.npos);
}

}  // namespace
}  // namespace weft::tests
