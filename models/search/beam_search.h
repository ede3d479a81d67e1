// models/search/beam_search.h -- beam search over one step executable; greedy search is a beam of
// one.
//
// Every step extends the K best hypotheses of a sentence by a token and keeps the K best of those
// that do not end; one that ends in </s> among the K best candidates is finished. A sentence is
// done when K hypotheses have finished, or at its limit, where those still open are taken as they
// are, cut (the rules of Hugging Face's `early_stopping=True`). Finished ones are ranked by
// log-probability / n^length_penalty, n counting </s> (fairseq's `lenpen`). <pad> and <s> are never
// produced.
//
// A sentence's results do not depend on the others of its batch: what is computed of a row has the
// same bits in any number of rows, batches hold sources of one padded width, limits are the
// sentence's own. Sentences that are done leave the batch.
#pragma once
#include "models/data/batching.h"
#include "models/search/decoder.h"
#include "models/search/length_limit.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weft::search {

inline constexpr double kMostLengthPenalty = 20;

struct SearchOptions {
  int64_t n_best = 1;         // hypotheses returned of a sentence; at most the beam
  double length_penalty = 0;  // 0: by log-probability; 1: by its mean over the tokens; up to 20
  LengthLimit max_length;     // and never more than the decoder has positions
  int64_t min_length = 0;     // tokens before </s>
};

struct Hypothesis {
  std::vector<int32_t> tokens;  // without </s>
  bool ended = false;           // by </s>; else cut at the limit
  double log_probability = 0;   // of the tokens and </s>; NaN of a decoder without scores
  double score = 0;             // what it was ranked by
  std::vector<std::vector<float>> weights;  // if the decoder yields them: a row of source positions
                                            // for every token, </s> included
};
using Hypotheses = std::vector<Hypothesis>;  // of a sentence, the best first

// source: s32[B,S], lengths: s32[B] -> by sentence at least one hypothesis
std::vector<Hypotheses> search(Decoder& decoder, ParameterStore& store, const ir::Array& source,
                               const ir::Array& source_lengths, const SearchOptions& options = {});

// The sources of all examples, in batches of one padded width; in the order of the examples.
std::vector<Hypotheses> search(Decoder& decoder, ParameterStore& store,
                               std::span<const data::EncodedExample> examples,
                               data::BatchOptions batch, const SearchOptions& options = {});

}  // namespace weft::search
