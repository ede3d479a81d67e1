// ir/precision.h -- what products compute in.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

namespace weft::ir {

// bf16: products read bf16 and add up in f32, all else is f32 (ir/passes/precision/lower_precision.h).
enum class Precision : uint8_t { f32, bf16 };

inline constexpr std::array<std::pair<std::string_view, Precision>, 2> kPrecisions{
    {{"f32", Precision::f32}, {"bf16", Precision::bf16}}};

constexpr std::string_view name(Precision precision) {
  return kPrecisions[static_cast<size_t>(precision)].first;
}

}  // namespace weft::ir
