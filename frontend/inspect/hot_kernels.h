// frontend/inspect/hot_kernels.h -- where the time of a profiled program goes, and how much of it
// the hardware does not ask for.
//
// Nothing is thrown: of a report without times nothing is told.
#pragma once
#include "backends/report.h"

#include <span>
#include <string>

namespace weft::inspect {

struct Hardware {
  double gflops = 0;            // multiply-adds, counted as two
  double gigabytes_second = 0;  // from and to memory
};

// Calls of a kernel, a run.
struct HotKernel {
  std::string kernel, scope;           // scope: empty for those of all scopes together
  double calls = 0, milliseconds = 0;  // its own: without those of kernels inside it
  double flops = 0;
  double limit_milliseconds = 0;   // that the hardware needs for their arithmetic or operands
  double memory_milliseconds = 0;  // of these, where it is the operands
};

// Of all reports together, the one with the most above its limit first. `runs`: of the whole, of
// which reports may be parts.
std::vector<HotKernel> hot_kernels(std::span<const backends::Report> reports, double runs,
                                   const Hardware& hardware, bool by_scope);

// What oneDNN's primitives and Weft's kernels do of all runs.
struct EngineShares {
  double onednn_flops = 0, weft_flops = 0;
  double onednn_seconds = 0, weft_seconds = 0;

  // "oneDNN 93% of the arithmetic, 85% of the time; Weft 7% and 15%"; without times, or arithmetic,
  // they are not told of.
  std::string text() const;
};
EngineShares engine_shares(std::span<const backends::Report> reports);

// The shares of the engines, then two tables, by kernel and by kernel and scope, of at most `most`
// rows each.
std::string hot_kernels_text(std::span<const backends::Report> reports, double runs,
                             const Hardware& hardware, size_t most = 20);

}  // namespace weft::inspect
