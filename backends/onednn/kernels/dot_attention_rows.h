// backends/onednn/kernels/dot_attention_rows.h -- dot attention of few queries (decoding, steps of
// a loop): no tiles, one query at a time, vectors along the width.
#pragma once
#include "backends/onednn/kernels/dot_attention.h"
#include "backends/onednn/kernels/parallel.h"

namespace weft::onednn::kernels::WEFT_ISA {

void dot_attention_rows(const DotAttention& args);

// The gradients of one head that come from the keys `keys`: its rows of dk and dv, added to dbias,
// and its part of dq, to dq[queries][ld_dq] (null: not wanted). buffer: 4*rounded(keys, 16) floats.
void dot_attention_grad_rows(const DotAttentionGrad& args, int64_t b, int64_t h, Range keys,
                             float* dq, int64_t ld_dq, float* buffer);

}  // namespace weft::onednn::kernels::WEFT_ISA
