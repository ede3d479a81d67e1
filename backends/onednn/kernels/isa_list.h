// backends/onednn/kernels/isa_list.h -- the instruction sets that kernels are compiled for, the least
// able first.
//
// ISA(name, compiler's flags, may it run here, does our gemm beat oneDNN's primitive on it, has it
// products of bf16). CMake reads the names and flags from these lines. Another set is a row, and vec/vec_NAME.h.
#pragma once

// clang-format off
// Whether it may run is asked of the processor and of the operating system (XGETBV).
#define WEFT_ISAS(ISA) \
  ISA(avx2, "-mavx2 -mfma", \
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"), false, false) \
  ISA(avx512, "-mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512", \
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && \
          __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && \
          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"), true, false) \
  ISA(avx512bf16, "-mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mprefer-vector-width=512", \
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && \
          __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && \
          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && \
          __builtin_cpu_supports("avx512bf16"), true, true)
// clang-format on
