// models/data/random.cpp -- Philox numbers, block by block.
#include "models/data/random.h"

#include "ir/check.h"

#include <Random123/philox.h>

#include <cmath>
#include <numbers>

namespace weft::data {
namespace {

std::array<uint32_t, 4> philox(uint64_t key, uint64_t low, uint64_t high) {
  const auto upper = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
  const auto lower = [](uint64_t x) { return static_cast<uint32_t>(x); };
  const r123::Philox4x32::ctr_type counter{{lower(low), upper(low), lower(high), upper(high)}};
  const r123::Philox4x32::key_type seed{{lower(key), upper(key)}};
  const auto out = r123::Philox4x32()(counter, seed);
  return {out[0], out[1], out[2], out[3]};
}

}  // namespace

uint32_t Random::next() {
  if (left_ == 0) {
    numbers_ = philox(seed_, block_++, stream_);
    left_ = 4;
  }
  return numbers_[static_cast<size_t>(4 - left_--)];
}

uint64_t Random::below(uint64_t bound) {
  WEFT_CHECK(bound > 0);
  const uint64_t excess =
      (0 - bound) % bound;  // 2^64 mod bound: these lowest numbers are drawn again
  for (;;) {
    const uint64_t high = next();
    const uint64_t drawn = high << 32 | next();
    if (drawn >= excess) return drawn % bound;
  }
}

double Random::uniform() {
  const uint64_t high = next();
  return static_cast<double>((high << 32 | next()) >> 11) * 0x1p-53;
}

double Random::normal() {  // Box and Muller
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

uint64_t hash(uint64_t seed, std::string_view text) {
  uint64_t digest = 0xCBF29CE484222325;  // FNV-1a gathers, Philox mixes
  for (const char c : text) digest = (digest ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  const auto mixed = philox(seed, digest, text.size());
  return static_cast<uint64_t>(mixed[0]) << 32 | mixed[1];
}

double share(uint64_t seed, std::string_view text) {
  return static_cast<double>(hash(seed, text) >> 11) * 0x1p-53;
}

}  // namespace weft::data
