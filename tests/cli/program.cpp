// tests/cli/program.cpp -- starting `weft`, feeding it, measuring it.
#include "tests/cli/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

extern char** environ;

namespace weft::tests {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  }
  ~Pipe() { close_end(0), close_end(1); }
  void close_end(int i) {
    if (ends[i] >= 0) close(ends[i]);
    ends[i] = -1;
  }
};

void feed_and_read(Pipe& in, Pipe& out, Pipe& err, std::string_view input, Outcome& outcome,
                   pid_t child, double time_limit) {
  const auto start = Clock::now();
  while (out.ends[0] >= 0 || err.ends[0] >= 0) {
    pollfd waiting[3] = {
        {out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}, {in.ends[1], POLLOUT, 0}};
    poll(waiting, 3, 100);
    if (seconds_since(start) > time_limit) kill(child, SIGKILL);
    char buffer[65536];
    const auto read_some = [&](Pipe& pipe, const pollfd& state, std::string& to) {
      if (pipe.ends[0] < 0 || state.revents == 0) return;
      const ssize_t n = read(pipe.ends[0], buffer, sizeof buffer);
      if (n > 0) to.append(buffer, static_cast<size_t>(n));
      if (n <= 0) pipe.close_end(0);
    };
    read_some(out, waiting[0], outcome.out);
    read_some(err, waiting[1], outcome.err);
    if (in.ends[1] >= 0 && waiting[2].revents != 0) {
      const ssize_t n =
          input.empty() ? 0 : write(in.ends[1], input.data(), std::min<size_t>(input.size(), 4096));
      if (n > 0) input.remove_prefix(static_cast<size_t>(n));
      if (n < 0 || input.empty()) in.close_end(1);
    }
  }
}

Outcome run(const std::vector<std::string>& words, const std::string& input, double time_limit) {
  signal(SIGPIPE, SIG_IGN);
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  Pipe in, out, err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.ends[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err.ends[1], 2);
  const auto start = Clock::now();
  pid_t child = -1;
  const int error = posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + words[0]);
  in.close_end(0), out.close_end(1), err.close_end(1);
  fcntl(in.ends[1], F_SETFL, O_NONBLOCK);
  Outcome outcome;
  feed_and_read(in, out, err, input, outcome, child, time_limit);
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  outcome.seconds = seconds_since(start);
  outcome.peak_bytes = int64_t{usage.ru_maxrss} * 1024;
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  outcome.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return outcome;
}

}  // namespace

Outcome weft(const std::vector<std::string>& arguments, const std::string& input,
             double time_limit) {
  std::vector<std::string> words{WEFT_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return run(words, input, time_limit);
}

Outcome shell(const std::string& script, const std::string& folder, double time_limit) {
  return run({"/bin/bash", "-c", "weft=$0; cd \"$1\" || exit; " + script, WEFT_PROGRAM, folder}, "",
             time_limit);
}

std::string not_a_clear_refusal(const Outcome& o, int code, double most_seconds) {
  std::ostringstream s;
  if (o.signal != 0) s << "ended by signal " << o.signal << "; ";
  if (o.signal == 0 && o.code != code) s << "exit code " << o.code << ", wanted " << code << "; ";
  if (std::count(o.err.begin(), o.err.end(), '\n') != 1 || !o.err.ends_with("\n"))
    s << "stderr is not one line; ";
  if (!o.out.empty()) s << "wrote to stdout; ";
  if (o.seconds > most_seconds) s << "took " << o.seconds << " s; ";
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  if (o.peak_bytes > (int64_t{256} << 20)) s << "took " << (o.peak_bytes >> 20) << " MiB; ";
#endif
  return s.str().empty() ? "" : s.str() + "stderr: " + o.err;
}

Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "weft-cli-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  path_ = name;
}
Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Folder::write(const std::string& name, const std::string& content) const {
  std::ofstream(path_ + "/" + name, std::ios::binary) << content;
  return path_ + "/" + name;
}
std::string Folder::read(const std::string& name) const {
  std::ifstream file(path_ + "/" + name, std::ios::binary);
  std::ostringstream s;
  s << file.rdbuf();
  return s.str();
}
bool Folder::has(const std::string& name) const {
  return std::filesystem::exists(path_ + "/" + name);
}
std::vector<std::string> Folder::names() const {
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(path_))
    all.push_back(entry.path().filename().string());
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace weft::tests
