// ir/ops/random.h -- counter-based random numbers (Philox4x32-10, Salmon et al. 2011).
//
//   m = random(step, rows; position) {stream, inner, form, keep}
//     step: s64[] or s32[], rows: s64[B], position: s32[P...] (absent: 0)  ->  m: [P..., B,
//     inner...]
//
// Each element is a function of (stream, step, row id, position, element in `inner`) alone, so that
// it does not depend on padding, batching, or on loops being taken apart. `stream` is fixed when
// the op is made, from its scope path; CSE cannot merge two streams.
//   form "bits":    u32, the Philox word
//   form "uniform": f32, (word >> 8) * 2^-24, in [0, 1)
//   form "keep":    pred, word < keep * 2^32: true with probability `keep`
// Words: key = stream; counter = (element/4, position, row id low 32 bits,
// step low 24 bits | row id bits 32..39 << 24); element%4 selects the word.
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_random(const OpView& op);

inline constexpr OpDef random{.name = "random",
                              .operands = {"step", "rows", {"position", Arity::optional}},
                              .attrs = {{"stream", AttrKind::integer},
                                        {"inner", AttrKind::shape, kEmpty},
                                        {"form", "bits"},
                                        {"keep", 1.0}},
                              .infer = infer_random,
                              .doc =
                                  "Random words, uniforms or keep masks, a function of (stream, "
                                  "step, row id, position, element)."};

inline constexpr const OpDef* kRandomOps[] = {&random};

}  // namespace weft::ir::ops
