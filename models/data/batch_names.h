// models/data/batch_names.h -- what the inputs of a batch are called, in graphs and in arrays.
#pragma once

namespace weft::data {

inline constexpr const char* kSource = "source";                 // of the source's kind
inline constexpr const char* kSourceLengths = "source_lengths";  // s32[B]
inline constexpr const char* kTargetIn = "target_in";            // s32[B,T], the start before y
inline constexpr const char* kTargetOut = "target_out";          // s32[B,T], y and its end
inline constexpr const char* kTargetLengths = "target_lengths";  // s32[B]
inline constexpr const char* kRowIds = "row_ids";                // s64[B], the examples' own ids
inline constexpr const char* kAlignment =
    "alignment";  // f32[B,T,S], where examples have alignments
inline constexpr const char* kRowWeights = "row_weights";  // f32[B]
inline constexpr const char* kStep = "step";               // s64[], of training

}  // namespace weft::data
