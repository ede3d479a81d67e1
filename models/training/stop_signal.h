// models/training/stop_signal.h -- Ctrl-C and SIGTERM as a question: finish the step, save, end.
#pragma once
#include <csignal>

namespace weft::training {

// While it lives, SIGINT and SIGTERM are noted instead of ending the process; a second one ends it.
class StopSignal {
 public:
  StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  ~StopSignal();

  bool requested() const;

 private:
  struct sigaction interrupt_, terminate_;  // as they were
};

}  // namespace weft::training
