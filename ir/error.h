// ir/error.h -- the two ways in which something outside Weft can be wrong.
//
// GraphError: the user's graph or data. RuntimeError: the environment. Faults of Weft's own are
// WEFT_CHECK (ir/check.h). Messages start in lower case and have no full stop.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace weft::ir {

struct GraphError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct RuntimeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// One part of a message as text: what is text already, has str(), or is a character or a number.
std::string text_of(int64_t number);
std::string text_of(uint64_t number);
std::string text_of(double number);  // six digits
std::string text_of(char character);
std::string joined(std::initializer_list<std::string_view> parts);

// concat("axis ", 3, " of ", shape)
template <typename... Parts>
std::string concat(const Parts&... parts) {
  const auto text = [](const auto& part) {
    using Part = std::decay_t<decltype(part)>;
    if constexpr (std::is_convertible_v<const Part&, std::string_view>)
      return std::string_view(part);
    else if constexpr (requires { part.str(); })
      return part.str();
    else if constexpr (std::is_same_v<Part, char> || std::is_floating_point_v<Part>)
      return text_of(part);
    else if constexpr (std::is_signed_v<Part>)
      return text_of(int64_t{part});
    else
      return text_of(uint64_t{part});
  };
  return joined({text(parts)...});
}

}  // namespace weft::ir
