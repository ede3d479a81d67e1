// backends/onednn/lower/choice.h -- whose implementation of an op runs, where there are several.
//
// The engine asked for decides which are tried first: oneDNN's, Weft's, or what the table of
// preferences says is best here (docs/decisions/0011). The others follow: each engine runs every
// graph.
#pragma once
#include "backends/onednn/kernels/isa.h"
#include "backends/onednn/plan/lowering.h"

#include <array>
#include <span>
#include <string_view>

namespace weft::onednn {

// Why Weft's code is the best on an instruction set. What the table does not list is oneDNN's.
struct Preference {
  std::string_view what;  // an op; "product", "product, weights packed"
  bool avx2, avx512;      // where Weft's runs
  std::string_view why;   // one line, as `weft doctor` prints it
};
std::span<const Preference> preferences();

// Of f32; lower precisions have one implementation only.
Owner preferred(backends::EngineChoice engine, std::string_view what);

// emit(implementation) for those of the preferred owner, then for the others, each in the order of
// the list, until one is true.
template <typename List, typename EmitIt>
bool emit_first(const List& list, Owner preferred, const EmitIt& emit) {
  for (const bool first : {true, false})
    for (const auto& implementation : list)
      if ((implementation.owner == preferred) == first && emit(implementation)) return true;
  return false;
}

// The lowering of ops with several implementations.
void lower_by_choice(Emit& e);

// Whether what products read has its rows padded: oneDNN's brgemm wants them side by side, all
// others want them apart (tensor.h).
bool pads_rows(backends::EngineChoice engine);

}  // namespace weft::onednn
