// frontend/formats/input_file.cpp -- reading by position, and whole text files.
#include "frontend/formats/input_file.h"

#include "frontend/formats/text.h"
#include "ir/error.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace weft::formats {

using ir::concat;
using ir::GraphError;

InputFile::InputFile(std::string path) : path_(std::move(path)) {
  // Without O_NONBLOCK opening a pipe would wait for its writer.
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) throw GraphError(concat(path_, ": cannot open: ", std::strerror(errno)));
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    throw GraphError(concat(path_, ": is not a regular file"));
  }
  size_ = status.st_size;
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_) {}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void InputFile::read(int64_t offset, void* data, int64_t size) const {
  if (offset < 0 || size < 0 || offset > size_ || size > size_ - offset)
    throw GraphError(concat(path_, ": ends at byte ", size_, ", but bytes ", offset, " and the ",
                            size, " from there are needed"));
  auto* to = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t count = ::pread(descriptor_, to, static_cast<size_t>(size), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw GraphError(concat(path_, ": cannot read: ", std::strerror(errno)));
    if (count == 0) throw GraphError(concat(path_, ": became shorter while it was read"));
    to += count, offset += count, size -= count;
  }
}

std::string InputFile::read_text(int64_t offset, int64_t size) const {
  if (size < 0 || size > size_) read(offset, nullptr, size);  // says what is wrong
  std::string text(static_cast<size_t>(size), '\0');
  read(offset, text.data(), size);
  return text;
}

std::string read_text_file(const std::string& path, int64_t max_bytes) {
  const InputFile file(path);
  if (file.size() > max_bytes)
    throw GraphError(
        concat(path, ": has ", file.size(), " bytes, at most ", max_bytes, " are accepted"));
  std::string text = file.read_text(0, file.size());
  if (const size_t bad = find_malformed_utf8(text); bad != std::string::npos) {
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(bad), '\n');
    throw GraphError(concat(path, ":", line, ": is not UTF-8"));
  }
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  return text;
}

}  // namespace weft::formats
