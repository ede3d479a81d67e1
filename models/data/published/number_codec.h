// models/data/published/number_codec.h -- ids as text: numbers, separated by spaces.
#pragma once
#include "models/data/tokens/tokenizer.h"

namespace weft::data::published {

// Of a vocabulary of `size` ids; the special ones are numbers as well.
Tokenizer numbers(int64_t size, const SpecialIds& special);

}  // namespace weft::data::published
