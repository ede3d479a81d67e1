// backends/onednn/kernels/elementwise_plan.h -- what the elementwise builder hands to the loops.
//
// A `Place` says where a register lives while a block is computed: in an operand or a result (read
// or written in place), in a scratch slot, or among the constants. Inside a block a register is
// contiguous or one repeated value; operands that are neither are gathered into scratch first,
// results that are not contiguous are scattered from scratch last.
#pragma once
#include "backends/onednn/kernels/elementwise.h"

#include <vector>

namespace weft::onednn::kernels {

struct Place {
  enum Kind : uint8_t { none, input, output, scratch, constant } kind = none;
  uint8_t index = 0;
  bool repeated = false;
};

struct Step {
  Opcode op;
  DType from, to;  // dtype of the operands (of b for select), dtype of the result
  Place dst, a, b, c;
};

struct Transfer {  // gather: operand -> scratch slot; scatter: scratch slot -> result
  uint8_t operand, slot;
};

struct ElementwisePlan {
  int rank = 1;
  std::array<int64_t, kMaxRank> shape{1};
  bool flat = false;              // blocks run across rows (the last dimension is short)
  int64_t rows = 1, columns = 1;  // columns: the last dimension, or everything if flat
  int64_t block = 0;              // elements
  int64_t slot_bytes = 0;
  int slots = 0;
  int64_t cost = 1;  // per element, in simple operations
  std::vector<Access> inputs, outputs;
  std::vector<Step> steps;
  std::vector<Transfer> gathers, scatters;
  std::vector<uint64_t> constants;
};

struct ElementwiseRun {
  const ElementwisePlan* plan;
  const void* const* inputs;
  void* const* outputs;
  char* workspace;
  int64_t rows, columns;  // the plan's, or fewer
};

void elementwise_run(const ElementwiseRun& args);

}  // namespace weft::onednn::kernels
