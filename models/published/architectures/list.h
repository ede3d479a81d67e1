// models/published/architectures/list.h -- the entries, each in a file of its name.
#pragma once
#include "models/published/architecture.h"

namespace weft::published {

extern const Architecture kBart, kLed, kLongT5, kM2m100, kMarian, kMbart, kMt5, kPegasus, kT5;

}  // namespace weft::published
