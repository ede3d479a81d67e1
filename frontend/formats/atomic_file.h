// frontend/formats/atomic_file.h -- a file that appears whole or not at all.
//
//   AtomicFile file("model.safetensors");
//   file.write(bytes, size);
//   file.commit();             // fsync, rename, fsync of the folder
//
// The bytes go to a hidden file in the same folder (`.model.safetensors.tmp`), which `commit`
// renames over the old one; without `commit` it goes with the object. The hidden file is locked
// while it is written: what a killed process left behind is taken over by the next write, and two
// processes that write the same path do not meet. A link stays a link: what it points to is
// written. A file that is replaced keeps its permissions.
//
// A pipe, a device, an open file (/dev/stdout, /dev/fd/3) and "-", standard output, cannot be
// replaced: they are written to by `commit`, all at once. A folder is refused. Throws RuntimeError
// that begins with the path, and ReaderGone where whoever read standard output has gone away.
#pragma once
#include "frontend/formats/file_lock.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft::formats {

// Whoever reads standard output has gone away: nothing more to do, and no fault of anybody's.
struct ReaderGone {};

class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(const void* data, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void seek(int64_t offset);
  int64_t position() const { return position_; }

  // After this the file is there, with all that was written, even if the power fails.
  void commit();

 private:
  void create_temporary();

  std::string name_;  // as it was given, for messages
  std::string path_, temporary_;
  std::optional<FileLock> lock_;  // of the hidden file, which goes with it
  int descriptor_ = -1;
  int64_t position_ = 0;
  bool in_place_ = false;  // not to be replaced
  std::string content_;    // for it
};

void write_file_atomically(const std::string& path, std::string_view content);

// All of it, however many writes that takes. `name` begins the message of the RuntimeError.
void write_all(int descriptor, std::string_view bytes, const std::string& name);

}  // namespace weft::formats
