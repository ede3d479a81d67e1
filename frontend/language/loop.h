// frontend/language/loop.h -- scan, the loop over a sequence, written as a function of one step.
//
//   const LoopResults r = scan({.carries = {s0}, .scanned = {x}, .lengths = len},
//                              [&](const LoopStep& at) -> LoopYield {
//     const Tensor s = tanh(at.scanned[0] + matmul(at.carries[0], U));
//     return {.carries = {s}, .outputs = {s}};
//   });
//
// The body is traced once. What it reads of the outside becomes an invariant of the loop by itself;
// parameters it asks for are the graph's. Position t runs from 0, or with `reverse` from the last
// to 0. With lengths: s32[B], rows b that have ended (t >= lengths[b]) keep their carries, and
// their outputs are zero; `live: pred[B]` tells the body which rows go on. (Carries without a
// leading B are the body's business.) So a reverse loop starts each row at its last live position.
//
// Throws GraphError where the body yields other types than those it began with, or nothing says how
// many steps there are.
#pragma once
#include "frontend/language/tensor.h"

#include <functional>

namespace weft {

struct LoopOptions {
  Tensors carries;  // what the first step starts from
  Tensors scanned;  // each T[...,steps,...], one slice a step
  Tensor lengths;   // s32[B], or none
  bool reverse = false;
  int64_t axis = 0;      // the axis of `scanned` that is run along
  int64_t out_axis = 0;  // where the outputs have theirs
  Dim steps;             // needed where nothing is scanned
};

struct LoopStep {
  Tensors carries, scanned;
  Tensor live;  // pred[B]; only with lengths
};

struct LoopYield {
  Tensors carries;  // of the same types as those it began with
  Tensors outputs;  // with lengths: each T[B,...]
};

struct LoopResults {
  Tensors carries;  // after the last step
  Tensors outputs;  // of all steps, stacked along `out_axis`
};

LoopResults scan(const LoopOptions& options, const std::function<LoopYield(const LoopStep&)>& body,
                 SourceLoc loc = SourceLoc::here());

}  // namespace weft
