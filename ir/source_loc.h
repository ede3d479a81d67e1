// ir/source_loc.h -- a line of the user's, remembered by every node.
#pragma once
#include <string>

namespace weft::ir {

struct SourceLoc {
  std::string file;
  int line = 0;

  // As the default value of a function's last parameter this is the caller's line.
  static SourceLoc here(const char* file = __builtin_FILE(), int line = __builtin_LINE());

  bool known() const { return line > 0; }
  std::string str() const;
  bool operator==(const SourceLoc&) const = default;
};

}  // namespace weft::ir
