// ir/ops/reduce.h -- reductions over axes, scans along an axis, and arg_max.
//
//   y = sum(x) {axes, keep}    x: T[d0,...,dn]  ->  y without `axes`, or with 1 there if `keep`
//
// An empty reduction gives 0 for sum, 1 for prod, -inf/+inf (lowest/highest integer) for max/min,
// NaN for mean. NaN propagates through max and min; their ties share the gradient equally.
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_reduce(const OpView& op);
Types infer_along(const OpView& op);
Types infer_linear_recurrence(const OpView& op);
Types infer_arg_max(const OpView& op);

constexpr OpDef reduction(std::string_view name, std::string_view doc, bool zero_preserving) {
  return {.name = name,
          .operands = {"x"},
          .attrs = {{"axes", AttrKind::axes}, {"keep", false}},
          .infer = infer_reduce,
          .zero_preserving = zero_preserving,
          .doc = doc};
}

inline constexpr OpDef max = reduction("max", "Greatest element over `axes`.", true);
inline constexpr OpDef mean = reduction("mean", "Arithmetic mean over `axes`; floats only.", true);
inline constexpr OpDef min = reduction("min", "Least element over `axes`.", true);
inline constexpr OpDef prod = reduction("prod", "Product over `axes`.", true);
inline constexpr OpDef sum = reduction("sum", "Sum over `axes`.", true);

// y[i] = sum of x[0..i] along `axis`; `exclusive` leaves out x[i]; `reverse` sums from the end.
inline constexpr OpDef cumsum{
    .name = "cumsum",
    .operands = {"x"},
    .attrs = {{"axis", AttrKind::axis, int64_t{-1}}, {"reverse", false}, {"exclusive", false}},
    .infer = infer_along,
    .zero_preserving = true,
    .doc = "Cumulative sum along `axis`."};

// y[i] = product of x[0..i] along `axis`; `exclusive` leaves out x[i] (and starts with 1); `reverse`
// multiplies from the end. The gradient is exact where elements are 0.
inline constexpr OpDef cumprod{
    .name = "cumprod",
    .operands = {"x"},
    .attrs = {{"axis", AttrKind::axis, int64_t{-1}}, {"reverse", false}, {"exclusive", false}},
    .infer = infer_along,
    .doc = "Cumulative product along `axis`."};

// y[i] = a[i] * y[i-1] + b[i] along `axis`, y[-1] = 0; `reverse` starts at the end. a and b are of
// one type. What cumprod's adjoint is made of; its own adjoint is one from the other end.
inline constexpr OpDef linear_recurrence{
    .name = "linear_recurrence",
    .operands = {"a", "b"},
    .attrs = {{"axis", AttrKind::axis, int64_t{-1}}, {"reverse", false}},
    .infer = infer_linear_recurrence,
    .zero_preserving = true,
    .doc = "y[i] = a[i] * y[i-1] + b[i] along `axis`, from 0."};

// Index of the greatest element along `axis`, the first of equals; NaN counts as greatest.
inline constexpr OpDef arg_max{
    .name = "arg_max",
    .operands = {"x"},
    .attrs = {{"axis", AttrKind::axis, int64_t{-1}}},
    .infer = infer_arg_max,
    .doc = "s32 index of the greatest element along `axis`, the first of equals."};

inline constexpr const OpDef* kReduceOps[] = {
    &max, &mean, &min, &prod, &sum, &cumsum, &cumprod, &linear_recurrence, &arg_max};

}  // namespace weft::ir::ops
