// frontend/formats/decompression.h -- bytes as they were before gzip (RFC 1952) or Zstandard (RFC 8878)
// packed them, told by how they begin, not by the file's name.
//
// Bytes that begin as neither pass as they are: no UTF-8 text begins like either. Several members or
// frames, one behind the other, are one text. What is cut off or damaged is a GraphError that begins
// with the source's name.
#pragma once
#include "frontend/formats/byte_source.h"

#include <cstddef>
#include <memory>
#include <streambuf>
#include <string>

namespace weft::formats {

class DecompressedSource {
 public:
  explicit DecompressedSource(ByteSource source);
  DecompressedSource(DecompressedSource&&) noexcept;
  ~DecompressedSource();

  // At most `size` bytes; 0 at the end. Waits for no more than tells how the bytes begin.
  size_t read(void* data, size_t size);
  const std::string& name() const;

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

// The same as a stream's buffer.
class SourceBuffer : public std::streambuf {
 public:
  explicit SourceBuffer(DecompressedSource source);

 protected:
  int_type underflow() override;

 private:
  static constexpr size_t kBytes = 1 << 16;
  DecompressedSource source_;
  std::unique_ptr<char[]> bytes_;
};

}  // namespace weft::formats
