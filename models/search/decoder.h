// models/search/decoder.h -- the graphs a search runs, compiled for the sizes it meets.
#pragma once
#include "frontend/compile/session.h"

namespace weft::search {

struct Decoder {
  // encode: source s32[B,S], source_lengths s32[B] -> memory and first states; step: of a
  // StepGraph. What a step takes and the encoder does not yield starts as zeros.
  Decoder(const ir::Graph& encode, const ir::Graph& step, const ProgramOptions& options);

  Program encode, step;
  int64_t beam;
  bool weights;  // the step yields attention weights
};

}  // namespace weft::search
