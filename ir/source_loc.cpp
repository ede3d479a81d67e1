// ir/source_loc.cpp -- lines of the user's: where we are, and as text.
#include "ir/source_loc.h"

#include <string_view>

namespace weft::ir {

SourceLoc SourceLoc::here(const char* file, int line) {
  const std::string_view path = file;
  const size_t slash = path.rfind('/');
  return {std::string(slash == path.npos ? path : path.substr(slash + 1)), line};
}

std::string SourceLoc::str() const {
  return known() ? file + ":" + std::to_string(line) : std::string();
}

}  // namespace weft::ir
