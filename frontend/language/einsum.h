// frontend/language/einsum.h -- sums of products, written with an index for every axis.
//
//   einsum("bhqd,bhkd->bhqk", {q, k})      scores of attention: one matmul
//   einsum("bsd,dhk->bhsk", {x, w})        heads: one matmul, then a transpose
//   einsum("bij,bjk,bkl->bil", {a, b, c})  in the order that multiplies least
//   einsum("ii->i", {x})                   a diagonal;  "ii->" its sum
//   einsum("...ij->...ji", {x})            `...` stands for any number of leading axes
//
// An index is a letter. What is not behind `->` is summed over; without `->` the result has `...`
// and then the indices that stand once, in alphabetical order. An index has one size everywhere,
// but a literal 1 goes with any (and so do the axes of `...`, which are matched from the right).
#pragma once
#include "frontend/language/tensor.h"

#include <string_view>

namespace weft {

Tensor einsum(std::string_view equation, const Tensors& operands,
              SourceLoc loc = SourceLoc::here());

}  // namespace weft
