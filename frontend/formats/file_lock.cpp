// frontend/formats/file_lock.cpp -- flock on a file that may be renamed or removed in between.
#include "frontend/formats/file_lock.h"

#include "ir/error.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weft::formats {
namespace {

bool is_at(int descriptor, const std::string& path) {
  struct stat here {
  }, there{};
  return ::fstat(descriptor, &here) == 0 && ::stat(path.c_str(), &there) == 0 &&
         here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

[[noreturn]] void refuse(const std::string& what, int error) {
  throw ir::RuntimeError(ir::concat(what, ": cannot be written to: ", std::strerror(error)));
}

}  // namespace

// Between open and lock another process may have renamed or removed the file; then it is opened
// anew.
std::optional<FileLock> FileLock::try_lock(const std::string& path, const std::string& what) {
  for (;;) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor < 0) refuse(what, errno);
    const bool locked = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
    if (locked && is_at(descriptor, path)) return FileLock(path, descriptor);
    const int error = errno;
    ::close(descriptor);
    if (locked) continue;
    if (error == EWOULDBLOCK) return std::nullopt;
    refuse(what, error);
  }
}

FileLock::FileLock(FileLock&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(other.descriptor_), remove_(other.remove_) {
  other.descriptor_ = -1;
}

FileLock::~FileLock() {
  if (descriptor_ < 0) return;
  if (remove_) ::unlink(path_.c_str());
  ::close(descriptor_);
}

}  // namespace weft::formats
