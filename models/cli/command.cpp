// models/cli/command.cpp -- subcommands and their options on CLI11, writing results.
#include "models/cli/command.h"

#include "frontend/formats/atomic_file.h"
#include "ir/error.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <cstdio>

namespace weft::cli {
namespace {

// What is wrong with the arguments: of a command that there is not CLI11 says that one is needed.
std::string fault_of(const CLI::App& program, const CLI::ParseError& e) {
  const CLI::App* at = &program;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  const std::vector<std::string> rest = at->remaining();
  if (at->get_require_subcommand_min() == 0 || rest.empty() || rest.front().starts_with("-"))
    return e.what();
  std::string names;
  for (const CLI::App* command : at->get_subcommands({}))
    names += (names.empty() ? "" : ", ") + command->get_name();
  return ir::concat("there is no command '", rest.front(), "'; there are ", names);
}

}  // namespace

Option* Option::required() { return option_->required(), this; }
Option* Option::type_name(const std::string& name) { return option_->type_name(name), this; }
Option* Option::show_default() { return option_->capture_default_str(), this; }
Option* Option::show_default(const std::string& text) { return option_->default_str(text), this; }
Option* Option::delimiter(char c) { return option_->delimiter(c), this; }
Option* Option::one_at_a_time() { return option_->allow_extra_args(false), this; }
Option* Option::in_range(int least, int most) {
  return option_->check(CLI::Range(least, most)), this;
}
// CLI11's own ranges let NaN pass, and print every digit of their limits.
Option* Option::within(double least, double most) {
  const auto fault = [=](const std::string& text) {
    double value = 0;
    return CLI::detail::lexical_cast(text, value) && value >= least && value <= most
               ? std::string()
               : ir::concat("'", text, "' must be a number from ", least, " to ", most);
  };
  return option_->check(CLI::Validator(fault, "")), this;
}
Option* Option::positive() { return option_->check(CLI::PositiveNumber), this; }
Option* Option::one_of(const std::vector<std::string>& choices) {
  return option_->check(CLI::IsMember(choices)), this;
}

Option* Option::group(const std::string& title) { return option_->group(title), this; }

template <typename T>
Option* Command::add(const std::string& names, T& value, const std::string& what) {
  return &options_.emplace_back(app_->add_option(names, value, what));
}
Option* Command::add_option(const std::string& names, std::string& value, const std::string& what) {
  return add(names, value, what);
}
Option* Command::add_option(const std::string& names, int& value, const std::string& what) {
  return add(names, value, what);
}
Option* Command::add_option(const std::string& names, int64_t& value, const std::string& what) {
  return add(names, value, what);
}
Option* Command::add_option(const std::string& names, uint64_t& value, const std::string& what) {
  return add(names, value, what);
}
Option* Command::add_option(const std::string& names, double& value, const std::string& what) {
  return add(names, value, what);
}
Option* Command::add_option(const std::string& names, std::vector<std::string>& value,
                            const std::string& what) {
  return add(names, value, what);
}
Option* Command::add_option(const std::string& names, std::function<void(const std::string&)> read,
                            const std::string& what) {
  const std::string name = names.substr(names.rfind(',') + 1);
  const auto checked = [read = std::move(read), name](const std::string& text) {
    try {
      read(text);
    } catch (const ir::GraphError& e) {
      throw CLI::ValidationError(name, e.what());
    }
  };
  return &options_.emplace_back(app_->add_option_function<std::string>(names, checked, what));
}
Option* Command::add_flag(const std::string& names, bool& value, const std::string& what) {
  return &options_.emplace_back(app_->add_flag(names, value, what));
}
Option* Command::add_flag(const std::string& names, std::function<void()> given,
                          const std::string& what) {
  return &options_.emplace_back(app_->add_flag_callback(names, std::move(given), what));
}

Command* Command::add_command(const std::string& name, const std::string& what,
                              const std::string& example) {
  CLI::App* command = app_->add_subcommand(name, what);
  command->footer("Example:\n  " + example);
  if (!group_.empty()) command->group(group_);
  return &commands_.emplace_back(command);
}
void Command::require_command() { app_->require_subcommand(1); }
bool Command::asked() const { return app_->parsed(); }
void Command::callback(std::function<void()> run) { app_->callback(std::move(run)); }

CommandLine::CommandLine(const std::string& name, const std::string& what,
                         const std::string& version, const std::string& footer)
    : app_(std::make_unique<CLI::App>(what, name)), commands_(app_.get()) {
  app_->require_subcommand(1);
  app_->set_version_flag("--version", version);
  app_->footer(footer);
}

CommandLine::~CommandLine() = default;

void CommandLine::run(int argc, char** argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    put(app_->help() + "\n");
  } catch (const CLI::CallForAllHelp&) {
    put(app_->help("", CLI::AppFormatMode::All) + "\n");
  } catch (const CLI::CallForVersion& e) {
    put(std::string(e.what()) + "\n");
  } catch (const CLI::ParseError& e) {
    std::string asked = app_->get_name();
    for (const CLI::App* at = app_.get(); !at->get_subcommands().empty();)
      asked += " " + (at = at->get_subcommands().front())->get_name();
    throw UsageError(fault_of(*app_, e) + " (" + asked + " --help says more)");
  }
}

void put(std::string_view text) { formats::write_all(STDOUT_FILENO, text, "standard output"); }

void put_result(const std::string& path, std::string_view text) {
  if (path.empty() || path == "-")
    put(text);
  else
    formats::write_file_atomically(path, text);
}

void say(std::string_view lines) {
  if (lines.empty()) return;
  const std::string whole = std::string(lines) + (lines.ends_with('\n') ? "" : "\n");
  std::fwrite(whole.data(), 1, whole.size(), stderr);
  std::fflush(stderr);
}

}  // namespace weft::cli
