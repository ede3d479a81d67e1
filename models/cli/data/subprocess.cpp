// models/cli/data/subprocess.cpp -- starting a program and reading both of its outputs.
#include "models/cli/data/subprocess.h"

#include "ir/error.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

extern char** environ;

namespace weft::cli {
namespace {

struct Pipe {
  int ends[2] = {-1, -1};

  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0)
      throw ir::RuntimeError(ir::concat("cannot make a pipe: ", std::strerror(errno)));
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() { close(0), close(1); }
  void close(int end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
};

pid_t start(const std::vector<std::string>& arguments, const Pipe& out, const Pipe& err) {
  std::vector<char*> words, environment;
  for (const std::string& a : arguments) words.push_back(const_cast<char*>(a.c_str()));
  words.push_back(nullptr);
  std::string english = "LC_ALL=C.UTF-8";
  for (char** e = environ; *e != nullptr; ++e)
    if (std::strncmp(*e, "LC_ALL=", 7) != 0) environment.push_back(*e);
  environment.push_back(english.data());
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.ends[1], STDERR_FILENO);
  pid_t child = 0;
  const int error =
      posix_spawnp(&child, words[0], &actions, nullptr, words.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    throw ir::RuntimeError(
        ir::concat(arguments.front(), ": cannot be started: ", std::strerror(error)));
  return child;
}

// False at the end.
bool append(int descriptor, std::string& text) {
  char bytes[1 << 16];
  const ssize_t count = ::read(descriptor, bytes, sizeof bytes);
  if (count > 0) text.append(bytes, static_cast<size_t>(count));
  return count > 0 || (count < 0 && errno == EINTR);
}

void read_both(Pipe& out, Pipe& err, ProgramResult& result) {
  out.close(1), err.close(1);
  while (out.ends[0] >= 0 || err.ends[0] >= 0) {
    pollfd waiting[] = {{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0) continue;
    if (waiting[0].revents != 0 && !append(out.ends[0], result.out)) out.close(0);
    if (waiting[1].revents != 0 && !append(err.ends[0], result.err)) err.close(0);
  }
}

}  // namespace

std::string ProgramResult::complaint() const {
  const std::string& text = err.empty() ? out : err;
  const size_t end = text.find_last_not_of(" \n\r");
  if (end == text.npos) return ir::concat("exit code ", code);
  const size_t begin = text.rfind('\n', end);
  return text.substr(begin == text.npos ? 0 : begin + 1, end - (begin == text.npos ? -1 : begin));
}

ProgramResult run_program(const std::vector<std::string>& arguments) {
  Pipe out, err;
  const pid_t child = start(arguments, out, err);
  ProgramResult result;
  read_both(out, err, result);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace weft::cli
