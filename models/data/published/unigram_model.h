// models/data/published/unigram_model.h -- pieces and their log-probabilities (Kudo 2018).
#pragma once
#include "models/data/published/word_model.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weft::data::published {

struct UnigramSettings {
  std::vector<std::pair<std::string, double>> pieces = {};  // by id
  std::optional<int64_t> unknown = {};
  bool byte_fallback = false;
};

// GraphError where there are no pieces, or the unknown one is none of them.
std::unique_ptr<const WordModel> unigram_model(UnigramSettings settings, const std::string& where);

}  // namespace weft::data::published
