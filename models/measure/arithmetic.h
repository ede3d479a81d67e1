// models/measure/arithmetic.h -- how much arithmetic a training step is, with and without padding.
#pragma once
#include "ir/graph.h"
#include "ir/host/named_arrays.h"

namespace weft::measure {

struct StepArithmetic {
  double padded = 0, real = 0;  // floating-point operations
};

// Of matrix products, the backward pass counted twice the forward. `fused`: the graph of the loss,
// patterns recognised (ir/rules/arithmetic.h), its sizes named B, S and T; `batch`: its inputs. Real is
// the sum over sentences, each alone with its own lengths.
StepArithmetic step_arithmetic(const ir::Graph& fused, const ir::NamedArrays& batch);

}  // namespace weft::measure
