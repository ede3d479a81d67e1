// frontend/inspect/trace.h -- a profiled run as a Chrome trace: what chrome://tracing and Perfetto
// show.
//
// Kernels, the loops they stand in and the steps of those loops are nested; each kernel says its
// op, scope, line, GFLOP/s. A counter shows the bytes in use in the arena.
//
// Nothing is thrown: of a report without events the trace is empty.
#pragma once
#include "backends/report.h"

#include <string>

namespace weft::inspect {

// Trace Event Format, JSON. `peak_gflops`: of the machine, for shares of it; 0: not known.
std::string chrome_trace(const backends::Report& report, double peak_gflops = 0);

}  // namespace weft::inspect
