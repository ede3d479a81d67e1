// backends/onednn/machine/environment.cpp -- a table of variables, and a trial of the threads.
#include "backends/onednn/machine/environment.h"

#include "ir/error.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <span>
#include <thread>

namespace weft::onednn {
namespace {

using Text = std::string_view;

constexpr int64_t kMostThreads = 1024;
constexpr int64_t kMostStack = int64_t{1} << 30;
constexpr int64_t kUsualStack = int64_t{8} << 20;

Text trimmed(Text s) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!s.empty() && blank(s.front())) s.remove_prefix(1);
  while (!s.empty() && blank(s.back())) s.remove_suffix(1);
  return s;
}

std::optional<int64_t> number(Text s) {
  int64_t n = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n);
  return error == std::errc() && end == s.data() + s.size() ? std::optional(n) : std::nullopt;
}

bool equal_words(Text a, Text b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

bool one_of(Text s, std::span<const Text> words) {
  return std::any_of(words.begin(), words.end(), [&](Text w) { return equal_words(s, w); });
}

// Each part between commas.
template <typename Check>
bool all_parts(Text s, const Check& check) {
  for (;;) {
    const size_t comma = s.find(',');
    if (!check(trimmed(s.substr(0, comma)))) return false;
    if (comma == Text::npos) return true;
    s.remove_prefix(comma + 1);
  }
}

bool is_team(Text s) {
  return all_parts(s, [](Text part) {
    const auto n = number(part);
    return n && *n >= 1 && *n <= kMostThreads;
  });
}

bool is_positive(Text s) { return number(s).value_or(0) >= 1; }
bool is_count(Text s) { return number(s).value_or(-1) >= 0; }

// "16M": kilobytes where no unit is given.
std::optional<int64_t> bytes_of(Text s) {
  constexpr Text kUnits = "bkmg";
  if (s.size() > 1 && std::tolower(s.back()) == 'b' && std::isalpha(s[s.size() - 2]) != 0)
    s.remove_suffix(1);
  int shift = 10;
  if (!s.empty() && std::isalpha(static_cast<unsigned char>(s.back())) != 0) {
    const size_t unit = kUnits.find(static_cast<char>(std::tolower(s.back())));
    if (unit == Text::npos) return std::nullopt;
    shift = 10 * static_cast<int>(unit);
    s = trimmed(s.substr(0, s.size() - 1));
  }
  const auto n = number(s);
  if (!n || *n < 0 || *n > (INT64_MAX >> shift)) return std::nullopt;
  return *n << shift;
}

bool is_stack(Text s) {
  const auto bytes = bytes_of(s);
  return bytes && *bytes >= 1 && *bytes <= kMostStack;
}

bool is_small(Text s) { return bytes_of(s).value_or(kMostStack) <= (1 << 20); }

bool is_switch(Text s) {
  static constexpr Text kWords[] = {"true", "false", "yes", "no",      "on",      "off",
                                    "1",    "0",     "t",   "f",       ".true.",  ".false.",
                                    ".t.",  ".f.",   "y",   "enabled", "disabled"};
  return one_of(s, kWords);
}

bool is_binding(Text s) {
  static constexpr Text kWords[] = {"true", "false", "master", "primary", "close", "spread"};
  return all_parts(s, [](Text part) { return one_of(part, kWords); });
}

// "cores", "threads(2)", or "{0:4},{4:4}".
bool is_places(Text s) {
  static constexpr Text kWords[] = {"threads", "cores", "sockets", "ll_caches", "numa_domains"};
  if (one_of(trimmed(s.substr(0, s.find('('))), kWords)) return true;
  return s.find('{') != Text::npos && s.find_first_not_of("0123456789{}:,!- ") == Text::npos;
}

bool is_policy(Text s) {
  static constexpr Text kWords[] = {"active", "passive"};
  return one_of(s, kWords);
}

bool is_blocktime(Text s) {
  const size_t digits = std::min(s.find_first_not_of("0123456789"), s.size());
  const auto n = number(s.substr(0, digits));
  const Text unit = trimmed(s.substr(digits));
  return equal_words(s, "infinite") ||
         (n && *n <= INT32_MAX && (unit.empty() || unit == "us" || unit == "ms"));
}

bool is_library(Text s) {
  static constexpr Text kWords[] = {"serial", "turnaround", "throughput"};
  return one_of(s, kWords);
}

// How threads are told apart; by their stacks (0, 1), the runtime crashes when it ends.
bool is_thread_local(Text s) { return s == "2" || s == "3"; }

bool is_readable(Text s) { return ::access(std::string(s).c_str(), R_OK) == 0; }

struct Variable {
  Text name;
  bool (*valid)(Text);
  Text needed;
};

constexpr Text kTeam = "a number of threads from 1 to 1024 is needed";
constexpr Text kPositive = "a positive number is needed";
constexpr Text kCount = "a number is needed";
constexpr Text kStack = "a size up to 1G is needed, as in 16M";
constexpr Text kSmall = "a size up to 1M is needed";
constexpr Text kSwitch = "true or false is needed";

constexpr Variable kVariables[] = {
    {"OMP_NUM_THREADS", is_team, kTeam},
    {"OMP_THREAD_LIMIT", is_positive, kPositive},
    {"KMP_DEVICE_THREAD_LIMIT", is_positive, kPositive},
    {"KMP_ALL_THREADS", is_positive, kPositive},
    {"KMP_MAX_THREADS", is_positive, kPositive},
    {"OMP_TEAMS_THREAD_LIMIT", is_positive, kPositive},
    {"KMP_TEAMS_THREAD_LIMIT", is_positive, kPositive},
    {"OMP_NUM_TEAMS", is_positive, kPositive},
    {"OMP_MAX_ACTIVE_LEVELS", is_count, kCount},
    {"OMP_STACKSIZE", is_stack, kStack},
    {"KMP_STACKSIZE", is_stack, kStack},
    {"GOMP_STACKSIZE", is_stack, kStack},
    {"KMP_MONITOR_STACKSIZE", is_stack, kStack},
    {"KMP_STACKOFFSET", is_small, kSmall},
    {"KMP_STACKPAD", is_small, kSmall},
    {"KMP_MALLOC_POOL_INCR", is_stack, kStack},
    {"KMP_GTID_MODE", is_thread_local, "2 or 3 is needed"},
    {"KMP_CPUINFO_FILE", is_readable, "a file that can be read is needed"},
    {"OMP_DYNAMIC", is_switch, kSwitch},
    {"OMP_NESTED", is_switch, kSwitch},
    {"OMP_CANCELLATION", is_switch, kSwitch},
    {"OMP_TOOL", is_switch, "enabled or disabled is needed"},
    {"KMP_DETERMINISTIC_REDUCTION", is_switch, kSwitch},
    {"OMP_PROC_BIND", is_binding, "true, false, primary, close or spread is needed"},
    {"OMP_PLACES", is_places, "cores, threads, sockets or a list as in {0},{1} is needed"},
    {"OMP_WAIT_POLICY", is_policy, "active or passive is needed"},
    {"KMP_BLOCKTIME", is_blocktime, "milliseconds or infinite is needed"},
    {"KMP_LIBRARY", is_library, "serial, turnaround or throughput is needed"},
};

// Starts as many threads with stacks of that size as there are to be, and ends them: how many
// could be started.
int64_t started(int64_t wanted, int64_t stack) {
  std::mutex mutex;
  std::condition_variable go;
  bool may_end = false;
  struct Shared {
    std::mutex& mutex;
    std::condition_variable& go;
    bool& may_end;
  } shared{mutex, go, may_end};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, static_cast<size_t>(std::max(stack, int64_t{1} << 16)));
  std::vector<pthread_t> threads;
  const auto wait = [](void* p) -> void* {
    auto& s = *static_cast<Shared*>(p);
    std::unique_lock lock(s.mutex);
    s.go.wait(lock, [&] { return s.may_end; });
    return nullptr;
  };
  for (pthread_t thread{}; static_cast<int64_t>(threads.size()) < wanted; threads.push_back(thread))
    if (pthread_create(&thread, &attributes, wait, &shared) != 0) break;
  pthread_attr_destroy(&attributes);
  {
    const std::lock_guard lock(mutex);
    may_end = true;
  }
  go.notify_all();
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  return static_cast<int64_t>(threads.size());
}

