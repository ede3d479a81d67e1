// backends/onednn/plan/program.h -- what runs: a flat list of kernels, and lists inside the loops among
// them.
#pragma once
#include "backends/onednn/plan/tensor.h"
#include "backends/report.h"
#include "ir/host/array.h"
#include "ir/source_loc.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weft::onednn {

// What ran when, up to a number of events.
struct Trace {
  static constexpr size_t kMostEvents = 1'000'000;

  std::chrono::steady_clock::time_point start;
  std::vector<backends::TraceEvent> events;
  int64_t dropped = 0;

  void begin();  // forgets the run before
  void add(const backends::TraceEvent& event);
};

// Addresses and loop positions of one run.
struct Run {
  char** bases;    // by Ref::base
  int64_t* steps;  // position of each loop that is running
  bool timed;
  Trace* trace = nullptr;
  const ir::Array* source = nullptr;  // of a packing: the argument that is read

  char* operator()(Ref ref) const { return bases[ref.base] + ref.offset; }
  template <typename T>
  T* at(Ref ref) const {
    return reinterpret_cast<T*>(bases[ref.base] + ref.offset);
  }
};

struct Program;

struct Kernel {
  std::string name;            // "matmul", "elementwise", "copy"
  std::string implementation;  // oneDNN's, or empty for one of ours
  double flops = 0;
  double bytes = 0;  // read and written at least; 0: not known
  std::function<void(const Run&)> run;
  Program* body = nullptr;  // of a loop
  // Only the first `*count` (an int64_t) of `rows` rows are worked on; 0 rows: all are.
  Ref count;
  int64_t rows = 0;

  // Whom it works for.
  std::string op, scope;
  std::shared_ptr<const std::string> text;  // its operands and results with their places
  ir::SourceLoc loc;
  std::vector<int> nodes;  // of its block's graph
  int number = -1;         // among all kernels of the report, outer ones first

  mutable int64_t calls = 0;
  mutable double seconds = 0;
  mutable double shares = 0;  // of the rows worked on, of all calls

  double share() const { return rows == 0 || calls == 0 ? 1 : shares / static_cast<double>(calls); }
};

struct Program {
  std::vector<Kernel> kernels;
  int loop = -1;  // number of the kernel whose body this is
};

// `position`: of the loop whose body this is.
void execute(const Program& program, const Run& run, int64_t position = -1);

}  // namespace weft::onednn
