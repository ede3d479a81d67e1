// backends/onednn/plan/program.cpp -- running a list of kernels.
#include "backends/onednn/plan/program.h"

namespace weft::onednn {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace

void Trace::begin() {
  events.clear();
  events.reserve(kMostEvents);
  dropped = 0;
  start = Clock::now();
}

void Trace::add(const backends::TraceEvent& event) {
  if (events.size() < kMostEvents)
    events.push_back(event);
  else
    ++dropped;
}

void execute(const Program& program, const Run& run, int64_t position) {
  if (!run.timed) {
    for (const Kernel& k : program.kernels) k.run(run);
    return;
  }
  const Clock::time_point begin = Clock::now();
  for (const Kernel& k : program.kernels) {
    const Clock::time_point start = Clock::now();
    k.run(run);
    const double took = seconds(Clock::now() - start);
    k.seconds += took;
    ++k.calls;
    if (k.rows > 0)
      k.shares += static_cast<double>(*run.at<int64_t>(k.count)) / static_cast<double>(k.rows);
    if (run.trace != nullptr && k.number >= 0)
      run.trace->add({k.number, -1, seconds(start - run.trace->start), took});
  }
  if (run.trace != nullptr && position >= 0)
    run.trace->add(
        {program.loop, position, seconds(begin - run.trace->start), seconds(Clock::now() - begin)});
}

}  // namespace weft::onednn
