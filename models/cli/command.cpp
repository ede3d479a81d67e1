// models/cli/command.cpp -- declaring subcommands, writing results.
#include "models/cli/command.h"

#include "frontend/formats/atomic_file.h"
#include "ir/error.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weft::cli {

CLI::App* add_command(CLI::App& program, const std::string& name, const std::string& what,
                      const std::string& example) {
  CLI::App* command = program.add_subcommand(name, what);
  command->footer("Example:\n  " + example);
  return command;
}

void put(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EPIPE) {
      throw ReaderGone();
    } else if (errno != EINTR && errno != EAGAIN) {
      throw ir::RuntimeError(ir::concat("cannot write to standard output: ", std::strerror(errno)));
    }
  }
}

void put_result(const std::string& path, std::string_view text) {
  if (path.empty() || path == "-")
    put(text);
  else
    formats::write_file_atomically(path, text);
}

}  // namespace weft::cli
