// models/translator/starter_recipe.h -- a first recipe for data nobody has seen: what `weft init`
// writes.
//
// What the pairs are like decides what text is cut into and how large the model is; how fast the
// machine is, whether there is time for a model of that size. The recipe says why at each choice.
#pragma once
#include "models/data/corpus.h"
#include "models/families/low_rank.h"

#include <cstdint>
#include <string>

namespace weft {

struct SideFacts {
  int64_t words = 0, characters = 0;  // of all lines
  int64_t longest = 0;                // words of a line
  int64_t distinct_words = 0;         // at least so many
};

struct CorpusFacts {
  int64_t pairs = 0;
  SideFacts source, target;
};

// Of pairs that come one after the other; those with an empty side are not counted.
CorpusFacts corpus_facts(const data::NextExample& next);

struct StarterRecipe {
  std::string train, valid;  // values of [data], in TOML
  double minutes = 30;       // that training may take
  double flops = 1e11;       // floating-point operations a second, at best
  int cores = 1;
};

// The text of a recipe. Throws GraphError where there are no pairs.
std::string starter_recipe(const CorpusFacts& facts, const StarterRecipe& wanted);

// A recipe for going on with a model that is there.
struct FineTuning {
  std::string from, train, valid;                // paths; valid may be empty
  std::string source_language, target_language;  // of a published model for many; empty: its own
  std::string model;  // of a model of ours, which brings its vocabularies: what stands in [model]
  low_rank::Settings adapter;
};
std::string fine_tuning_recipe(const FineTuning& wanted);

}  // namespace weft
