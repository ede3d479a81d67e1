// models/cli/translating/line_list.h -- lines of a file that a note is about: "lines 2, 7 and 12".
#pragma once
#include <cstdint>
#include <string>

namespace weft::cli {

class LineList {
 public:
  // `detail` stands behind the number, as in "7 (2 of 5 hypotheses)".
  void add(int64_t line, const std::string& detail = {});
  bool empty() const { return count_ == 0; }
  int64_t count() const { return count_; }
  // The first ones by their numbers, the rest as a count: "lines 1, 2, 3 and 40 more".
  std::string str() const;

 private:
  int64_t count_ = 0;
  std::string shown_;
};

}  // namespace weft::cli
