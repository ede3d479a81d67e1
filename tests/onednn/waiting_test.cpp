// tests/onednn/waiting_test.cpp -- when waiting threads spin, and when they sleep.
#include "backends/onednn/machine/waiting.h"

#include <doctest/doctest.h>

using weft::onednn::WaitingPolicy;

namespace {

// Looks every 2 ms for `seconds` from *now, while threads are pushed off `at_once` times every `period`
// seconds; returns the share of the looks after which threads sleep.
double share_asleep(WaitingPolicy& policy, double* now, int64_t* count, double seconds,
                    double period, int at_once) {
  constexpr double kStep = 0.002;
  int looks = 0, asleep = 0;
  double next = *now + period;
  for (const double end = *now + seconds; *now < end; *now += kStep, ++looks) {
    for (; next <= *now; next += period) *count += at_once;
    policy.look(*now, *count);
    asleep += policy.sleeps();
  }
  return static_cast<double>(asleep) / looks;
}

}  // namespace

TEST_CASE("waiting: on a quiet machine threads spin, though something runs now and then") {
  WaitingPolicy policy;
  double now = 100;
  int64_t count = 1000;
  // 30 times a second, three at once: what a quiet machine's own services do.
  CHECK(share_asleep(policy, &now, &count, 10, 0.1, 3) == 0);
}

TEST_CASE("waiting: beside a busy process threads sleep, and spin again once it has ended") {
  WaitingPolicy policy;
  double now = 0;
  int64_t count = 0;
  CHECK(share_asleep(policy, &now, &count, 20, 0.001, 4) > 0.95);
  share_asleep(policy, &now, &count, 8, 1, 0);  // the longest it may take to notice
  CHECK(share_asleep(policy, &now, &count, 10, 1, 0) == 0);
}
