// frontend/formats/input_file.h -- a regular file whose size is known and which is read by
// position.
//
// Every error is a GraphError that begins with the path.
#pragma once
#include <cstdint>
#include <string>

namespace weft::formats {

class InputFile {
 public:
  explicit InputFile(std::string path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  const std::string& path() const { return path_; }
  int64_t size() const { return size_; }

  // Exactly `size` bytes from `offset`.
  void read(int64_t offset, void* data, int64_t size) const;
  std::string read_text(int64_t offset, int64_t size) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
};

// The whole of a text file: regular, at most `max_bytes` long, UTF-8, a byte order mark stripped.
std::string read_text_file(const std::string& path, int64_t max_bytes = int64_t{64} << 20);

}  // namespace weft::formats
