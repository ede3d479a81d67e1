// frontend/formats/file_lock.h -- a file that one process holds at a time.
//
// The lock (flock) ends with the process, however it ends; the file goes when the lock is given up,
// and what a killed process left behind is taken over.
#pragma once
#include <optional>
#include <string>

namespace weft::formats {

class FileLock {
 public:
  // Makes the file where it is not there. Nothing where another process holds it; RuntimeError,
  // "WHAT: cannot be written to: ...", where it cannot be made.
  static std::optional<FileLock> try_lock(const std::string& path, const std::string& what);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

  int descriptor() const { return descriptor_; }
  // The file stays: renamed, it is another one.
  void leave_file() { remove_ = false; }

 private:
  FileLock(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_;
  bool remove_ = true;
};

}  // namespace weft::formats
