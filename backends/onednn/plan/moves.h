// backends/onednn/plan/moves.h -- moving elements from one place to another.
#pragma once
#include "backends/onednn/kernels/copy.h"
#include "backends/onednn/plan/lowering.h"

namespace weft::onednn {

// to[i] = from[i]; both of one shape, any strides, not overlapping (unless the same).
Kernel copy_kernel(const Tensor& from, const Tensor& to);

// The kernel's arguments but for the pointers; false where it cannot do it (rank 9).
bool strided_copy(Tensor from, Tensor to, kernels::CopyStrided& args);

// The plain loop, for few elements: `from` and `to` give shape and strides, the pointers the
// places.
void copy_elements(const Tensor& from, const char* src, const Tensor& to, char* dst, int axis = 0);
void zero_elements(const Tensor& to, char* dst, int axis = 0);

void emit_copy(Emit& e, const Tensor& from, const Tensor& to);  // of one shape
void emit_copy(Emit& e, const Tensor& from, const Tensor& to,
               const std::optional<RowBound>& rows);  // axis 0 counts them
void emit_fill(Emit& e, const Tensor& to, double value);

// Panels of a right operand (kernels::PackWeights): those of kernels::gemm, or of other products.
struct PanelSizes {
  int64_t columns = 0, depth_step = 1;
};
void emit_packing(Emit& e, const Tensor& b, Ref to, const PanelSizes& sizes = {});  // b: [K,N]

// Of a product's operands, f32 or bf16.
constexpr kernels::DType gemm_dtype(ir::DType dtype) {
  return dtype == ir::DType::bf16 ? kernels::DType::bf16 : kernels::DType::f32;
}

// An integer scalar read when the graph runs.
int64_t integer_at(const Run& run, const Tensor& tensor, int64_t i = 0);
uint64_t bits_of(double value, ir::DType dtype);  // the element that stands for `value`

double real_at(const char* element, ir::DType dtype);
int64_t integer_of(const char* element, ir::DType dtype);
void store_real(char* element, ir::DType dtype, double value);
void store_integer(char* element, ir::DType dtype, int64_t value);

}  // namespace weft::onednn
