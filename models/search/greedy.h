// models/search/greedy.h -- greedy search: at every step the likeliest token.
//
// A host loop over one executable, the decoder's step; rows stop at </s>, the loop when all have.
#pragma once
#include "frontend/session.h"
#include "models/data/batching.h"
#include "models/rnn/rnn.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weft::search {

// The graphs a search runs, compiled for the sizes it meets.
struct Decoder {
  Decoder(const rnn::Config& config, const ProgramOptions& options);

  Program encode, step;
};

struct GreedyOptions {
  int64_t max_length =
      0;  // tokens of a hypothesis; 0: twice the longest source of the batch, plus 10
};

// source: s32[B,S], lengths: s32[B] -> for each row its tokens, without </s>
std::vector<std::vector<int32_t>> greedy(Decoder& decoder, ParameterStore& store,
                                         const ir::Array& source, const ir::Array& source_lengths,
                                         const GreedyOptions& options = {});

// The sources of all examples, in batches of similar length; results in the order of the examples.
std::vector<std::vector<int32_t>> greedy(Decoder& decoder, ParameterStore& store,
                                         std::span<const data::EncodedExample> examples,
                                         const data::BatchOptions& batch,
                                         const GreedyOptions& options = {});

}  // namespace weft::search
