// tests/data/edit_distance_test.cpp -- Levenshtein's distance.
#include "models/metrics/edit_distance.h"

#include "models/data/random.h"

#include <doctest/doctest.h>

#include <string>

namespace weft::metrics {
namespace {

int64_t distance(const std::string& a, const std::string& b) {
  return edit_distance(std::vector<char>(a.begin(), a.end()),
                       std::vector<char>(b.begin(), b.end()));
}

TEST_CASE("edit distance: known pairs") {
  CHECK(distance("", "") == 0);
  CHECK(distance("", "abc") == 3);
  CHECK(distance("abc", "") == 3);
  CHECK(distance("abc", "abc") == 0);
  CHECK(distance("kitten", "sitting") == 3);
  CHECK(distance("intention", "execution") == 5);
  CHECK(distance("ab", "ba") == 2);
}

TEST_CASE("edit distance: whole tokens are compared") {
  const std::vector<std::string> a{"ae", "b", "ax"}, b{"ae", "ax"}, c{"a", "e", "b"};
  CHECK(edit_distance(a, b) == 1);
  CHECK(edit_distance(a, c) == 3);
}

// The definition, without its table.
int64_t plain(std::span<const int> a, std::span<const int> b) {
  if (a.empty() || b.empty()) return static_cast<int64_t>(a.size() + b.size());
  const int64_t same = a.front() == b.front() ? 0 : 1;
  return std::min({plain(a.subspan(1), b) + 1, plain(a, b.subspan(1)) + 1,
                   plain(a.subspan(1), b.subspan(1)) + same});
}

TEST_CASE("edit distance: it is what the recursion says, either way round") {
  data::Random random(4);
  const auto draw = [&] {
    std::vector<int> tokens(random.below(7));
    for (int& token : tokens) token = static_cast<int>(random.below(3));
    return tokens;
  };
  for (int i = 0; i < 200; ++i) {
    const std::vector<int> a = draw(), b = draw();
    CHECK(edit_distance(a, b) == plain(a, b));
    CHECK(edit_distance(b, a) == plain(a, b));
  }
}

}  // namespace
}  // namespace weft::metrics
