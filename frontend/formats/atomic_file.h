// frontend/formats/atomic_file.h -- a file that appears whole or not at all.
//
//   AtomicFile file("model.safetensors");
//   file.write(bytes, size);
//   file.commit();             // fsync, rename, fsync of the folder
//
// The bytes go to a hidden file in the same folder (`.model.safetensors.tmp`), which `commit`
// renames over the old one; without `commit` it goes with the object. The hidden file is locked
// while it is written: what a killed process left behind is taken over by the next write, and two
// processes that write the same path do not meet. A path that exists and is no regular file (a
// device, a folder) is refused. Throws RuntimeError.
#pragma once
#include "frontend/formats/file_lock.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft::formats {

class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void seek(int64_t offset);
  int64_t position() const { return position_; }

  // After this the file is there, with all that was written, even if the power fails.
  void commit();

 private:
  std::string path_, temporary_;
  std::optional<FileLock> lock_;  // of the hidden file, which goes with it
  int descriptor_ = -1;
  int64_t position_ = 0;
};

void write_file_atomically(const std::string& path, std::string_view content);

}  // namespace weft::formats
