// tests/onednn/doctor_test.cpp -- this very program has one OpenMP runtime.
#include "backends/onednn/machine/doctor.h"

#include <doctest/doctest.h>

TEST_CASE(
    "doctor: oneDNN's threads are LLVM's, no second team starts, no primitive is reference code") {
  const weft::onednn::Diagnosis d = weft::onednn::diagnose();
  INFO(d.text());
  CHECK(d.well());
  CHECK(d.gomp_parallel.find("libomp") != std::string::npos);
  CHECK(d.threads_after == d.threads_before);
  CHECK(d.team >= 1);
  CHECK_FALSE(d.implementations.empty());
}
