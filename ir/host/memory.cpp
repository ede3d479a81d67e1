// ir/host/memory.cpp -- see memory.h.
#include "ir/host/memory.h"

#include <sys/mman.h>
#include <unistd.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <cstdint>
#include <cstdlib>

namespace weft::ir {
namespace {

constexpr size_t kLine = 64, kHugePage = size_t{2} << 20;
constexpr size_t kLarge = 2 * kHugePage;

size_t rounded(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

}  // namespace

void FreeMemory::operator()(void* p) const { std::free(p); }

Memory allocate(size_t bytes) {
  const size_t size = rounded(bytes > 0 ? bytes : 1, kLine);
  void* p = nullptr;  // aligned_alloc would need a whole number of huge pages
  return Memory(posix_memalign(&p, size < kLarge ? kLine : kHugePage, size) == 0 ? p : nullptr);
}

void want_huge_pages(void* p, size_t bytes) {
  const auto at = reinterpret_cast<uintptr_t>(p);
  const uintptr_t begin = rounded(at, kHugePage), end = (at + bytes) / kHugePage * kHugePage;
  if (begin < end) (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

void read_pages(const void* p, size_t bytes) {
#if defined(MADV_POPULATE_READ)
  const auto at = reinterpret_cast<uintptr_t>(p);
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = at / page * page, end = rounded(at + bytes, page);
  if (bytes > 0) (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ);
#endif
}

void release_pages(const void* p, size_t bytes) {
  const auto at = reinterpret_cast<uintptr_t>(p);
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = rounded(at, page), end = (at + bytes) / page * page;
  if (begin < end) (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

int64_t physical_memory() {
  return static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
}

void return_freed_memory() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

}  // namespace weft::ir
