// ir/error.h -- the two ways in which something outside Weft can be wrong.
//
// GraphError: the user's graph or data. RuntimeError: the environment. Faults of Weft's own are
// WEFT_CHECK (ir/check.h). Messages start in lower case and have no full stop.
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>

namespace weft::ir {

struct GraphError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct RuntimeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// concat("axis ", 3, " of ", shape): anything with operator<< or str().
template <typename... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  const auto put = [&out](const auto& part) {
    if constexpr (requires { part.str(); })
      out << part.str();
    else
      out << part;
  };
  (put(parts), ...);
  return out.str();
}

}  // namespace weft::ir
