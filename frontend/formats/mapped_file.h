// frontend/formats/mapped_file.h -- a regular file as memory that is read when it is touched.
//
// Pages stay in memory as long as nothing else needs it, and count as this process's own: who walks
// through a large file says what is no longer needed. A file that another one replaces stays as it
// was; one that is cut while it is mapped ends the process where its pages are touched.
#pragma once
#include "frontend/formats/input_file.h"

#include <cstdint>
#include <string>

namespace weft::formats {

class MappedFile {
 public:
  // Throws GraphError "path: ...".
  explicit MappedFile(const std::string& path);
  // Of a regular file that is open. What is written into it stays in this process.
  explicit MappedFile(const InputFile& file);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  const char* data() const { return data_; }
  char* writable() const { return data_; }  // of a file that was open
  int64_t size() const { return size_; }

  void will_need(int64_t offset, int64_t size) const;  // is read ahead
  void release(int64_t offset, int64_t size) const;    // touched again, it is read again

 private:
  char* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace weft::formats
