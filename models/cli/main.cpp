// models/cli/main.cpp -- the program `weft`: picks the subcommand, says in one line what went
// wrong.
//
// Exit codes: 0 done, 1 the work could not be done, 2 the command line was not understood.
#include "backends/backend.h"
#include "frontend/formats/atomic_file.h"
#include "ir/error.h"
#include "models/cli/command.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <new>
#include <vector>

namespace {

using weft::cli::UsageError;

// "x\n    y\n" -> "x; y": one line, its control characters made visible.
std::string one_line(const std::string& message) {
  std::string line;
  bool at_start = false;
  for (const char c : message) {
    if (c == '\n') {
      at_start = true;
    } else if (at_start && c == ' ') {
      continue;
    } else {
      if (at_start && !line.empty()) line += "; ";
      at_start = false;
      line += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
    }
  }
  constexpr size_t kLongest = 2000;
  if (line.size() > kLongest) line = line.substr(0, kLongest) + "...";
  return line;
}

// Messages that begin with a file of the command line's stand as they are, like a compiler's.
bool begins_with_a_file(const std::string& message, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    if (word.starts_with("--") && word.find('=') != word.npos)
      word = word.substr(word.find('=') + 1);
    if (!word.empty() && message.starts_with(word + ":")) return true;
  }
  return false;
}

// Running out of memory should be an exception, not the end of other people's processes: what
// the machine has left is all this process may take.
void limit_memory() {
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  for (long kilobytes = 0; file >> key >> kilobytes; std::getline(file, unit)) {
    if (key != "MemAvailable:") continue;
    rlimit limit{};
    if (getrlimit(RLIMIT_DATA, &limit) != 0) return;
    limit.rlim_cur = std::min(limit.rlim_cur, static_cast<rlim_t>(kilobytes) * 1024);
    setrlimit(RLIMIT_DATA, &limit);
    return;
  }
#endif
}

// A file that is opened takes the lowest free number: where standard input, output or error is
// closed, a model could be opened as number 2, and be written over by what is said to the user.
// What holds the place of output cannot be written to: results that go nowhere are an error.
void fill_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(descriptor, F_GETFD) < 0) open("/dev/null", O_RDONLY);
}

void run(int argc, char** argv) {
  weft::cli::CommandLine program(
      "weft", "weft -- a compiler for attention: trains, translates and looks into models",
      std::string("weft ") + WEFT_VERSION,
      "Example:\n  weft train pronounce.toml --out pronounce\n\n`weft SUBCOMMAND --help` says "
      "more.");
  using namespace weft::cli;
  struct Group {
    const char* title;
    std::vector<void (*)(Command&)> commands;
  };
  const Group groups[] = {
      {"Data and recipes", {add_data, add_init, add_families}},
      {"Training and its results", {add_train, add_average, add_convert, add_curves, add_evaluate}},
      {"Using a model", {add_translate, add_score, add_attend}},
      {"Looking into models and graphs",
       {add_info, add_inspect, add_dump, add_stages, add_opt, add_run, add_ops}},
      {"This machine", {add_bench, add_doctor}},
  };
  for (const Group& group : groups) {
    program.commands().begin_group(group.title);
    for (const auto add : group.commands) add(program.commands());
  }
  program.run(argc, argv);
}

}  // namespace

int main(int argc, char** argv) {
  fill_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error like a full disk
  limit_memory();
  for (const std::string& remark : weft::backends::onednn_remarks())
    weft::cli::say("weft: " + remark);
  const auto complain = [&](const std::string& message, int code) {
    const std::string line =
        (begins_with_a_file(message, argc, argv) ? "" : "weft: ") + one_line(message) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
    return code;
  };
  try {
    run(argc, argv);
    return 0;
  } catch (const weft::formats::ReaderGone&) {
    return 0;
  } catch (const UsageError& e) {
    return complain(e.what(), 2);
  } catch (const std::bad_alloc&) {
    return complain("out of memory", 1);
  } catch (const std::exception& e) {
    return complain(e.what(), 1);
  }
}
