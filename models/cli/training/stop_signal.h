// models/cli/training/stop_signal.h -- Ctrl-C, SIGTERM and a terminal that closes as a question: finish the step,
// save, end.
#pragma once
#include <csignal>

namespace weft::cli {

// While it lives, SIGINT, SIGTERM and SIGHUP are noted instead of ending the process; another one
// ends it, unless it comes within 50 ms: one stop may be delivered twice, to the process and to its
// group (`timeout -s INT`). Where SIGHUP is ignored (nohup) it stays so.
class StopSignal {
 public:
  StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  ~StopSignal();

  bool requested() const;

 private:
  struct sigaction interrupt_, terminate_, hang_up_;  // as they were
};

}  // namespace weft::cli
