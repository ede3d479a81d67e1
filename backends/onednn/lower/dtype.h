// backends/onednn/lower/dtype.h -- dtypes as the kernels know them.
#pragma once
#include "backends/onednn/kernels/types.h"
#include "ir/dtype.h"

#include <optional>

namespace weft::onednn {

// Those the kernels compute with; predicates are u8 there. bf16, which casts and products read, is
// none.
constexpr std::optional<kernels::DType> kernel_dtype(ir::DType dtype) {
  switch (dtype) {
    case ir::DType::f32:
      return kernels::DType::f32;
    case ir::DType::s32:
      return kernels::DType::s32;
    case ir::DType::s64:
      return kernels::DType::s64;
    case ir::DType::pred:
      return kernels::DType::u8;
    default:
      return std::nullopt;
  }
}

}  // namespace weft::onednn
