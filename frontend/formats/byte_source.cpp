// frontend/formats/byte_source.cpp -- opening, waiting for a writer, reading.
#include "frontend/formats/byte_source.h"

#include "ir/error.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

namespace weft::formats {
namespace {

using ir::concat;
using ir::GraphError;

constexpr int kPatience = 5000;  // milliseconds

// There is one standard input, and what was read of it is gone.
std::atomic<bool> standard_input_taken = false;

int opened(const std::string& path, const std::string& name) {
  // Without O_NONBLOCK opening a pipe would wait for its writer, however long that takes.
  const int descriptor = path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                     : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) throw GraphError(concat(name, ": cannot open: ", std::strerror(errno)));
  return descriptor;
}

}  // namespace

std::string input_name(const std::string& path) { return path == "-" ? "standard input" : path; }

void require_regular(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    const int why = errno;
    const bool leads_nowhere =
        why == ENOENT && ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
    throw GraphError(concat(path,
                            leads_nowhere ? ": is a link to what is not there" : ": cannot open: ",
                            leads_nowhere ? "" : std::strerror(why)));
  }
  const mode_t kind = status.st_mode & S_IFMT;
  if (kind == S_IFREG) return;
  throw GraphError(concat(path, ": is a ",
                          kind == S_IFDIR    ? "folder"
                          : kind == S_IFIFO  ? "pipe"
                          : kind == S_IFSOCK ? "socket"
                                             : "device",
                          ", a file is needed"));
}

ByteSource::ByteSource(const std::string& path) : name_(input_name(path)) {
  if (path == "-" && standard_input_taken.exchange(true))
    throw GraphError("standard input is to be read twice; name a file for one of the two");
  descriptor_ = opened(path, name_);
  struct stat status {};
  const bool known = ::fstat(descriptor_, &status) == 0;
  try {
    if (known && S_ISDIR(status.st_mode)) throw GraphError(name_ + ": is a folder");
    if (known && S_ISREG(status.st_mode) && path != "-") file_size_ = status.st_size;
    if (path == "-") return;
    if (known && S_ISFIFO(status.st_mode)) wait_for_a_writer();
    ::fcntl(descriptor_, F_SETFL, ::fcntl(descriptor_, F_GETFL) & ~O_NONBLOCK);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

// A pipe without a writer reads as ended; one whose writer has nothing to say yet does not.
void ByteSource::wait_for_a_writer() {
  pollfd waiting{descriptor_, POLLIN, 0};
  if (::poll(&waiting, 1, kPatience) > 0) return;
  char byte = 0;
  const ssize_t count = ::read(descriptor_, &byte, 1);
  if (count == 0) throw GraphError(name_ + ": is a pipe into which nobody writes");
  if (count == 1) first_ = byte;
}

ByteSource::ByteSource(ByteSource&& other) noexcept
    : name_(std::move(other.name_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      file_size_(other.file_size_),
      first_(other.first_) {}

ByteSource::~ByteSource() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

size_t ByteSource::read(void* data, size_t size) {
  if (first_ && size > 0) {
    *static_cast<char*>(data) = *std::exchange(first_, std::nullopt);
    return 1;
  }
  for (;;) {
    const ssize_t count = ::read(descriptor_, data, size);
    if (count >= 0) return static_cast<size_t>(count);
    if (errno == EAGAIN) {  // standard input may have been left like this by another process
      pollfd waiting{descriptor_, POLLIN, 0};
      ::poll(&waiting, 1, -1);
    } else if (errno != EINTR) {
      throw GraphError(concat(name_, ": cannot read: ", std::strerror(errno)));
    }
  }
}

}  // namespace weft::formats
