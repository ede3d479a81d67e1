// backends/onednn/kernels/kernels.h -- every kernel of our own.
#pragma once
#include "backends/onednn/kernels/additive_attention.h"  // IWYU pragma: export
#include "backends/onednn/kernels/arg_max.h"             // IWYU pragma: export
#include "backends/onednn/kernels/copy.h"                // IWYU pragma: export
#include "backends/onednn/kernels/cross_entropy.h"       // IWYU pragma: export
#include "backends/onednn/kernels/cumulative_sum.h"      // IWYU pragma: export
#include "backends/onednn/kernels/dot_attention.h"       // IWYU pragma: export
#include "backends/onednn/kernels/elementwise.h"         // IWYU pragma: export
#include "backends/onednn/kernels/embedding.h"           // IWYU pragma: export
#include "backends/onednn/kernels/gemm.h"                // IWYU pragma: export
#include "backends/onednn/kernels/gru_cell.h"            // IWYU pragma: export
#include "backends/onednn/kernels/index.h"               // IWYU pragma: export
#include "backends/onednn/kernels/isa.h"                 // IWYU pragma: export
#include "backends/onednn/kernels/lstm_cell.h"           // IWYU pragma: export
#include "backends/onednn/kernels/norm.h"                // IWYU pragma: export
#include "backends/onednn/kernels/optimizer.h"           // IWYU pragma: export
#include "backends/onednn/kernels/peak.h"                // IWYU pragma: export
#include "backends/onednn/kernels/pool.h"                // IWYU pragma: export
#include "backends/onednn/kernels/random.h"              // IWYU pragma: export
#include "backends/onednn/kernels/reduce.h"              // IWYU pragma: export
#include "backends/onednn/kernels/softmax.h"             // IWYU pragma: export
#include "backends/onednn/kernels/sort.h"                // IWYU pragma: export
#include "backends/onednn/kernels/top_k.h"               // IWYU pragma: export
