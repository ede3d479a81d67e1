// models/published/number_codec.h -- ids as text: numbers, separated by spaces.
#pragma once
#include "models/data/tokenizer.h"

namespace weft::published {

// Of a vocabulary of `size` ids; the special ones are numbers as well.
data::Tokenizer numbers(int64_t size, const data::SpecialIds& special);

}  // namespace weft::published
