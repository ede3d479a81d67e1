// models/data/tsv.h -- examples from a text file: `source<TAB>target`.
//
// Every line is one example; its id is the line's number, from 1. A line without exactly one tab,
// with an empty side or a control character, and a file without lines, are GraphErrors at
// "path:line". Spaces at either end of a side are not part of it.
#pragma once
#include "models/data/corpus.h"

#include <memory>
#include <optional>
#include <string>

namespace weft::data {

struct TsvOptions {
  int64_t max_line_bytes = int64_t{1} << 20;  // of one line
};

Examples read_tsv(const std::string& path, const TsvOptions& options = {});

// Such a file, read line by line and as often as it is asked for. What is no regular file is kept in
// memory.
class TsvFile {
 public:
  explicit TsvFile(std::string path, const TsvOptions& options = {});

  const std::string& path() const { return path_; }
  NextExample examples() const;  // from the first on
  // Of its bytes; nothing where it is no regular file.
  std::optional<std::string> digest() const;

 private:
  std::string path_;
  TsvOptions options_;
  std::shared_ptr<const Examples> kept_;
};

// 16 hexadecimal digits of a file's bytes.
std::string file_digest(const std::string& path);

}  // namespace weft::data
