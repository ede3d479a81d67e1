// models/families/table.h -- the families that recipes can name.
#pragma once
#include "models/families/family.h"

#include <span>

namespace weft::seq2seq {

using Families = std::span<const Family* const>;

// All that come with Weft; the first is the default.
Families families();

// GraphError listing the names for any other.
const Family& family_named(std::string_view name, Families known = families());

}  // namespace weft::seq2seq
