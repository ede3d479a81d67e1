// frontend/formats/input_file.h -- bytes read by position.
//
// What is no regular file (a pipe, a device, "-" for standard input) is read into memory as far as
// it is asked for. Every error is a GraphError that begins with the name.
#pragma once
#include "frontend/formats/byte_source.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace weft::formats {

class InputFile {
 public:
  explicit InputFile(const std::string& path);

  const std::string& path() const { return source_.name(); }
  // Of a pipe: all of it is read then, GraphError if that is more than `most` bytes.
  int64_t size(int64_t most = kMost) const;
  bool is_regular() const { return source_.file_size().has_value(); }
  int descriptor() const { return source_.descriptor(); }

  // Exactly `size` bytes from `offset`.
  void read(int64_t offset, void* data, int64_t size) const;
  std::string read_text(int64_t offset, int64_t size) const;
  // Its first bytes, fewer where it is shorter. Reads no more than that.
  std::string head(int64_t size) const;
  // Does it begin with this? Reads no more than that.
  bool starts_with(std::string_view text) const;
  // Of what is no regular file, all of it; of a regular one nothing.
  const std::string& content() const { return content_; }

 private:
  static constexpr int64_t kMost = int64_t{1} << 33;

  int64_t available(int64_t wanted) const;  // the bytes there are; of a pipe, at least so many
  void check(int64_t offset, int64_t size) const;

  mutable ByteSource source_;
  mutable std::string content_;  // so far
  mutable bool ended_ = false;
};

// The whole of a text file: at most `max_bytes` long, UTF-8, a byte order mark stripped.
std::string read_text_file(const std::string& path, int64_t max_bytes = int64_t{64} << 20);

}  // namespace weft::formats
