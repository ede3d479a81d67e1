// tests/kernels/kernel_test_main.cpp -- main of the kernel tests; says which instruction sets are
// skipped.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "backends/onednn/kernels/isa.h"

#include <doctest/doctest.h>

namespace k = weft::onednn::kernels;

TEST_CASE("isa: the kernels run here, and an unavailable set is refused") {
  REQUIRE(k::kernels_error() == nullptr);
  CHECK(k::use_isa(k::Isa::avx2));
  CHECK(k::isa() == k::Isa::avx2);
  if (!k::is_available(k::Isa::avx512)) {
    MESSAGE("this processor has no AVX-512: its kernels are compiled but not tested here");
    CHECK_FALSE(k::use_isa(k::Isa::avx512));
    CHECK(k::isa() == k::Isa::avx2);
  }
}
