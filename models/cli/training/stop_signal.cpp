// models/cli/training/stop_signal.cpp -- a handler can reach nothing but globals.
#include "models/cli/training/stop_signal.h"

#include <atomic>
#include <cstdint>
#include <ctime>

namespace weft::cli {
namespace {

constexpr int64_t kSameStop = 50'000'000;  // nanoseconds

std::atomic<int64_t> first_signal = 0;  // when it came; 0: not yet
static_assert(std::atomic<int64_t>::is_always_lock_free);

int64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec + 1;
}

extern "C" void note_signal(int signal) {
  int64_t before = 0;
  if (first_signal.compare_exchange_strong(before, now()) || now() - before < kSameStop) return;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

StopSignal::StopSignal() {
  first_signal = 0;
  struct sigaction action {};
  action.sa_handler = note_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &interrupt_);
  sigaction(SIGTERM, &action, &terminate_);
  sigaction(SIGHUP, &action, &hang_up_);
  if (hang_up_.sa_handler == SIG_IGN) sigaction(SIGHUP, &hang_up_, nullptr);
}

StopSignal::~StopSignal() {
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGTERM, &terminate_, nullptr);
  sigaction(SIGHUP, &hang_up_, nullptr);
}

bool StopSignal::requested() const { return first_signal != 0; }

}  // namespace weft::cli
