// models/translator/alignment.h -- which words of a source a hypothesis's words came from, by what
// the decoder looked at.
#pragma once
#include "models/data/tokens/tokenizer.h"
#include "models/search/beam_search.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace weft {

// By token the word that it is part of, from 0: tokens of words are words, pieces begin one with
// U+2581.
std::vector<int64_t> words_of(std::span<const std::string> tokens, data::TokenizerKind kind);

// By word of the hypothesis the word of the source whose tokens its own have looked at most, the
// first of equals. Empty where the hypothesis has no weights. source_words: by position of the source
// its word; target_words: by token of the hypothesis, </s> left out.
std::vector<int64_t> hard_alignment(const search::Hypothesis& hypothesis,
                                    std::span<const int64_t> source_words,
                                    std::span<const int64_t> target_words);

// "0-0 1-2": source-target, from 0, in the order of the target (Pharaoh's format).
std::string pharaoh(std::span<const int64_t> alignment);

// The weights by token, as Marian writes them: a row of the source's positions for each, </s>
// included, numbers by commas and rows by spaces.
std::string soft_alignment(const search::Hypothesis& hypothesis, int64_t source);

// Words and what they become.
using Dictionary = std::map<std::string, std::string, std::less<>>;
// Lines "word<TAB>word"; the first line of a word counts. GraphError "file:line: ..." for others.
Dictionary read_dictionary(const std::string& path);

// `tokens` of the hypothesis; for each that is `unknown` what the dictionary has for the token of the
// source looked at most, or that token itself (Luong et al. 2015, addressing the rare word problem).
std::vector<std::string> with_unknown_replaced(std::vector<std::string> tokens,
                                               const search::Hypothesis& hypothesis,
                                               const std::vector<std::string>& source,
                                               int32_t unknown, const Dictionary& dictionary);

}  // namespace weft
