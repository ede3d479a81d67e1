// backends/onednn/machine/waiting.h -- how threads wait for each other.
//
// On a quiet machine a thread that waits spins: the other is done in microseconds, and waking one
// that sleeps takes longer. Where other processes want the cores, the one that is waited for may
// not be running at all, because of the one that spins: then waiting threads sleep at once.
#pragma once
#include <string>

namespace weft::onednn {

// Called before each run of a plan: looks now and then whether this process is being pushed off
// its cores, and chooses. Does nothing where KMP_BLOCKTIME or OMP_WAIT_POLICY has chosen.
void choose_waiting();

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
