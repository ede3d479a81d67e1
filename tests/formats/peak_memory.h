// tests/formats/peak_memory.h -- what a malformed file makes a reader allocate.
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

// By how much that may grow over a test. The address sanitizer keeps freed memory for a while.
#if __has_feature(address_sanitizer)
inline constexpr int64_t kModestMemory = int64_t{512} << 20;
#else
inline constexpr int64_t kModestMemory = int64_t{64} << 20;
#endif

}  // namespace weft::tests
