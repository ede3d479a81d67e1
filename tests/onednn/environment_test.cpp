// tests/onednn/environment_test.cpp -- which values of OpenMP's variables can be used.
#include "backends/onednn/machine/environment.h"

#include <doctest/doctest.h>

namespace weft::onednn {
namespace {

TEST_CASE("environment: values that OpenMP takes pass") {
  struct Setting {
    const char *name, *value;
  };
  for (const Setting& s : {Setting{"OMP_NUM_THREADS", "2"},
                           {"OMP_NUM_THREADS", " 2 , 3"},
                           {"OMP_STACKSIZE", "16M"},
                           {"OMP_STACKSIZE", "2048"},
                           {"OMP_STACKSIZE", "8 m"},
                           {"OMP_PROC_BIND", "close,spread"},
                           {"OMP_PLACES", "cores(2)"},
                           {"OMP_PLACES", "{0:2},{2:2}"},
                           {"OMP_WAIT_POLICY", "PASSIVE"},
                           {"KMP_BLOCKTIME", "infinite"},
                           {"KMP_BLOCKTIME", "50us"},
                           {"OMP_DYNAMIC", "True"},
                           {"KMP_LIBRARY", "throughput"},
                           {"OMP_MAX_ACTIVE_LEVELS", "0"},
                           {"KMP_AFFINITY", "anything goes"},
                           {"PATH", "x"}}) {
    INFO(s.name << "=" << s.value);
    CHECK(fault_of(s.name, s.value) == "");
  }
}

TEST_CASE("environment: values that would end the process are told, with what is needed") {
  for (const char* value : {"", " ", "abc", "0", "-1", "1.5", "0x2", "2,", "2;3", "1,abc", "1025",
                            "99999999999999999999"})
    CHECK(fault_of("OMP_NUM_THREADS", value) == "a number of threads from 1 to 1024 is needed");
  for (const char* value : {"", "x", "900G", "16Q", "-1", "99999999999999999999"})
    CHECK(fault_of("KMP_STACKSIZE", value) == "a size up to 1G is needed, as in 16M");
  CHECK(fault_of("KMP_CPUINFO_FILE", "/nope") != "");
  CHECK(fault_of("OMP_PLACES", "garbage") != "");
  CHECK(fault_of("KMP_BLOCKTIME", "-5") != "");
}

}  // namespace
}  // namespace weft::onednn
