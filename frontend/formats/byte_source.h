// frontend/formats/byte_source.h -- the bytes of what a path names, one after the other: of a file,
// a link, a pipe, a device, or standard input ("-").
//
// Throws GraphError beginning with the name where there is nothing to read: a missing file, a
// folder, a pipe that nobody opens for writing within a few seconds, standard input asked for a
// second time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace weft::formats {

// How a path is called in messages: itself, or "standard input" for "-".
std::string input_name(const std::string& path);

// GraphError "path: is a pipe, a file is needed", and the like, unless it is a regular file or leads
// to one. Opens nothing.
void require_regular(const std::string& path);

class ByteSource {
 public:
  explicit ByteSource(const std::string& path);
  ByteSource(ByteSource&& other) noexcept;
  ByteSource& operator=(ByteSource&&) = delete;
  ~ByteSource();

  // At most `size` bytes; 0 at the end.
  size_t read(void* data, size_t size);

  const std::string& name() const { return name_; }
  // Of a regular file, which can be read by position too; nullopt for everything else.
  std::optional<int64_t> file_size() const { return file_size_; }
  int descriptor() const { return descriptor_; }

 private:
  void wait_for_a_writer();

  std::string name_;
  int descriptor_ = -1;
  std::optional<int64_t> file_size_;
  std::optional<char> first_;  // a byte read while waiting for a writer
};

}  // namespace weft::formats
