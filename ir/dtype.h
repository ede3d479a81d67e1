// ir/dtype.h -- element types of tensors.
//
// f16 and bf16 are storage only (load, cast), but that products read bf16 and add up in f32; f64
// exists in the reference backend only.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weft::ir {

enum class DType : uint8_t { f32, f64, f16, bf16, s64, s32, u32, u8, s8, pred };

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  int bytes;
  bool is_float;
  bool is_signed;
  int bits;  // of value, for the range of integers
};

inline constexpr std::array<DTypeInfo, 10> kDTypes{{
    {DType::f32, "f32", 4, true, true, 32},
    {DType::f64, "f64", 8, true, true, 64},
    {DType::f16, "f16", 2, true, true, 16},
    {DType::bf16, "bf16", 2, true, true, 16},
    {DType::s64, "s64", 8, false, true, 64},
    {DType::s32, "s32", 4, false, true, 32},
    {DType::u32, "u32", 4, false, false, 32},
    {DType::u8, "u8", 1, false, false, 8},
    {DType::s8, "s8", 1, false, true, 8},
    {DType::pred, "pred", 1, false, false, 1},
}};

constexpr const DTypeInfo& info(DType dtype) { return kDTypes[static_cast<size_t>(dtype)]; }
constexpr std::string_view name(DType dtype) { return info(dtype).name; }
constexpr int bytes(DType dtype) { return info(dtype).bytes; }
constexpr bool is_float(DType dtype) { return info(dtype).is_float; }
constexpr bool is_integer(DType dtype) { return !is_float(dtype) && dtype != DType::pred; }

// Of a product of such operands: sums of products of bf16 are f32.
constexpr DType product_dtype(DType operands) {
  return operands == DType::bf16 ? DType::f32 : operands;
}

constexpr std::optional<DType> dtype_named(std::string_view name) {
  for (const DTypeInfo& d : kDTypes)
    if (d.name == name) return d.dtype;
  return std::nullopt;
}

}  // namespace weft::ir
