// models/training/recipe.h -- all that a training run depends on, as a TOML file.
//
//   [data]       train, valid (TSV, relative to the recipe); source_min_count, target_min_count,
//                source_max_size, target_max_size, max_tokens
//   [model]      family, "rnn" or "transformer", and the fields of its Config but the
//                vocabularies' sizes and the seed
//   [batch]      the fields of data::BatchOptions but the seed
//   [optimizer]  kind, learning_rate, schedule, warmup, and the fields of OptimizerSettings
//   [training]   the fields of Limits, seed, and memory_budget ("200MB")
//
// Every key has a default but data.train and data.valid; an unknown key is an error at its line.
#pragma once
#include "frontend/compile/optimizer.h"
#include "models/data/batching.h"
#include "models/data/tsv.h"
#include "models/families/seq2seq.h"
#include "models/training/schedule.h"
#include "models/training/toml_table.h"

#include <map>
#include <string>

namespace weft::training {

struct DataFiles {
  std::string train, valid;
  int64_t source_min_count = 1, target_min_count = 1, source_max_size = 0, target_max_size = 0;
  data::TsvOptions tsv;
};

struct Recipe {
  DataFiles data;
  seq2seq::Config model;  // without the vocabularies' sizes
  data::BatchOptions batch;
  OptimizerSettings optimizer;
  Rate rate;
  Limits limits;
  uint64_t seed = 1;
  int64_t memory_budget = 0;  // bytes; 0: no limit
  std::string path;
  std::map<std::string, std::string> places;  // "file:line" of the keys that are there

  // Where "optimizer.beta1" was set, or just the file.
  const std::string& where(const std::string& key) const;
};

Recipe read_recipe(const std::string& path);

// The model's table alone, without its family, which model folders hold too.
void read_config(TomlTable& table, seq2seq::Config& config);
std::string config_toml(const seq2seq::Config& config);

}  // namespace weft::training
