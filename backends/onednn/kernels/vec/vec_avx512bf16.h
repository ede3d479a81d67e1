// backends/onednn/kernels/vec/vec_avx512bf16.h -- AVX-512 with products of bf16 (AVX512_BF16): the
// vectors of vec_avx512.h, and vec/bf16.h compiled for them.
#pragma once
#include "backends/onednn/kernels/vec/vec_avx512.h"
