// tests/formats/digest_test.cpp -- XXH64 against values of its reference implementation.
#include "frontend/formats/digest.h"

#include <doctest/doctest.h>

#include <string>

namespace weft::formats {
namespace {

TEST_CASE("digest: the values of XXH64 with seed 0") {
  CHECK(digest_of("") == "ef46db3751d8e999");
  CHECK(digest_of("a") == "d24ec4f1a98c6e5b");
  CHECK(digest_of("abc") == "44bc2cf5ad770999");
  CHECK(digest_of("Nobody inspects the spammish repetition") == "fbcea83c8a378bf1");
}

TEST_CASE("digest: bytes may come in any pieces, and each bit counts") {
  std::string bytes;
  for (int i = 0; i < 150; ++i) bytes += static_cast<char>(i * 37);
  for (size_t piece = 1; piece < 70; ++piece) {
    Digest d;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      const std::string part = bytes.substr(at, piece);
      d.add(part.data(), part.size());
    }
    CHECK(d.str() == digest_of(bytes));
  }
  for (size_t i = 0; i < 8 * bytes.size(); ++i) {
    std::string flipped = bytes;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << i % 8));
    CHECK(digest_of(flipped) != digest_of(bytes));
  }
}

}  // namespace
}  // namespace weft::formats
