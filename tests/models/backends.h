// tests/models/backends.h -- what model tests run on.
#pragma once
#include "backends/backend.h"
#include "frontend/compile/session.h"
#include "models/data/tokens/special_ids.h"

#include <memory>

namespace weft::tests {

inline constexpr data::SpecialIds kIds;  // of vocabularies made from counts

inline ProgramOptions reference_options(bool optimize = true) {
  return {.backend = std::shared_ptr<backends::Backend>(backends::make_reference()),
          .real = ir::DType::f64,
          .optimize = optimize};
}

#ifdef WEFT_TEST_ONEDNN
inline ProgramOptions onednn_options(bool optimize = true) {
  return {.backend = std::shared_ptr<backends::Backend>(backends::make_onednn()),
          .optimize = optimize};
}
#endif

}  // namespace weft::tests
