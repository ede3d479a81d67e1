// ir/ops/elementwise.h -- ops whose every element depends on the elements at its place.
//
// Operands broadcast from the right, as in NumPy, but only a literal 1 broadcasts: a symbol is
// never taken for 1. Binary operands have one dtype.
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

// Shape of operands broadcast together; fails with `label` naming the two dims that differ.
Shape broadcast_shapes(const OpView& op, std::string_view label);

Types infer_unary_float(const OpView& op);    // float -> same
Types infer_unary_number(const OpView& op);   // float or integer -> same
Types infer_unary_pred(const OpView& op);     // pred -> pred
Types infer_is_finite(const OpView& op);      // float -> pred
Types infer_binary_number(const OpView& op);  // two of one dtype, not pred -> same
Types infer_compare(const OpView& op);        // two of one dtype -> pred
Types infer_binary_pred(const OpView& op);    // two preds -> pred
Types infer_select(const OpView& op);
Types infer_cast(const OpView& op);

constexpr OpDef unary(std::string_view name, Types (*infer)(const OpView&), std::string_view doc,
                      bool zero_preserving = false, bool idempotent = false) {
  return {.name = name,
          .operands = {"x"},
          .infer = infer,
          .elementwise = true,
          .zero_preserving = zero_preserving,
          .idempotent = idempotent,
          .doc = doc};
}
constexpr OpDef binary(std::string_view name, Types (*infer)(const OpView&), bool commutative,
                       std::string_view doc, bool zero_preserving = false) {
  return {.name = name,
          .operands = {"a", "b"},
          .infer = infer,
          .elementwise = true,
          .commutative = commutative,
          .zero_preserving = zero_preserving,
          .doc = doc};
}

inline constexpr OpDef abs = unary("abs", infer_unary_number, "|x|.", true, true);
inline constexpr OpDef ceil =
    unary("ceil", infer_unary_float, "Least integer not below x.", true, true);
inline constexpr OpDef cos = unary("cos", infer_unary_float, "Cosine, x in radians.");
inline constexpr OpDef erf = unary("erf", infer_unary_float, "Error function.", true);
inline constexpr OpDef exp = unary("exp", infer_unary_float, "e^x.");
inline constexpr OpDef expm1 = unary("expm1", infer_unary_float, "e^x - 1, exact near 0.", true);
inline constexpr OpDef floor =
    unary("floor", infer_unary_float, "Greatest integer not above x.", true, true);
inline constexpr OpDef gelu =
    unary("gelu", infer_unary_float, "x * (1 + erf(x / sqrt 2)) / 2.", true);
inline constexpr OpDef gelu_tanh =
    unary("gelu_tanh", infer_unary_float,
          "x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))) / 2 (Hendrycks and Gimpel 2016).", true);
inline constexpr OpDef is_finite = unary("is_finite", infer_is_finite, "Neither infinite nor NaN.");
inline constexpr OpDef log = unary("log", infer_unary_float, "Natural logarithm.");
inline constexpr OpDef log1p = unary("log1p", infer_unary_float, "log(1 + x), exact near 0.", true);
inline constexpr OpDef logical_not = unary("logical_not", infer_unary_pred, "Not x.");
inline constexpr OpDef neg = unary("neg", infer_unary_number, "-x.", true);
inline constexpr OpDef relu =
    unary("relu", infer_unary_float, "max(x, 0); NaN stays; slope 0 at 0.", true, true);
inline constexpr OpDef round =
    unary("round", infer_unary_float, "Nearest integer, halves to even.", true, true);
inline constexpr OpDef rsqrt = unary("rsqrt", infer_unary_float, "1 / sqrt(x).");
inline constexpr OpDef sigmoid = unary("sigmoid", infer_unary_float, "1 / (1 + e^-x).");
inline constexpr OpDef sign = unary("sign", infer_unary_number, "-1, 0 or 1.", true, true);
inline constexpr OpDef silu = unary("silu", infer_unary_float, "x * sigmoid(x).", true);
inline constexpr OpDef sin = unary("sin", infer_unary_float, "Sine, x in radians.", true);
inline constexpr OpDef softplus = unary("softplus", infer_unary_float, "log(1 + e^x).");
inline constexpr OpDef sqrt = unary("sqrt", infer_unary_float, "Square root.", true);
inline constexpr OpDef tanh = unary("tanh", infer_unary_float, "Hyperbolic tangent.", true);

inline constexpr OpDef add = binary("add", infer_binary_number, true, "a + b.", true);
inline constexpr OpDef div =
    binary("div", infer_binary_number, false, "a / b; integers truncate towards 0.");
inline constexpr OpDef maximum =
    binary("maximum", infer_binary_number, true,
           "The greater; NaN if either is; ties share the gradient.", true);
inline constexpr OpDef minimum =
    binary("minimum", infer_binary_number, true,
           "The lesser; NaN if either is; ties share the gradient.", true);
inline constexpr OpDef mul = binary("mul", infer_binary_number, true, "a * b.", true);
inline constexpr OpDef pow = binary("pow", infer_binary_number, false, "a^b.");
inline constexpr OpDef remainder =
    binary("remainder", infer_binary_number, false, "a - b * floor(a / b); has the sign of b.");
inline constexpr OpDef sub = binary("sub", infer_binary_number, false, "a - b.", true);

inline constexpr OpDef equal = binary("equal", infer_compare, true, "a == b.");
inline constexpr OpDef greater = binary("greater", infer_compare, false, "a > b.");
inline constexpr OpDef greater_equal = binary("greater_equal", infer_compare, false, "a >= b.");
inline constexpr OpDef less = binary("less", infer_compare, false, "a < b.");
inline constexpr OpDef less_equal = binary("less_equal", infer_compare, false, "a <= b.");
inline constexpr OpDef not_equal = binary("not_equal", infer_compare, true, "a != b.");
inline constexpr OpDef logical_and = binary("logical_and", infer_binary_pred, true, "a and b.");
inline constexpr OpDef logical_or = binary("logical_or", infer_binary_pred, true, "a or b.");
inline constexpr OpDef logical_xor =
    binary("logical_xor", infer_binary_pred, true, "a or b, not both.");

// select(cond: pred, a: T, b: T): a where cond holds, else b. What is not chosen never leaks, NaN
// included, and gets a zero gradient.
inline constexpr OpDef select{.name = "select",
                              .operands = {"cond", "a", "b"},
                              .infer = infer_select,
                              .elementwise = true,
                              .zero_preserving = true,
                              .doc = "a where cond holds, else b."};

// cast(x) {dtype}: float to integer truncates; to pred is x != 0.
inline constexpr OpDef cast{.name = "cast",
                            .operands = {"x"},
                            .attrs = {{"dtype", AttrKind::dtype}},
                            .infer = infer_cast,
                            .elementwise = true,
                            .zero_preserving = true,
                            .doc = "Conversion to another dtype."};

inline constexpr const OpDef* kElementwiseOps[] = {
    &abs,      &ceil,       &cos,       &erf,         &exp,        &expm1,       &floor,
    &gelu,     &gelu_tanh,  &is_finite, &log,         &log1p,      &logical_not, &neg,
    &relu,     &round,      &rsqrt,     &sigmoid,     &sign,       &silu,        &sin,
    &softplus, &sqrt,       &tanh,      &add,         &div,        &maximum,     &minimum,
    &mul,      &pow,        &remainder, &sub,         &equal,      &greater,     &greater_equal,
    &less,     &less_equal, &not_equal, &logical_and, &logical_or, &logical_xor, &select,
    &cast};

}  // namespace weft::ir::ops
