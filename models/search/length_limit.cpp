// models/search/length_limit.cpp -- reading and applying limits.
#include "models/search/length_limit.h"

#include "ir/error.h"

#include <algorithm>
#include <charconv>

namespace weft::search {
namespace {

constexpr double kMostPerToken = 1000;
constexpr int64_t kMostPlus = 1'000'000;

// The whole of `text` as a number.
template <typename T>
bool read(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

int64_t LengthLimit::of(int64_t source) const {
  return std::max<int64_t>(1, static_cast<int64_t>(per_token * static_cast<double>(source)) + plus);
}

void check(const LengthLimit& limit) {
  if (!(limit.per_token >= 0 && limit.per_token <= kMostPerToken))
    throw ir::GraphError(ir::concat("a limit of ", limit.per_token,
                                    " tokens for each of the source, needed is 0 to ",
                                    kMostPerToken));
  if (limit.plus < 0 || limit.plus > kMostPlus)
    throw ir::GraphError(
        ir::concat("a limit of ", limit.plus, " tokens, needed is 0 to ", kMostPlus));
  if (limit.per_token == 0 && limit.plus == 0)
    throw ir::GraphError("a limit of 0 tokens leaves nothing to search");
}

LengthLimit length_limit_named(std::string_view text) {
  LengthLimit limit{.per_token = 0, .plus = 0};
  const size_t x = text.find('x');
  bool read_all = false;
  if (x == std::string_view::npos) {
    read_all = read(text, limit.plus);
  } else {
    const std::string_view rest = text.substr(x + 1);
    read_all = read(text.substr(0, x), limit.per_token) &&
               (rest.empty() || (rest[0] == '+' && read(rest.substr(1), limit.plus)));
  }
  if (!read_all)
    throw ir::GraphError(ir::concat("'", text,
                                    "' is no limit of length; it is written as 200 (tokens), 3x "
                                    "(times the source's) or 2x+10"));
  check(limit);
  return limit;
}

std::string str(const LengthLimit& limit) {
  if (limit.per_token == 0) return std::to_string(limit.plus);
  return ir::concat(limit.per_token, "x", limit.plus > 0 ? ir::concat("+", limit.plus) : "");
}

}  // namespace weft::search
