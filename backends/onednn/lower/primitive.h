// backends/onednn/lower/primitive.h -- oneDNN's primitives as kernels of a plan: what describes a
// tensor, the guard against reference loops, arguments by place.
#pragma once
#include "backends/onednn/machine/compat.h"
#include "backends/onednn/plan/lowering.h"

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weft::onednn {

// Of f32, bf16, s32, s8 and u8; undef: oneDNN has no such elements.
dnnl::memory::data_type data_type(ir::DType dtype);
dnnl::memory::desc desc_of(const Tensor& tensor);
// T[B,s...,C] as oneDNN names its axes: B, C, s...
dnnl::memory::desc channels_last(const Tensor& tensor);
// Told from other layouts of the same sizes: "f32 64x512 by 1024 1 blocks 16@0 64@1".
std::string layout_text(const dnnl::memory::desc& desc);

// oneDNN's plain C++ loops are 10 to 1,000 times slower than its generated code.
bool is_reference(const char* implementation);

// What `make` describes; none where oneDNN has reference loops only, or nothing at all.
template <typename Make>
auto described(const Make& make) -> std::optional<decltype(make())> {
  try {
    auto pd = make();
    if (!is_reference(pd.impl_info_str())) return pd;
  } catch (const dnnl::error& error) {
    if (error.status != dnnl_unimplemented && error.status != dnnl_invalid_arguments)
      throw ir::RuntimeError(ir::concat("error: oneDNN: ", error.what(), " (status ",
                                        static_cast<int64_t>(error.status), ")"));
  }
  return std::nullopt;
}

// Where a primitive's scratchpad is given with the call. Without post-ops.
dnnl::primitive_attr plain_attributes();

// A primitive and the places of its arguments.
class Call {
 public:
  Call(const char* name, dnnl::primitive primitive) : name_(name), primitive_(primitive) {}

  Call& with(int argument, const dnnl::memory::desc& desc, Ref at) {
    arguments_.push_back({argument, desc, at});
    return *this;
  }
  // A workspace for it, if it wants one.
  Call& with_scratchpad(Emit& e, const dnnl::memory::desc& desc);
  void emit(Emit& e, double flops, const char* implementation) const;

 private:
  struct Argument {
    int name;
    dnnl::memory::desc desc;
    Ref at;
  };
  const char* name_;
  dnnl::primitive primitive_;
  std::vector<Argument> arguments_;
};

// A primitive that works on rows, made for a number of them.
struct RowPrimitive {
  dnnl::primitive primitive;
  std::string implementation;
  std::vector<std::pair<int, dnnl::memory::desc>> arguments;  // without the scratchpad
  dnnl::memory::desc scratchpad;
};
// Emits it for `rows` rows, or for as many of them as `bound` says when it runs: it is made for these
// then, and again when their number is another one (some 100 us, nothing where oneDNN still has it).
// `at`: the places of the arguments. False, with nothing emitted, where `make` has none.
bool emit_for_rows(Emit& e, const char* name, double flops, int64_t rows,
                   const std::optional<RowBound>& bound,
                   const std::function<std::optional<RowPrimitive>(int64_t rows)>& make,
                   const std::vector<Ref>& at);

// What lies at `source` in one layout (and type) to `target` in another; false, with nothing
// emitted, where oneDNN has only reference loops for it, unless those will do.
bool emit_reorder(Emit& e, const char* name, const dnnl::memory::desc& from, Ref source,
                  const dnnl::memory::desc& to, Ref target, bool reference_will_do = false);

}  // namespace weft::onednn
