// backends/onednn/machine/waiting.cpp -- counts how often this process is pushed off a core.
#include "backends/onednn/machine/waiting.h"

#include <omp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

namespace weft::onednn {
namespace {

constexpr double kLook = 0.02;                    // seconds of runs between two looks
constexpr int kSpin = 1, kSleep = 0;              // milliseconds of spinning
constexpr double kShortest = 0.05, kLongest = 8;  // seconds of sleeping before spinning is tried
// Times a second that threads are pushed off, from where on the machine is not quiet. Measured, two
// threads spinning on two cores: 20 to 40 with nothing else running, several at once now and then;
// 4000 beside one more busy process.
constexpr double kPushedOff = 500;

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int64_t times_pushed_off() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

// Of the thread that runs plans: what it sets is its own.
struct Waiting {
  bool chosen_by_user =
      std::getenv("KMP_BLOCKTIME") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr;
  bool begun = false;
  WaitingPolicy policy;

  void choose() {
    if (chosen_by_user) return;
    const bool slept = policy.sleeps();
    policy.look(seconds_now(), times_pushed_off());
    if (!begun || policy.sleeps() != slept) kmp_set_blocktime(policy.sleeps() ? kSleep : kSpin);
    begun = true;
  }
};

}  // namespace

void WaitingPolicy::begin(double now, int64_t count) {
  begun_ = true;
  looked_ = now;
  count_ = count;
}

void WaitingPolicy::look(double now, int64_t count) {
  if (!begun_) return begin(now, count);
  const double since = now - looked_;
  if (sleeps_) {  // a sleeping thread is not pushed off: only spinning tells
    if (since < patience_) return;
    sleeps_ = false;
    return begin(now, count);
  }
  if (since < kLook) return;
  sleeps_ = static_cast<double>(count - count_) / since > kPushedOff;
  patience_ = sleeps_ ? std::min(2 * patience_, kLongest) : kShortest;
  begin(now, count);
}

void choose_waiting() {
  thread_local Waiting waiting;
  waiting.choose();
}

Crowding::Crowding() : start_(now()) {}

Crowding::Times Crowding::now() {
  Times t;
  std::ifstream stat("/proc/stat");
  std::string cpu;
  double user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softirq = 0;
  if (stat >> cpu >> user >> nice >> system >> idle >> wait >> irq >> softirq) {
    const double tick = 1.0 / static_cast<double>(sysconf(_SC_CLK_TCK));
    t.busy = (user + nice + system + irq + softirq) * tick;
    t.all = t.busy + (idle + wait) * tick;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& v) {
    return static_cast<double>(v.tv_sec) + 1e-6 * static_cast<double>(v.tv_usec);
  };
  t.own = of(usage.ru_utime) + of(usage.ru_stime);
  return t;
}

std::string Crowding::text() const {
  if (omp_get_max_threads() == 1) return {};  // one thread waits for nobody
  Times end = now();
  constexpr double kLeast = 0.1;  // seconds of one processor: time is counted in hundredths
  const auto processors = static_cast<double>(std::thread::hardware_concurrency());
  if (end.all - start_.all < kLeast * processors) {
    std::this_thread::sleep_for(std::chrono::duration<double>(kLeast));
    end = now();
  }
  const double all = end.all - start_.all;
  if (all <= 0) return {};
  const double others = (end.busy - start_.busy) - (end.own - start_.own);
  const double taken = others / all * processors;
  const double left = processors - taken;
  if (left > std::min(omp_get_max_threads(), static_cast<int>(processors)) - 0.5) return {};
  char text[200];
  std::snprintf(text, sizeof text,
                "other processes use %.1f of the %.0f processors: threads wait for each other, and "
                "fewer (OMP_NUM_THREADS=%d) may be faster",
                taken, processors, std::max(1, static_cast<int>(left + 0.25)));
  return text;
}

}  // namespace weft::onednn
