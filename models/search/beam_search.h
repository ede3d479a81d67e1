// models/search/beam_search.h -- beam search and sampling over one step executable; greedy search is
// a beam of one.
//
// Every step continues the hypotheses of a sentence by a token; what goes on, what finishes and when
// a sentence is done is told by the options (search_options.h). <pad> and <s> are never produced.
//
// A sentence's results do not depend on the others of its batch: what is computed of a row has the
// same bits in any number of rows, batches hold sources of one padded width, limits are the
// sentence's own. Sentences that are done leave the batch.
#pragma once
#include "models/data/batching.h"
#include "models/search/decoder.h"
#include "models/search/search_options.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace weft::search {

struct Hypothesis {
  std::vector<int32_t> tokens;  // without </s>
  bool ended = false;           // by </s>; else cut at the limit
  double log_probability = 0;   // of the tokens and </s>; NaN of a decoder without scores
  double score = 0;             // what it was ranked by
  std::vector<double> token_log_probabilities;  // of the tokens and </s>, one by one; none likewise
  std::vector<std::vector<float>> weights;  // if the decoder yields them: a row of source positions
                                            // for every token, </s> included
};
using Hypotheses = std::vector<Hypothesis>;  // of a sentence, the best first

// A model that a search asks.
struct Member {
  Decoder* decoder;
  ParameterStore* store;
};

// Told of a sentence, by its place, whenever more is known of its best hypothesis: the tokens that it
// begins with, all of them once it is done.
using Observer = std::function<void(int64_t sentence, std::span<const int32_t> tokens, bool done)>;

// What is asked beside the options.
struct Requests {
  std::span<const Demands> demands = {};  // none, or one for each sentence
  Observer observer = {};
};

// source: s32[B,S], lengths: s32[B] -> by sentence at least one hypothesis. Throws GraphError where
// the options need what a decoder does not yield: a coverage penalty weights, several members,
// demands and many options distributions (need_distribution).
std::vector<Hypotheses> search(std::span<const Member> members, const ir::Array& source,
                               const ir::Array& source_lengths, const SearchOptions& options = {},
                               const Requests& requests = {});
std::vector<Hypotheses> search(Decoder& decoder, ParameterStore& store, const ir::Array& source,
                               const ir::Array& source_lengths, const SearchOptions& options = {},
                               const Requests& requests = {});

// The sources of all examples, in batches of one padded width; in the order of the examples.
std::vector<Hypotheses> search(std::span<const Member> members,
                               std::span<const data::EncodedExample> examples,
                               data::BatchOptions batch, const SearchOptions& options = {},
                               const Requests& requests = {});
std::vector<Hypotheses> search(Decoder& decoder, ParameterStore& store,
                               std::span<const data::EncodedExample> examples,
                               data::BatchOptions batch, const SearchOptions& options = {},
                               const Requests& requests = {});

}  // namespace weft::search
