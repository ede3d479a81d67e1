// ir/check.h -- what must hold unless Weft itself is at fault; always on.
#pragma once
#include <cstdio>
#include <cstdlib>

#define WEFT_CHECK(cond)                                                                \
  do {                                                                                  \
    if (!(cond)) {                                                                      \
      std::fprintf(stderr, "%s:%d: weft is at fault: %s\n", __FILE__, __LINE__, #cond); \
      std::abort();                                                                     \
    }                                                                                   \
  } while (false)
