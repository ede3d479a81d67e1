// models/cli/command.h -- what the subcommands of `weft` share: how they are declared, how they
// speak.
//
// A subcommand is one file with one function that adds it to the program; its callback does the
// work and throws on trouble. Results go to stdout or to files that appear whole or not at all;
// everything else goes to stderr.
#pragma once
#include <CLI/CLI.hpp>

#include <string>
#include <string_view>

namespace weft::cli {

void add_attend(CLI::App& program);
void add_bench(CLI::App& program);
void add_curves(CLI::App& program);
void add_data(CLI::App& program);
void add_doctor(CLI::App& program);
void add_dump(CLI::App& program);
void add_evaluate(CLI::App& program);
void add_inspect(CLI::App& program);
void add_ops(CLI::App& program);
void add_opt(CLI::App& program);
void add_run(CLI::App& program);
void add_stages(CLI::App& program);
void add_train(CLI::App& program);
void add_translate(CLI::App& program);

// A subcommand with an example at the end of its --help.
CLI::App* add_command(CLI::App& program, const std::string& name, const std::string& what,
                      const std::string& example);

// The options were understood each by itself but not together: exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Whoever reads stdout has gone away: nothing more to do, and no fault of anybody's.
struct ReaderGone {};

// Writes to stdout; throws ReaderGone or RuntimeError.
void put(std::string_view text);

// To the file, which appears whole or not at all, or to stdout when the path is empty or "-".
void put_result(const std::string& path, std::string_view text);

}  // namespace weft::cli
