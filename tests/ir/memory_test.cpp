// tests/ir/memory_test.cpp -- memory as it is handed out.
#include "ir/host/memory.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>

using namespace weft;

namespace {

uintptr_t address(const ir::Memory& m) { return reinterpret_cast<uintptr_t>(m.get()); }

}  // namespace

TEST_CASE("memory: on a cache line, and on a huge page where it is large") {
  for (const size_t bytes : {0, 1, 63, 64, 65, 1 << 20}) {
    const ir::Memory m = ir::allocate(bytes);
    REQUIRE(m != nullptr);
    CHECK(address(m) % 64 == 0);
    std::memset(m.get(), 1, bytes);
  }
  CHECK(address(ir::allocate(size_t{9} << 20)) % (size_t{2} << 20) == 0);
}

TEST_CASE("memory: what is there stays when huge pages are asked for") {
  constexpr size_t kBytes = size_t{9} << 20;
  const ir::Memory m = ir::allocate(kBytes);
  char* const p = static_cast<char*>(m.get());
  std::memset(p, 7, kBytes);
  for (const size_t offset : {0, 1, 4096, 3 << 20})
    for (const size_t bytes : {0, 100, 2 << 20, 5 << 20}) ir::want_huge_pages(p + offset, bytes);
  ir::return_freed_memory();
  size_t sevens = 0;
  for (size_t i = 0; i < kBytes; ++i) sevens += p[i] == 7 ? 1 : 0;
  CHECK(sevens == kBytes);
}
