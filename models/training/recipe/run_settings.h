// models/training/recipe/run_settings.h -- what the steps of a run depend on, by the keys of recipes.
//
// A checkpoint keeps them. A run that goes on from it and differs in one is refused, or says so.
#pragma once
#include "frontend/compile/optimizer.h"
#include "ir/error.h"
#include "ir/precision.h"
#include "models/data/batching.h"
#include "models/families/low_rank.h"
#include "models/families/seq2seq.h"
#include "models/training/divergence.h"
#include "models/training/log/scores.h"
#include "models/training/schedule.h"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::training {

using RunSettings = std::map<std::string, std::string>;  // "optimizer.kind": "adam"

// Of what a model folder holds itself: model.* and training.seed.
RunSettings settings_of(const seq2seq::Settings& config);
RunSettings settings_of(const OptimizerSettings& optimizer, const Rate& rate, const Limits& limits);
// What patience, the schedule and the best model are judged by; nothing where that is the loss.
RunSettings settings_of(const ValidationSettings& validation);
// Nothing where a run that diverges stops.
RunSettings settings_of(const DivergenceSettings& divergence);
// Nothing where it is f32.
RunSettings settings_of(ir::Precision precision);
// Nothing where nothing is adapted.
RunSettings settings_of(const low_rank::Settings& adapter);
// "data.train" and "data.valid" are digests.
RunSettings settings_of(const data::BatchOptions& batch, const data::ExampleStore& train,
                        const data::ExampleStore& valid);

struct DataFiles;
struct SideTokens;
// How text becomes tokens, as far as it is not by words, which their vocabularies tell.
RunSettings settings_of(const DataFiles& data, const SideTokens& tokens);

struct SettingChange {
  std::string key, before, now;  // empty: was not, or is not, a setting

  std::string str() const;  // "optimizer.kind was adam, is sgd"
};

// Where `now` differs from `before`, in the order of the keys.
std::vector<SettingChange> changes(const RunSettings& before, const RunSettings& now);

// Must it stay as it was, because the state or the place in the data would have no meaning?
bool is_fixed(std::string_view key);

// A run was to go on with settings that must stay as they were.
struct OtherRun : ir::GraphError {
  OtherRun(const std::string& folder, std::vector<SettingChange> changed);

  static std::string text(const std::vector<SettingChange>& changed);

  std::vector<SettingChange> changed;
};

}  // namespace weft::training
