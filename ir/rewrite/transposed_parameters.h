// ir/rewrite/transposed_parameters.h -- a graph that reads matrices among its parameters the other way
// round.
//
//   %w: f32[in,out] = parameter "q"          %t: f32[out,in] = parameter "q^T"
//   %y = linear(%x, %w)                      %w = transpose(%t) {perm=[1,0]}
//                                            %y = linear(%x, %w)
//
// For checkpoints that hold [out,in]: the transpose is a view, which products read as it lies, and no
// matrix is copied. What is made of such matrices alone (a concat of several, a cast) is made of them
// as they lie, and turned round afterwards.
#pragma once
#include "ir/graph.h"

#include <functional>
#include <string>
#include <string_view>

namespace weft::ir {

// The path of a matrix the other way round.
inline constexpr std::string_view kTransposed = "^T";
inline std::string transposed_path(std::string_view path) {
  return std::string(path) + std::string(kTransposed);
}

// `is`: of a parameter of two dims, by path, whether it is read so. Donated ones stay as they are.
Graph with_transposed_parameters(const Graph& graph,
                                 const std::function<bool(std::string_view path)>& is);

}  // namespace weft::ir
