// ir/host/memory.h -- memory for arrays, arenas and whatever else is large.
//
// Where it is large it starts at a huge page, and huge pages are asked for: a step walks over
// hundreds of megabytes, and with pages of 4 KB (in a virtual machine most of all) looking up where
// they lie takes some hundredths of its time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

namespace weft::ir {

struct FreeMemory {
  void operator()(void* p) const;
};
using Memory = std::unique_ptr<void, FreeMemory>;

// At least `bytes`, not cleared, on a cache line; null if there is no such memory.
Memory allocate(size_t bytes);

// The whole huge pages within [p, p + bytes) become such when first touched: a touched page is
// resident as a whole. Does nothing where the system has none.
void want_huge_pages(void* p, size_t bytes);

// Of a private mapping of a file, unwritten: the pages of these bytes are read now, which costs less
// than to touch them one after the other.
void read_pages(const void* p, size_t bytes);
// The whole pages within leave this process's memory until they are touched again.
void release_pages(const void* p, size_t bytes);

// Bytes of this machine's memory.
int64_t physical_memory();

// Returns memory to the system that the allocator holds back after it was freed. Takes some
// milliseconds: worth it after work that freed much, such as passes over a large graph, and before
// memory is filled.
void return_freed_memory();

}  // namespace weft::ir
