// models/data/published/special_tokens.h -- what a published model's folder says of its special and
// added tokens, gathered from all the files that say it.
//
//   tokenizer_config.json     "eos_token" and the like, "additional_special_tokens", and by id
//                             "added_tokens_decoder"
//   special_tokens_map.json   the same spellings, for folders of earlier versions
//   added_tokens.json         spellings and ids, for folders of earlier versions
//
// Files that contradict each other are a GraphError that names both.
#pragma once
#include "models/data/published/added_tokens.h"
#include "models/data/published/model_files.h"

#include <map>
#include <string>
#include <vector>

namespace weft::data::published {

struct SpecialTokens {
  // "eos_token" -> its spelling; ids are not known here.
  std::map<std::string, AddedToken> roles;
  std::vector<AddedToken> additional;  // in the order of the files, ids not known
  std::map<int32_t, AddedToken> by_id;

  // The spelling of a role, `otherwise` where the files name none.
  std::string spelling(const std::string& role, const std::string& otherwise) const;
};

SpecialTokens read_special_tokens(const ModelFiles& files);

}  // namespace weft::data::published
