// backends/onednn/kernels/elementwise.h -- a straight-line program run over broadcast operands.
//
//   y_0[i], y_1[i], ... = program(x_0[i], x_1[i], ...)     i over an N-d shape
//
// One op or a fused chain of them. The program is in single-assignment form: registers 0..inputs-1
// are the operands, instruction n defines register inputs+n. It runs in blocks that stay in the L1
// cache; contiguous and broadcast operands are read in place and results are written in place, so
// one op costs no copy. An operand may alias a result if they are the same elements in the same
// order (same address, same strides).
//
// Integers: s32 and s64 wrap; div truncates toward zero as in C (x / 0 is 0, min / -1 wraps);
// remainder has the divisor's sign (floor mod, x mod 0 is 0). pow of integers is repeated
// multiplication, negative exponents give 0 except for bases 1 and -1.
// f32: maximum and minimum propagate NaN; remainder is a - floor(a/b)*b computed by fmod; compares
// with NaN are false but not_equal. Casts f32 -> integer truncate and saturate, NaN gives 0;
// casts to u8 are `x != 0`. bf16 is cast from f32, to nearest even, and to it; nothing else is done
// with it.
#pragma once
#include "backends/onednn/kernels/types.h"

#include <array>
#include <memory>
#include <vector>

namespace weft::onednn::kernels {

enum class Opcode : uint8_t {
  // The immediate, in the instruction's dtype.
  constant,
  // One operand. All work on f32; neg abs sign square relu also on s32 and s64; logical_not on u8.
  copy,
  neg,
  abs,
  sign,
  exp,
  expm1,
  log,
  log1p,
  sqrt,
  rsqrt,
  tanh,
  sigmoid,
  relu,
  gelu,
  gelu_tanh,
  silu,
  softplus,
  erf,
  sin,
  cos,
  floor,
  ceil,
  round,
  reciprocal,
  square,
  logical_not,
  is_finite,
  // Converts the operand to the instruction's dtype.
  cast,
  // Two operands of one dtype, f32, s32 or s64.
  add,
  sub,
  mul,
  div,
  pow,
  maximum,
  minimum,
  remainder,
  // Two operands of one dtype (u8 as well), result u8.
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  // Two operands of dtype u8.
  logical_and,
  logical_or,
  logical_xor,
  // a ? b : c, a of dtype u8.
  select,
};

struct Instruction {
  Opcode op;
  uint8_t a = 0, b = 0, c = 0;  // registers read
  DType dtype = DType::f32;     // of the result, for constant and cast; elsewhere it is inferred
  double immediate = 0;         // constant
  int64_t integer = 0;          // constant of an integer dtype
};

// One operand or result: its dtype, and its strides over the iteration shape (0 broadcasts).
struct Access {
  DType dtype = DType::f32;
  std::array<int64_t, kMaxRank> strides{};
};

struct ElementwiseSpec {
  std::vector<int64_t> shape;        // rank 0..kMaxRank
  std::vector<Access> inputs;        // registers 0, 1, ...
  std::vector<Instruction> program;  // may be empty: then results copy operands
  std::vector<Access> outputs;
  std::vector<uint8_t> results;  // results[i]: the register that output i receives
};

// The program with its loops collapsed and its inner functions chosen; made once per shape.
struct ElementwisePlan;
struct ElementwisePlanDeleter {
  void operator()(ElementwisePlan* plan) const;
};

// An owner of a plan. Build it when the executable is planned; a null plan means that the program
// is not well typed, and `error` then says why (a bug of the caller).
class Elementwise {
 public:
  Elementwise() = default;
  explicit Elementwise(const ElementwiseSpec& spec);
  Elementwise(Elementwise&&) noexcept = default;
  Elementwise& operator=(Elementwise&&) noexcept = default;
  ~Elementwise();

  const char* error() const { return error_; }
  // Scratch for all threads; 64-byte aligned. 0 when every operand and result is used in place.
  size_t workspace_bytes() const;
  void run(const void* const* inputs, void* const* outputs, void* workspace) const;
  // The first `count` of `rows` equal parts of the shape's axis 0 only (in the order of which
  // results lie).
  void run_rows(const void* const* inputs, void* const* outputs, void* workspace, int64_t count,
                int64_t rows) const;

 private:
  const char* error_ = nullptr;
  std::unique_ptr<ElementwisePlan, ElementwisePlanDeleter> plan_;
};

}  // namespace weft::onednn::kernels
