// frontend/formats/digest.cpp -- XXH64: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
#include "frontend/formats/digest.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>

namespace weft::formats {
namespace {

constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87, kPrime2 = 0xC2B2AE3D27D4EB4F,
                   kPrime3 = 0x165667B19E3779F9, kPrime4 = 0x85EBCA77C2B2AE63,
                   kPrime5 = 0x27D4EB2F165667C5;

template <typename T>
T read(const unsigned char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

uint64_t round(uint64_t lane, uint64_t input) {
  return std::rotl(lane + input * kPrime2, 31) * kPrime1;
}

}  // namespace

void Digest::mix(const unsigned char* block) {
  for (size_t i = 0; i < 4; ++i) lanes_[i] = round(lanes_[i], read<uint64_t>(block + 8 * i));
}

void Digest::add(const void* data, size_t size) {
  const auto* from = static_cast<const unsigned char*>(data);
  size_t filled = size_ % kBlock;
  size_ += size;
  while (size > 0) {
    if (filled == 0 && size >= kBlock) {
      mix(from);
      from += kBlock, size -= kBlock;
      continue;
    }
    const size_t taken = std::min(kBlock - filled, size);
    std::memcpy(rest_ + filled, from, taken);
    from += taken, size -= taken, filled += taken;
    if (filled < kBlock) break;
    mix(rest_);
    filled = 0;
  }
}

void Digest::add_text(std::string_view text) {
  const uint64_t size = text.size();
  add(&size, sizeof size);
  add(text.data(), text.size());
}

uint64_t Digest::value() const {
  uint64_t h = kPrime5;
  if (size_ >= kBlock) {
    h = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) +
        std::rotl(lanes_[3], 18);
    for (const uint64_t lane : lanes_) h = (h ^ round(0, lane)) * kPrime1 + kPrime4;
  }
  h += size_;
  const unsigned char *at = rest_, *end = rest_ + size_ % kBlock;
  for (; end - at >= 8; at += 8)
    h = std::rotl(h ^ round(0, read<uint64_t>(at)), 27) * kPrime1 + kPrime4;
  if (end - at >= 4) {
    h = std::rotl(h ^ read<uint32_t>(at) * kPrime1, 23) * kPrime2 + kPrime3;
    at += 4;
  }
  for (; at < end; ++at) h = std::rotl(h ^ *at * kPrime5, 11) * kPrime1;
  h = (h ^ h >> 33) * kPrime2;
  h = (h ^ h >> 29) * kPrime3;
  return h ^ h >> 32;
}

std::string Digest::str() const {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value()));
  return text;
}

std::string digest_of(std::string_view bytes) {
  Digest d;
  d.add(bytes.data(), bytes.size());
  return d.str();
}

}  // namespace weft::formats
