// backends/onednn/program.h -- what runs: a flat list of kernels, and lists inside the loops among
// them.
#pragma once
#include "backends/onednn/tensor.h"
#include "ir/source_loc.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weft::onednn {

// What is resolved when a graph runs.
struct Run {
  char** bases;    // by Ref::base
  int64_t* steps;  // position of each loop that is running
  bool timed;

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
  std::function<void(const Run&)> run;
  const Program* body = nullptr;  // of a loop

  // Whom it works for.
  std::string op, scope, text;  // text: its operands and results with their places
  ir::SourceLoc loc;

  mutable int64_t calls = 0;
  mutable double seconds = 0;
};

struct Program {
  std::vector<Kernel> kernels;
};

void execute(const Program& program, const Run& run);

}  // namespace weft::onednn
