// frontend/formats/input_file.cpp -- reading by position, and whole text files.
#include "frontend/formats/input_file.h"

#include "frontend/formats/text.h"
#include "ir/error.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace weft::formats {

using ir::concat;
using ir::GraphError;

InputFile::InputFile(const std::string& path) : source_(path) {}

int64_t InputFile::available(int64_t wanted) const {
  if (is_regular()) return *source_.file_size();
  constexpr size_t kPiece = 1 << 16;
  while (!ended_ && static_cast<int64_t>(content_.size()) < wanted) {
    const size_t before = content_.size();
    content_.resize(before + kPiece);
    const size_t count = source_.read(content_.data() + before, kPiece);
    content_.resize(before + count);
    ended_ = count == 0;
  }
  return static_cast<int64_t>(content_.size());
}

int64_t InputFile::size(int64_t most) const {
  if (is_regular()) return *source_.file_size();
  const int64_t size = available(most + 1);
  if (size > most) throw GraphError(concat(path(), ": is longer than ", most, " bytes"));
  return size;
}

std::string InputFile::head(int64_t size) const {
  return read_text(0, std::min(size, available(size)));
}

bool InputFile::starts_with(std::string_view text) const {
  return head(static_cast<int64_t>(text.size())) == text;
}

void InputFile::check(int64_t offset, int64_t size) const {
  const bool possible = offset >= 0 && size >= 0 && size <= INT64_MAX - offset;
  const int64_t end = available(possible && !is_regular() ? std::min(offset + size, kMost) : kMost);
  if (!possible || offset > end || size > end - offset)
    throw GraphError(concat(path(), ": ends at byte ", end, ", but bytes ", offset, " and the ",
                            size, " from there are needed"));
}

void InputFile::read(int64_t offset, void* data, int64_t size) const {
  check(offset, size);
  auto* to = static_cast<char*>(data);
  if (!is_regular()) {
    std::copy_n(content_.data() + offset, size, to);
    return;
  }
  while (size > 0) {
    const ssize_t count = ::pread(source_.descriptor(), to, static_cast<size_t>(size), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw GraphError(concat(path(), ": cannot read: ", std::strerror(errno)));
    if (count == 0) throw GraphError(concat(path(), ": became shorter while it was read"));
    to += count, offset += count, size -= count;
  }
}

std::string InputFile::read_text(int64_t offset, int64_t size) const {
  check(offset, size);
  std::string text(static_cast<size_t>(size), '\0');
  read(offset, text.data(), size);
  return text;
}

std::string read_text_file(const std::string& path, int64_t max_bytes) {
  const InputFile file(path);
  const int64_t size = file.size(max_bytes);
  if (size > max_bytes)
    throw GraphError(
        concat(file.path(), ": has ", size, " bytes, at most ", max_bytes, " are accepted"));
  std::string text = file.read_text(0, size);
  if (const size_t bad = find_malformed_utf8(text); bad != std::string::npos) {
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(bad), '\n');
    throw GraphError(concat(file.path(), ":", line, ": is not UTF-8"));
  }
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  return text;
}

}  // namespace weft::formats
