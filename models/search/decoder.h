// models/search/decoder.h -- the graphs a search runs, compiled for the sizes it meets.
#pragma once
#include "frontend/compile/session.h"
#include "models/data/tokens/special_ids.h"

#include <map>
#include <string>

namespace weft::search {

// What a search must know of a model beside its graphs.
struct DecoderTraits {
  int64_t beam = 1;                  // of the step graph
  int64_t max_positions = 0;         // of a source; 0: no limit
  int64_t max_target_positions = 0;  // of a target with its end
  int64_t window = 0;                // steps that its caches, rings, have to keep; 0: all
  data::SpecialIds ids;              // of the target
  int64_t patches = 0;               // of an image: its positions; 0: as many as the source is wide
  int64_t reduction = 1;             // so many positions of a source are one of the decoder's
};

struct Decoder {
  // encode: source s32[B,S], source_lengths s32[B] -> memory and first states; step: of a
  // StepGraph. What a step takes and the encoder does not yield starts as zeros. GraphError where
  // `step` is none, or is one of another beam.
  Decoder(const ir::Graph& encode, const ir::Graph& step, const ProgramOptions& options,
          const DecoderTraits& traits = {});

  Program encode, step;
  int64_t beam;
  bool weights = false;        // the step yields attention weights
  bool scores = false;         // ... and log-probabilities, not logits
  bool distributions = false;  // ... of every token, not of candidates
  bool normalizer = false;     // ... with what logits sum up to
  DecoderTraits traits;
  // Memory of what steps carry, by input, from one batch to the next: caches are large, and fresh
  // memory is slow.
  std::map<std::string, ir::Array> room;
};

}  // namespace weft::search
