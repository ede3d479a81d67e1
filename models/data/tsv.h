// models/data/tsv.h -- examples from a text file: `source<TAB>target`.
//
// Every line is one example; its id is the line's number, from 1. A line without exactly one tab,
// with an empty side or a control character, and a file without lines, are GraphErrors at
// "path:line". Spaces at either end of a side are not part of it.
#pragma once
#include "models/data/corpus.h"

#include <string>

namespace weft::data {

struct TsvOptions {
  int64_t max_line_bytes = int64_t{1} << 20;  // of one line
};

Examples read_tsv(const std::string& path, const TsvOptions& options = {});

}  // namespace weft::data
