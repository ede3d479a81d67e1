// backends/onednn/machine/waiting.h -- how threads wait for each other.
//
// On a quiet machine a thread that waits spins: the other is done in microseconds, and waking one
// that sleeps takes longer. Where other processes want the cores, the one that is waited for may
// not be running at all, because of the one that spins: then waiting threads sleep at once.
#pragma once
#include <cstdint>
#include <string>

namespace weft::onednn {

// Called before each run of a plan: looks now and then whether this process is being pushed off
// its cores, and chooses. Does nothing where KMP_BLOCKTIME or OMP_WAIT_POLICY has chosen.
void choose_waiting();

// Spin or sleep, from how often this process's threads have been pushed off their cores.
class WaitingPolicy {
 public:
  // At `now` (seconds), when threads have been pushed off `count` times since the process began.
  void look(double now, int64_t count);
  bool sleeps() const { return sleeps_; }

 private:
  void begin(double now, int64_t count);

  bool begun_ = false, sleeps_ = false;
  double looked_ = 0;       // seconds
  double patience_ = 0.05;  // seconds of sleeping before spinning is tried
  int64_t count_ = 0;
};

// What other processes took of the processors since this was made.
class Crowding {
 public:
  Crowding();
  // "other processes use 1.8 of the 2 processors; ..."; empty where they leave enough.
  std::string text() const;

 private:
  struct Times {
    double busy = 0, all = 0, own = 0;  // seconds, of all processors together
  };
  static Times now();
  Times start_;
};

}  // namespace weft::onednn
