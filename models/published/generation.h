// models/published/generation.h -- how a published model is asked: the settings of
// generation_config.json and config.json, with the meaning that transformers gives them.
//
// A key of generation_config.json is preferred to the same one of config.json. What neither has is
// the default of transformers, but for the length: where that would cut at 20 tokens, the limit is
// that of a search here.
#pragma once
#include "models/data/tokens/special_ids.h"
#include "models/published/config_file.h"
#include "models/search/search_options.h"

#include <string>
#include <vector>

namespace weft::published {

// A setting of a search, with what it is and where it comes from.
struct SettingOrigin {
  std::string name, value;  // "no_repeat_ngram_size", "3"
  std::string origin;       // "generation_config.json", "config.json", "default"
  std::string option;       // of a search here: "no_repeat_ngram"; empty: there is none
};

struct Generation {
  int64_t beam = 1;
  search::SearchOptions search;
  data::SpecialIds ids;  // of the target; begin is what the decoder starts with
  std::vector<SettingOrigin> origins;
};

// `generation` may be null. GraphError at the line of what is out of range or not understood.
Generation read_generation(const ConfigFile& config, const ConfigFile* generation,
                           int64_t vocabulary);

}  // namespace weft::published
