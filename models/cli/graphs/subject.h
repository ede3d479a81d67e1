// models/cli/graphs/subject.h -- the training step of a recipe or a model, with the sizes and the budget of
// the command line.
#pragma once
#include "models/measure/subject.h"

#include <string>
#include <vector>

namespace weft::cli {

using measure::is_model;
using measure::Subject;

// `bind`: "T=40"; `memory_budget`: "200MB", or empty for the recipe's. Throws UsageError for symbols
// that are not B, S or T.
Subject read_subject(const std::string& what, const std::vector<std::string>& bind = {},
                     const std::string& memory_budget = {});

}  // namespace weft::cli
