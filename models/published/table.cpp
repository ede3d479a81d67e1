// models/published/table.cpp -- the architectures there are.
#include "models/published/architectures/list.h"

namespace weft::published {

std::span<const Architecture* const> architectures() {
  static constexpr const Architecture* kTable[] = {&kBart,  &kLed, &kLongT5,  &kM2m100, &kMarian,
                                                   &kMbart, &kMt5, &kPegasus, &kT5};
  return kTable;
}

}  // namespace weft::published
