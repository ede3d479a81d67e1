// frontend/api.h -- all that a program needs, in one namespace: what <weft/weft.h> is.
//
//   #include <weft/weft.h>
//   using namespace weft;
//
// Writing models (frontend/weft.h), compiling and running them (frontend/compile/session.h), and
// here: the backends, arrays, and graphs as text. What is wrong with a graph or with data is thrown
// as GraphError, what is wrong with the machine or with files as RuntimeError.
#pragma once
#include "backends/backend.h"
#include "frontend/compile/session.h"
#include "frontend/weft.h"
#include "ir/error.h"
#include "ir/host/array.h"
#include "ir/host/named_arrays.h"
#include "ir/text/text.h"

#include <memory>

namespace weft {

using ir::Array;
using ir::Dims;
using ir::dims_str;
using ir::Graph;
using ir::GraphError;
using ir::NamedArray;
using ir::NamedArrays;
using ir::parse;
using ir::print;
using ir::RuntimeError;

// oneDNN's primitives and Weft's kernels. RuntimeError where this processor cannot run them.
inline std::shared_ptr<backends::Backend> onednn_backend() { return backends::make_onednn(); }
// What every op means, computed in double precision; slow.
inline std::shared_ptr<backends::Backend> reference_backend() { return backends::make_reference(); }

}  // namespace weft
