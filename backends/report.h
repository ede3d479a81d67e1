// backends/report.h -- what an executable tells of itself: the graph it runs, its kernels and what
// they took, its memory over time.
#pragma once
#include "ir/graph.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weft::backends {

// One kernel of the plan, with what it took in all runs so far. Numbers of nodes are positions in
// the graph it belongs to: the report's, or, for the kernels of a loop, the body of that loop.
struct KernelReport {
  std::string kernel, implementation;  // "matmul", "gemm:jit"; ours have no implementation
  std::string op, places;              // the ops it does; its operands' and results' places
  std::string scope;
  ir::SourceLoc loc;
  std::vector<int> nodes;  // it works for; the last names it
  // A call, on the rows that were real in the runs so far:
  double flops = 0;
  double bytes = 0;  // read and written at least; 0: not known
  int64_t calls = 0;
  double seconds = 0;              // of all calls; a loop's are its body's too
  std::vector<KernelReport> body;  // of a loop
};

// A place in the arena while it is taken: from one step of the plan to another, both included.
struct Allocation {
  enum class Kind : uint8_t { value, workspace, loop } kind = Kind::value;
  int64_t offset = 0, bytes = 0;
  int first = 0, last = 0;
  std::vector<ir::Value> values;  // that lie there; the later ones are written over the first
};

// The arena of a graph or of the body of a loop, step by step; a step is a node or a group of nodes
// that run as one kernel.
struct MemoryReport {
  struct Step {
    std::vector<int> nodes;
    int64_t live = 0;  // bytes taken while it runs
  };
  int64_t arena_bytes = 0;
  std::vector<Step> steps;
  std::vector<Allocation> allocations;  // in the order they were made
  struct Loop;
  std::vector<Loop> loops;
};
struct MemoryReport::Loop {
  int node = 0;  // whose body it is
  MemoryReport memory;
};

// Something that ran, in seconds from the start of the run.
struct TraceEvent {
  int kernel = 0;     // as one counts through KernelReport and its bodies, outer kernels first
  int64_t step = -1;  // not negative: not the loop itself but this position of it
  double start = 0, seconds = 0;
};

struct Report {
  ir::Graph graph;  // bound to sizes, as it was lowered
  std::vector<KernelReport> kernels;
  MemoryReport memory;
  std::vector<TraceEvent> trace;  // of the last run, with CompileOptions::trace
  int64_t events_dropped = 0;     // beyond a million
  int64_t runs = 0;
  double seconds = 0;
};

}  // namespace weft::backends
