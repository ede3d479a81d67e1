// tests/kernels/kernel_test_main.cpp -- main of the kernel tests; says which instruction sets are
// skipped.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "backends/onednn/kernels/isa.h"

#include <doctest/doctest.h>

namespace k = weft::onednn::kernels;

TEST_CASE("isa: the kernels run here, and an unavailable set is refused") {
  REQUIRE(k::kernels_error() == nullptr);
  const k::Isa before = k::isa();
  for (const k::IsaInfo& set : k::isas()) {
    const k::Isa in_use = k::isa();
    CHECK(k::use_isa(set.isa) == set.available);
    CHECK(k::isa() == (set.available ? set.isa : in_use));
    if (!set.available) MESSAGE(set.name, " kernels are compiled but not tested on this processor");
  }
  CHECK(k::use_isa(before));
}
