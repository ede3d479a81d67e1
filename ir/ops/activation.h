// ir/ops/activation.h -- the activations that fused ops name in text attributes.
#pragma once
#include "ir/ops/elementwise.h"

#include <string_view>

namespace weft::ir::ops {

struct Activation {
  std::string_view name;
  const OpDef* op;  // null: identity
};

inline constexpr Activation kActivations[] = {
    {"none", nullptr}, {"relu", &relu},           {"tanh", &tanh}, {"sigmoid", &sigmoid},
    {"gelu", &gelu},   {"gelu_tanh", &gelu_tanh}, {"silu", &silu},
};

constexpr const Activation* activation_named(std::string_view name) {
  for (const Activation& a : kActivations)
    if (a.name == name) return &a;
  return nullptr;
}
constexpr bool is_activation(std::string_view name) { return activation_named(name) != nullptr; }

}  // namespace weft::ir::ops
