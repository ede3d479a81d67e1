// tests/formats/memory_limit.h -- what a malformed file makes a reader allocate.
#pragma once
#include <sys/resource.h>

#include <cstdint>

namespace weft::tests {

// The most memory this process has held so far, in bytes.
inline int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace weft::tests
