// backends/onednn/lower/matmul_primitive.h -- a matrix product as a oneDNN primitive.
#pragma once
#include "backends/onednn/plan/lowering.h"

namespace weft::onednn {

// c[...,M,N] = activation(a[...,M,K] b[...,K,N] + bias), or added to c.
struct Product {
  Tensor a, b, c;  // of equal rank
  std::optional<Tensor> bias;
  std::string_view activation;
  bool accumulate;
};

double product_flops(const Tensor& a, const Tensor& c);
// False, with nothing emitted, where oneDNN has only its reference implementation, or none.
bool emit_product(Emit& e, Product product);

}  // namespace weft::onednn
