// frontend/formats/atomic_file.cpp -- temporary file, fsync, rename; pipes and devices in place.
#include "frontend/formats/atomic_file.h"

#include "ir/error.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <thread>

namespace weft::formats {
namespace {

namespace fs = std::filesystem;
using ir::concat;
using ir::RuntimeError;

constexpr std::chrono::seconds kPatience{5};
constexpr size_t kLongestName = 255;  // of a file, in Linux

[[noreturn]] void fail(const std::string& name, std::string_view what, int error = errno) {
  throw RuntimeError(concat(name, ": cannot ", what, ": ", std::strerror(error)));
}

// What is to be written, found by following links, to files that are not there yet as well.
struct Target {
  fs::path path;
  std::optional<int> descriptor;  // a file that is open already: /dev/stdout, /proc/self/fd/3
};

Target followed(const std::string& name) {
  constexpr int kMostLinks = 40;
  Target at{name, {}};
  std::error_code error;
  for (int links = 0; fs::is_symlink(at.path, error); ++links) {
    if (links == kMostLinks) fail(name, "write", ELOOP);
    const fs::path folder = at.path.has_parent_path() ? at.path.parent_path() : fs::path(".");
    const fs::path real = fs::canonical(folder, error);
    const std::string digits = at.path.filename().string();
    int descriptor = -1;
    const auto [end, bad] =
        std::from_chars(digits.data(), digits.data() + digits.size(), descriptor);
    if (!error && bad == std::errc() && end == digits.data() + digits.size() &&
        real == fs::canonical("/proc/self/fd", error))
      return {at.path, descriptor};
    const fs::path next = fs::read_symlink(at.path, error);
    if (error) fail(name, "write", error.value());
    at.path = next.is_absolute() ? next : folder / next;
  }
  return at;
}

std::string folder_of(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

// A pipe without a reader cannot be opened for writing without waiting for one.
int open_in_place(const std::string& path, const std::string& name) {
  const auto start = std::chrono::steady_clock::now();
  for (;;) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor >= 0) {
      ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) & ~O_NONBLOCK);
      return descriptor;
    }
    if (errno != ENXIO) fail(name, "write");
    if (std::chrono::steady_clock::now() - start > kPatience)
      throw RuntimeError(name + ": is a pipe that nobody reads");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void sync_folder(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // the file is whole either way
  ::fsync(descriptor);
  ::close(descriptor);
}

// ".NAME.tmp", of a name so long that there is no room for more, ".HASH.tmp".
std::string temporary_name(const std::string& name) {
  constexpr size_t kAdded = 10;  // dot, suffix and a number
  if (name.size() + kAdded <= kLongestName) return "." + name + ".tmp";
  return concat(".", std::hash<std::string>()(name), ".tmp");
}

}  // namespace

void write_all(int descriptor, std::string_view bytes, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd waiting{descriptor, POLLOUT, 0};
      ::poll(&waiting, 1, -1);
    } else if (errno == EPIPE && descriptor == STDOUT_FILENO) {
      throw ReaderGone();
    } else if (errno != EINTR) {
      fail(name, "write");
    }
  }
}

AtomicFile::AtomicFile(const std::string& path) : name_(path) {
  if (path == "-") {
    name_ = "standard output";
    in_place_ = true, descriptor_ = STDOUT_FILENO;
    return;
  }
  const Target target = followed(path);
  path_ = target.path.string();
  if (target.descriptor) {
    in_place_ = true;
    descriptor_ = *target.descriptor == STDOUT_FILENO
                      ? STDOUT_FILENO
                      : ::fcntl(*target.descriptor, F_DUPFD_CLOEXEC, 3);
    if (descriptor_ < 0) fail(name_, "write");
    return;
  }
  std::error_code error;
  const fs::file_status status = fs::status(target.path, error);
  if (fs::is_directory(status)) throw RuntimeError(name_ + ": is a folder, not a file to write");
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    in_place_ = true;
    descriptor_ = open_in_place(path_, name_);
    return;
  }
  create_temporary();
}

void AtomicFile::create_temporary() {
  const std::string file = fs::path(path_).filename().string();
  if (file.empty() || file == "." || file == "..")
    throw RuntimeError(concat("'", name_, "' is not the name of a file"));
  if (file.size() > kLongestName) fail(name_, "write", ENAMETOOLONG);
  const std::string stem = folder_of(path_) + "/" + temporary_name(file);
  for (int i = 0; !lock_; ++i) {
    temporary_ = i == 0 ? stem : concat(stem, i);
    if (auto taken = FileLock::try_lock(temporary_, name_)) lock_.emplace(std::move(*taken));
  }
  descriptor_ = lock_->descriptor();
  struct stat old {};
  const bool replaces = ::stat(path_.c_str(), &old) == 0;
  if (::ftruncate(descriptor_, 0) != 0 ||
      (replaces && ::fchmod(descriptor_, old.st_mode & 07777) != 0))
    fail(name_, "write");
}

AtomicFile::~AtomicFile() {
  if (in_place_ && descriptor_ > STDERR_FILENO) ::close(descriptor_);
}

void AtomicFile::write(const void* data, size_t size) {
  const auto* from = static_cast<const char*>(data);
  if (in_place_) {
    const auto at = static_cast<size_t>(position_);
    content_.resize(std::max(content_.size(), at + size));
    std::copy_n(from, size, content_.data() + at);
    position_ += static_cast<int64_t>(size);
    return;
  }
  while (size > 0) {
    const ssize_t count = ::pwrite(descriptor_, from, size, position_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(name_, "write");
    from += count, size -= static_cast<size_t>(count), position_ += count;
  }
}

void AtomicFile::seek(int64_t offset) { position_ = offset; }

void AtomicFile::commit() {
  if (in_place_) {
    write_all(descriptor_, content_, name_);
    content_.clear();
    return;
  }
  if (::fsync(descriptor_) != 0) fail(name_, "write");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(name_, "replace");
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
