// frontend/formats/digest.h -- 64 bits that tell whether bytes have changed.
//
//   Digest d;
//   d.add(bytes, size);
//   d.str();                   // "44bc2cf5ad770999"
//
// XXH64 with seed 0: against flipped bits and files that do not belong together, not against people.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weft::formats {

class Digest {
 public:
  void add(const void* data, size_t size);
  // With its length, so that "ab", "c" is not "a", "bc".
  void add_text(std::string_view text);

  uint64_t value() const;   // of all that was added
  std::string str() const;  // 16 hexadecimal digits

 private:
  void mix(const unsigned char* block);

  static constexpr size_t kBlock = 32;
  uint64_t lanes_[4] = {0x60EA27EEADC0B5D6, 0xC2B2AE3D27D4EB4F, 0, 0x61C8864E7A143579};
  uint64_t size_ = 0;
  unsigned char rest_[kBlock] = {};  // what does not fill a block yet
};

std::string digest_of(std::string_view bytes);

}  // namespace weft::formats
