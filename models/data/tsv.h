// models/data/tsv.h -- examples from a text file: `source<TAB>target`, tokens separated by spaces.
//
// Every line is one example; its id is the line's number, from 1. A line without exactly one tab,
// with an empty side, too many tokens or a control character, and a file without lines, are
// GraphErrors at "path:line".
#pragma once
#include "models/data/corpus.h"

#include <string>

namespace weft::data {

struct TsvOptions {
  int64_t max_tokens = 1000;                  // of either side
  int64_t max_line_bytes = int64_t{1} << 20;  // of one line
};

Examples read_tsv(const std::string& path, const TsvOptions& options = {});

}  // namespace weft::data
