// models/data/published/languages.h -- the languages of models that were trained for many, in the
// order of their ids, where folders do not list them.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace weft::data::published {

// "mbart" (Liu et al. 2020), "mbart50" (Tang et al. 2020), "m2m100" (Fan et al. 2020), "wmt21" (Tran et
// al. 2021), "nllb" (NLLB Team 2022). GraphError for others.
std::vector<std::string> languages_of(std::string_view models);

}  // namespace weft::data::published
