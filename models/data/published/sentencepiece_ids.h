// models/data/published/sentencepiece_ids.h -- pieces of a SentencePiece model under ids that are not
// its own: shifted (T5, Pegasus, mBART, NLLB), or those of a vocabulary beside it (Marian, M2M-100).
#pragma once
#include "models/data/published/added_tokens.h"
#include "models/data/published/token_model.h"
#include "models/data/tokens/subwords.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace weft::data::published {

// How ids become text.
enum class Joining {
  pieces,  // as SentencePiece joins them
  text,    // one behind the other, U+2581 a space
};

struct SentencePieceSettings {
  Subwords encoder;                      // cuts texts
  std::optional<Subwords> decoder = {};  // joins pieces; else the same
  // By the encoder's piece the id, -1: unknown.
  std::vector<int32_t> ids = {};
  // What has ids beyond the pieces: of a vocabulary, the special tokens left out.
  std::vector<std::string> tokens = {};  // by id; empty: none
  int32_t unknown = 0;
  AddedTokens added = {};  // none of them looked for in normalised text
  Joining joining = Joining::pieces;
  // A text behind an added token begins no word (T5's `legacy = false`): what cuts it.
  std::optional<Subwords> inner_encoder = {};
  // ">>xx<<" at the beginning of a text is a token of its own (Marian).
  bool language_marks = false;
  bool clean_up = false;  // spaces before punctuation go where ids become text
};

std::shared_ptr<const TokenModel> sentencepiece_model(SentencePieceSettings settings);

// "a ." -> "a.": what clean_up_tokenization_spaces does.
std::string cleaned_up(std::string text);

}  // namespace weft::data::published
