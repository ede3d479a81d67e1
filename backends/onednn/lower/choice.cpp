// backends/onednn/lower/choice.cpp -- the table of preferences, and what follows from it.
#include "backends/onednn/lower/choice.h"

#include "backends/onednn/lower/matmul_primitive.h"
#include "backends/onednn/lower/table.h"
#include "ir/check.h"

namespace weft::onednn {
namespace {

using backends::EngineChoice;

// clang-format off
constexpr Preference kWeft[] = {
    // what                        AVX2   AVX-512  why
    {"product, weights packed",    true,  true,  "the same bits for any number of rows and threads, and so in every batch"},
    {"product",                    false, true,  "the same bits on any number of threads; as fast"},
    {"product of bf16",            true,  true,  "rows and depth known at run time, the same bits for any; weights rounded as they are laid out"},
    {"layer_norm",                 true,  true,  "7 % faster (a step of W3)"},
    {"layer_norm_grad",            true,  true,  "a third faster (a step of W3); sums cut alike on any number of threads"},
    {"softmax",                    true,  true,  "lanes of -inf are zeros in one pass"},
    {"log_softmax",                true,  true,  "lanes of -inf stay so in one pass; exact where there is one element"},
    {"elementwise",                true,  true,  "two fifths faster (a step of W3)"},
    {"sum",                        true,  true,  "sums cut alike on any number of threads, over any axis"},
    {"avg_pool",                   true,  true,  "sums in one order on any number of threads"},
    {"avg_pool_grad",              true,  true,  "sums in one order on any number of threads"},
};
// clang-format on

}  // namespace

std::span<const Preference> preferences() { return kWeft; }

Owner preferred(EngineChoice engine, std::string_view what) {
  if (engine == EngineChoice::onednn) return Owner::onednn;
  if (engine == EngineChoice::weft) return Owner::weft;
  const bool wide = kernels::isa() != kernels::Isa::avx2;
  for (const Preference& p : kWeft)
    if (p.what == what) return (wide ? p.avx512 : p.avx2) ? Owner::weft : Owner::onednn;
  return Owner::onednn;
}

void lower_by_choice(Emit& e) {
  const Lowering* const lowering = find_lowering(&e.op.def());
  WEFT_CHECK(lowering != nullptr && !lowering->implementations.empty());
  const Owner wanted = preferred(e.choice(), e.op.def().name);
  const bool done =
      emit_first(lowering->implementations, wanted, [&](const Implementation& implementation) {
        if (!implementation.emit(e)) return false;
        if (wanted == Owner::onednn && implementation.owner != wanted) e.refused();
        return true;
      });
  WEFT_CHECK(done);
}

bool pads_rows(EngineChoice engine) {
  return preferred(engine, "product") == Owner::weft || !has_weight_layouts();
}

}  // namespace weft::onednn
