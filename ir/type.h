// ir/type.h -- the type of a value: element type and shape.
#pragma once
#include "ir/dim.h"
#include "ir/dtype.h"

#include <string>
#include <vector>

namespace weft::ir {

struct TensorType {
  DType dtype = DType::f32;
  Shape shape;

  int rank() const { return static_cast<int>(shape.size()); }
  // Axis counted from the front, or from the end when negative.
  const Dim& dim(int64_t axis) const {
    return shape[static_cast<size_t>(axis < 0 ? axis + rank() : axis)];
  }
  std::string str() const;
  bool operator==(const TensorType&) const = default;
};

using Types = std::vector<TensorType>;

}  // namespace weft::ir
