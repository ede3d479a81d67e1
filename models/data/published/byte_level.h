// models/data/published/byte_level.h -- bytes as characters that can be seen, and how GPT-2 cuts text
// into words (Radford et al. 2019).
#pragma once
#include "models/data/published/unicode.h"

#include <string>
#include <string_view>

namespace weft::data::published {

// Each byte as one character: printable ones of Latin-1 as themselves, the others from U+0100 on.
std::string to_byte_characters(std::string_view bytes);
// The bytes; of a text with other characters in it, its own.
std::string from_byte_characters(std::string_view text);

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
Stretches byte_level_words(std::string_view text);

}  // namespace weft::data::published
