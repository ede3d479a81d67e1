// models/training/recipe/recipe.h -- all that a training run depends on, as a TOML file.
//
//   [data]       DataFiles, SideTokens, data::FilterSettings
//   [model]      family, and the fields of its settings
//   [batch]      data::BatchOptions
//   [optimizer]  OptimizerSettings, Rate
//   [training]   Limits, ValidationSettings, DivergenceSettings, RiskSettings, RunOptions
//   [adapter]    low_rank::Settings
//
// Every key has a default but data.train; an unknown key is an error at its line.
// docs/recipes.md lists them all, as `weft families` prints them.
#pragma once
#include "frontend/compile/optimizer.h"
#include "ir/precision.h"
#include "models/data/batching.h"
#include "models/data/features/features.h"
#include "models/data/filters.h"
#include "models/data/parallel_text.h"
#include "models/data/source.h"
#include "models/data/tokens/tokenizer.h"
#include "models/families/low_rank.h"
#include "models/families/seq2seq.h"
#include "models/families/table.h"
#include "models/settings/toml_table.h"
#include "models/training/batches/risk.h"
#include "models/training/divergence.h"
#include "models/training/log/scores.h"
#include "models/training/schedule.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weft::published {
class Folder;
}  // namespace weft::published

namespace weft::training {

// The rest of [training].
struct RunOptions {
  uint64_t seed = 1;
  ir::Precision precision = ir::Precision::f32;
  std::string memory_budget;        // "200MB"; empty: no limit
  std::string from;                 // a model to begin with; empty: none
  std::vector<std::string> freeze;  // globs of parameters' names
};

struct DataFiles {
  std::vector<data::FilePattern> train, valid;
  std::string vocabulary_from;  // a model folder; empty: made of the training data
  std::string alignments;       // of `train`; empty: none
  // Of a published model for many languages, as it spells them; empty: what its folder says.
  std::string source_language, target_language;
  data::TokenizerSettings tokens;  // of both sides
  bool shared_vocabulary = false;
  double subword_alpha = 0;  // 0: texts have one segmentation
  int64_t subword_nbest = 64;
  data::SourceKind source = data::SourceKind::tokens;
  int64_t stack = 1, patch = 16;
  data::FeatureSettings features{.audio = {.features = data::AudioFeatures::log_mel}, .image = {}};
};

// What the sides of [data] say of their own; DataFiles::tokens by default.
struct SideTokens {
  data::TokenizerSettings source, target;
};

struct Recipe {
  DataFiles data;
  std::vector<data::ParallelFile> train, valid;  // the files of both
  SideTokens tokens;
  data::FilterSettings filters;
  seq2seq::Settings model;  // without the vocabularies' sizes
  data::BatchOptions batch;
  OptimizerSettings optimizer;
  Rate rate;
  Limits limits;
  ValidationSettings validation;
  DivergenceSettings divergence;
  RiskSettings risk;
  uint64_t seed = 1;
  ir::Precision precision = ir::Precision::f32;
  int64_t memory_budget = 0;  // bytes; 0: no limit
  std::vector<std::string> freeze;
  low_rank::Settings adapter;
  std::string from;  // the model it begins with; empty: none
  // Where that is a folder as hubs publish them: the model and its tokenisers are its own.
  std::shared_ptr<const published::Folder> published;
  std::string path;
  std::map<std::string, std::string> places;  // "file:line" of the keys that are there

  // Where "optimizer.beta1" was set, or just the file.
  const std::string& where(const std::string& key) const;
};

// `from`: the model to begin with, whatever the recipe says of it; empty: what that says.
Recipe read_recipe(const std::string& path, seq2seq::Families known = seq2seq::families(),
                   const std::string& from = {});

// A table of recipes but [model], with its defaults.
struct RecipeTable {
  std::string_view name, doc;
  std::vector<settings::Walk> records;
};
std::vector<RecipeTable> recipe_tables();

void fields(DataFiles& d, settings::Fields& f);
void fields(SideTokens& s, settings::Fields& f);
void fields(Rate& r, settings::Fields& f);
void fields(Limits& l, settings::Fields& f);
void fields(ValidationSettings& v, settings::Fields& f);
void fields(DivergenceSettings& d, settings::Fields& f);
void fields(RunOptions& r, settings::Fields& f);

// The model's table alone, without its family, which model folders hold too.
void read_config(settings::TomlTable& table, seq2seq::Settings& config);
std::string config_toml(const seq2seq::Settings& config);

}  // namespace weft::training

namespace weft::data {
void fields(BatchOptions& b, settings::Fields& f);
}  // namespace weft::data

namespace weft {
void fields(OptimizerSettings& o, settings::Fields& f);
}  // namespace weft
