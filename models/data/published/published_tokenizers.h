// models/data/published/published_tokenizers.h -- the tokenisers of a folder downloaded from a model
// hub.
//
//   T5, LongT5, mT5     spiece.model; <extra_id_0> ... at the end, counted downwards
//   Pegasus             spiece.model; ids shifted by `offset`
//   Marian (OPUS-MT)    source.spm, target.spm; ids of vocab.json, or of it and target_vocab.json
//   mBART-25, mBART-50  sentencepiece.bpe.model; ids as fairseq has them, then the languages
//   M2M-100             sentencepiece.bpe.model; ids of vocab.json, then the languages
//   NLLB                sentencepiece.bpe.model; ids as fairseq has them, then the languages
//   BART, LED, GPT-2    vocab.json and merges.txt, or tokenizer.json
//   others              tokenizer.json (models/data/published/tokenizer_json.h says what of it)
//
// Which it is, tokenizer_config.json ("tokenizer_class") and config.json say, in this order. Where both
// SentencePiece's file and tokenizer.json are there, the former counts.
//
//   const auto t = open_published_tokenizers("opus-mt-en-de");
//   t.source.encode("Two dogs play.");      // what the encoder reads, </s> included
//   t.target.decode(ids);                   // special tokens left out
//
// Text is cut as the hub's library (transformers 4.53) cuts it, special tokens spelled in a text
// included; Moses's normalisation of punctuation, which that library leaves to its users, is left out.
#pragma once
#include "models/data/tokens/tokenizer.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weft::data {

struct PublishedOptions {
  // As the model spells them ("de_DE", "deu_Latn", "de"); empty: those that the folder names.
  std::string source_language = {}, target_language = {};
  // Rows of the model's embeddings, which may be more or fewer than the tokens; 0: as many. A text
  // that needs a token beyond them is refused.
  int64_t source_rows = 0, target_rows = 0;
};

struct PublishedTokenizers {
  // source: encode gives what the encoder reads, special tokens before and behind it included. target:
  // what stands between the start of the decoder and the end, so that it begins with the language
  // where a model expects that. special().begin is what the decoder starts with by convention;
  // where config.json says something else, `Tokenizer::with_special` puts it there.
  Tokenizer source, target;
  std::string family;  // "T5", "mBART-50", ...
  // Of a model for many, as it spells them, by id; and those that are set. No target language: the
  // folder names none, and somebody has to before the model can write.
  std::vector<std::string> languages;
  std::string source_language, target_language;
  // The language that a target must begin with: the hub's forced_bos_token_id.
  std::optional<int32_t> first;
  std::optional<int64_t> longest;  // tokens of a source: model_max_length
  std::vector<std::string> files;  // of the folder, that were read
};

// Throws GraphError "path: ..." where files are missing or contradict each other, or ask for something
// that is not done here.
PublishedTokenizers open_published_tokenizers(const std::string& folder,
                                              const PublishedOptions& options = {});

// Whether they are of a family of models for many languages. GraphError as above.
bool have_languages(const std::string& folder);

// What Tokenizer::save wrote for a tokeniser of these. `name` stands in errors.
Tokenizer read_published_tokenizer(const std::string& text, const std::string& name);

}  // namespace weft::data
