// backends/onednn/machine/doctor.h -- what `weft doctor` knows: is there one OpenMP runtime, and what runs
// where.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace weft::onednn {

struct Diagnosis {
  std::vector<std::string> openmp_runtimes;   // files mapped
  std::string gomp_parallel;                  // the file whose GOMP_parallel oneDNN calls
  int processors = 0;                         // this process may run on
  int team = 0;                               // threads seen inside a parallel region
  int threads_before = 0, threads_after = 0;  // of the process, around the first primitive
  std::string affinity_note;                  // what undo_pinning did
  int blocktime = 0;                          // ms a thread spins after a region
  std::string crowding;                       // what other processes take; empty: not much
  std::string processor_isa, kernel_isa, onednn_isa, onednn_version;
  std::vector<std::pair<std::string, std::string>> implementations;  // primitive, implementation
  // What oneDNN has reference loops for at most on this processor: Weft's kernels run it under any
  // engine.
  std::vector<std::string> reference_only;
  // Where Weft's code is the best though oneDNN has some: what, and why (docs/decisions/0011).
  std::vector<std::pair<std::string, std::string>> weft_is_best;
  std::vector<std::string> faults;  // what is wrong and how to mend it; empty: all is well

  bool well() const { return faults.empty(); }
  std::string text() const;
};

Diagnosis diagnose();

}  // namespace weft::onednn