Text value_of(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? Text() : trimmed(value);
}

// More threads, or larger stacks, than the system gives end in an abort, not in an error.
void try_threads(std::vector<std::string>& said) {
  const Text team = value_of("OMP_NUM_THREADS"), omp_stack = value_of("OMP_STACKSIZE"),
             kmp_stack = value_of("KMP_STACKSIZE");
  if (team.empty() && omp_stack.empty() && kmp_stack.empty()) return;
  const auto processors = static_cast<int64_t>(std::thread::hardware_concurrency());
  const int64_t wanted = number(trimmed(team.substr(0, team.find(',')))).value_or(processors);
  const int64_t stack = bytes_of(kmp_stack.empty() ? omp_stack : kmp_stack).value_or(kUsualStack);
  if (started(wanted - 1, stack) == wanted - 1) return;
  if (stack > kUsualStack && started(wanted - 1, kUsualStack) == wanted - 1) {
    said.push_back(ir::concat(kmp_stack.empty() ? "OMP_STACKSIZE" : "KMP_STACKSIZE", "=",
                              kmp_stack.empty() ? omp_stack : kmp_stack,
                              " is ignored: threads with such stacks cannot be started"));
    ::unsetenv("OMP_STACKSIZE"), ::unsetenv("KMP_STACKSIZE");
    return;
  }
  const int64_t possible =
      std::max<int64_t>(1, std::min(processors, started(wanted - 1, kUsualStack) + 1));
  said.push_back(ir::concat("OMP_NUM_THREADS=", team, " is ignored: so many threads cannot be ",
                            "started; there are ", possible));
  ::unsetenv("OMP_STACKSIZE"), ::unsetenv("KMP_STACKSIZE");
  ::setenv("OMP_NUM_THREADS", std::to_string(possible).c_str(), 1);
}

std::vector<std::string> mend() {
  std::vector<std::string> said;
  for (const Variable& v : kVariables) {
    const std::string name(v.name);
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) continue;
    const std::string fault = fault_of(v.name, value);
    if (fault.empty()) continue;
    said.push_back(name + "='" + std::string(value).substr(0, 100) + "' is ignored: " + fault);
    ::unsetenv(name.c_str());
  }
  try_threads(said);
  return said;
}

}  // namespace

std::string fault_of(Text variable, Text value) {
  for (const Variable& v : kVariables)
    if (v.name == variable) return std::string(v.valid(trimmed(value)) ? "" : v.needed);
  return {};
}

const std::vector<std::string>& mended_environment() {
  static const std::vector<std::string> said = mend();
  return said;
}

}  // namespace weft::onednn
