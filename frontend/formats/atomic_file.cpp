// frontend/formats/atomic_file.cpp -- temporary file, fsync, rename.
#include "frontend/formats/atomic_file.h"

#include "ir/error.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace weft::formats {
namespace {

namespace fs = std::filesystem;
using ir::concat;
using ir::RuntimeError;

[[noreturn]] void fail(const std::string& path, std::string_view what) {
  throw RuntimeError(concat(path, ": cannot ", what, ": ", std::strerror(errno)));
}

// The file that is to be replaced: a link is followed, so that it stays a link.
std::string replaced_file(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return path;
  if (!fs::is_regular_file(status))
    throw RuntimeError(concat(path, ": is not a regular file and will not be replaced"));
  const fs::path real = fs::canonical(path, error);
  return error ? path : real.string();
}

std::string folder_of(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

void sync_folder(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // the file is whole either way
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(replaced_file(path)) {
  const fs::path name = fs::path(path_).filename();
  if (name.empty() || name == "." || name == "..")
    throw RuntimeError(concat("'", path_, "' is not the name of a file"));
  const std::string stem = folder_of(path_) + "/." + name.string() + ".tmp";
  for (int i = 0; !lock_; ++i) {
    temporary_ = i == 0 ? stem : concat(stem, i);
    if (auto taken = FileLock::try_lock(temporary_, path)) lock_.emplace(std::move(*taken));
  }
  descriptor_ = lock_->descriptor();
  if (::ftruncate(descriptor_, 0) != 0) fail(path_, "write");
}

void AtomicFile::write(const void* data, size_t size) {
  const auto* from = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t count = ::pwrite(descriptor_, from, size, position_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path_, "write");
    from += count, size -= static_cast<size_t>(count), position_ += count;
  }
}

void AtomicFile::seek(int64_t offset) { position_ = offset; }

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail(path_, "write");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(path_, "replace");
  lock_->leave_file();
  lock_.reset();
  sync_folder(folder_of(path_));
}

void write_file_atomically(const std::string& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

}  // namespace weft::formats
