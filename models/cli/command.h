// models/cli/command.h -- what the subcommands of `weft` share: how they are declared, how they
// speak.
//
// A subcommand is one file with one function that adds it to the program; its callback does the
// work and throws on trouble. Results go to stdout or to files that appear whole or not at all;
// everything else goes to stderr.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace weft::cli {

// What CLI11 does for us, compiled once: with its header every subcommand takes seconds to build.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  Option* required();
  Option* type_name(const std::string& name);  // as shown by --help
  Option* show_default();
  Option* show_default(const std::string& text);
  Option* delimiter(char c);  // of a list given as one word
  Option* one_at_a_time();    // of a list: one word each time the option is given
  Option* in_range(int least, int most);
  Option* within(double least, double most);
  Option* positive();
  Option* one_of(const std::vector<std::string>& choices);
  Option* group(const std::string& title);  // under which --help lists it

 private:
  CLI::Option* option_;
};

class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  // `names`: "-o,--output", or "FILE" for an argument known by its place. `value` must live as long
  // as the program; it is set before the callback runs.
  Option* add_option(const std::string& names, std::string& value, const std::string& what);
  Option* add_option(const std::string& names, int& value, const std::string& what);
  Option* add_option(const std::string& names, int64_t& value, const std::string& what);
  Option* add_option(const std::string& names, uint64_t& value, const std::string& what);
  Option* add_option(const std::string& names, double& value, const std::string& what);
  Option* add_option(const std::string& names, std::vector<std::string>& value,
                     const std::string& what);
  // `read` takes the value as text; a GraphError says what is wrong with it.
  Option* add_option(const std::string& names, std::function<void(const std::string&)> read,
                     const std::string& what);
  Option* add_flag(const std::string& names, bool& value, const std::string& what);
  Option* add_flag(const std::string& names, std::function<void()> given, const std::string& what);
  // What the subcommands that follow are for: --help lists them under it.
  void begin_group(const std::string& title) { group_ = title; }
  // A subcommand with an example at the end of its --help.
  Command* add_command(const std::string& name, const std::string& what,
                       const std::string& example);
  void require_command();
  bool asked() const;  // is it the one that runs? In callbacks.
  void callback(std::function<void()> run);

 private:
  template <typename T>
  Option* add(const std::string& names, T& value, const std::string& what);

  CLI::App* app_;
  std::string group_;
  std::deque<Option> options_;
  std::deque<Command> commands_;
};

// The program `weft`: --help, --version, and its subcommands.
class CommandLine {
 public:
  CommandLine(const std::string& name, const std::string& what, const std::string& version,
              const std::string& footer);
  ~CommandLine();
  Command& commands() { return commands_; }
  // Runs the subcommand that is asked for. Throws UsageError, and what its callback throws.
  void run(int argc, char** argv);

 private:
  std::unique_ptr<CLI::App> app_;
  Command commands_;
};

void add_attend(Command& program);
void add_average(Command& program);
void add_convert(Command& program);
void add_bench(Command& program);
void add_curves(Command& program);
void add_data(Command& program);
void add_doctor(Command& program);
void add_dump(Command& program);
void add_evaluate(Command& program);
void add_families(Command& program);
void add_info(Command& program);
void add_init(Command& program);
void add_inspect(Command& program);
void add_ops(Command& program);
void add_opt(Command& program);
void add_run(Command& program);
void add_score(Command& program);
void add_stages(Command& program);
void add_train(Command& program);
void add_translate(Command& program);

// The options were understood each by itself but not together: exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Writes to stdout; throws formats::ReaderGone or RuntimeError.
void put(std::string_view text);

// To the file (frontend/formats/atomic_file.h), or to stdout when the path is empty or "-".
void put_result(const std::string& path, std::string_view text);

// On stderr, the last line ended if it is not. What cannot be said there, because it is closed, full
// or nobody reads it, is not said: the work goes on.
void say(std::string_view lines);

}  // namespace weft::cli
