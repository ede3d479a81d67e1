// models/training/stop_signal.cpp -- a handler can reach nothing but a global.
#include "models/training/stop_signal.h"

namespace weft::training {
namespace {

volatile std::sig_atomic_t signalled = 0;

extern "C" void note_signal(int signal) {
  if (signalled != 0) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  signalled = 1;
}

}  // namespace

StopSignal::StopSignal() {
  signalled = 0;
  struct sigaction action {};
  action.sa_handler = note_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &interrupt_);
  sigaction(SIGTERM, &action, &terminate_);
}

StopSignal::~StopSignal() {
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGTERM, &terminate_, nullptr);
}

bool StopSignal::requested() const { return signalled != 0; }

}  // namespace weft::training
