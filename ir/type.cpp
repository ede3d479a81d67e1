// ir/type.cpp -- types as text.
#include "ir/type.h"

namespace weft::ir {

std::string TensorType::str() const { return std::string(name(dtype)) + ir::str(shape); }

}  // namespace weft::ir
