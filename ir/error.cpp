// ir/error.cpp -- messages put together from their parts.
#include "ir/error.h"

#include <cstdio>

namespace weft::ir {

std::string text_of(int64_t number) { return std::to_string(number); }
std::string text_of(uint64_t number) { return std::to_string(number); }
std::string text_of(char character) { return std::string(1, character); }

std::string text_of(double number) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%g", number);
  return buffer;
}

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

}  // namespace weft::ir
