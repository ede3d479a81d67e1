// frontend/formats/text.cpp -- lines of UTF-8 text.
#include "frontend/formats/text.h"

#include "frontend/formats/decompression.h"
#include "ir/error.h"

#include <cerrno>
#include <cstring>
#include <istream>

namespace weft::formats {
namespace {

using ir::concat;
using ir::GraphError;

bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// Length of the well-formed sequence at the start of `text`; 0 if there is none. The ranges of the
// second byte (Unicode 15, table 3-7) exclude overlong forms, surrogates and what lies above
// U+10FFFF.
size_t sequence_length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first < 0xC2   ? 0
                        : first < 0xE0 ? 2
                        : first < 0xF0 ? 3
                        : first < 0xF5 ? 4
                                       : 0;
  if (length == 0 || text.size() < length) return 0;
  const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < length; ++i)
    if (!is_continuation(byte(i))) return 0;
  return length;
}

}  // namespace

size_t find_malformed_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = sequence_length(text.substr(i, 4));
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

LineReader::LineReader(const std::string& path, LineLimits limits)
    : file_(std::make_unique<SourceBuffer>(DecompressedSource(ByteSource(path)))),
      bytes_(file_.get()),
      name_(input_name(path)),
      limits_(limits) {}

LineReader::LineReader(std::istream& in, std::string name, LineLimits limits)
    : bytes_(in.rdbuf()), name_(std::move(name)), limits_(limits) {}

LineReader::LineReader(LineReader&&) noexcept = default;
LineReader::~LineReader() = default;

std::optional<std::string_view> LineReader::next() {
  constexpr int kEnd = std::char_traits<char>::eof();
  buffer_.clear();
  // Room for what is stripped below: a byte order mark and a carriage return.
  const size_t most = static_cast<size_t>(limits_.max_bytes) + kByteOrderMark.size() + 1;
  try {
    if (in_line_) skip_rest();
    if (bytes_->sgetc() == kEnd) return std::nullopt;
    ++line_;
    in_line_ = true;
    for (int c = bytes_->sbumpc(); c != '\n' && c != kEnd; c = bytes_->sbumpc()) {
      if (buffer_.size() == most) fail(concat("is longer than ", limits_.max_bytes, " bytes"));
      buffer_.push_back(static_cast<char>(c));
    }
    in_line_ = false;
  } catch (const std::ios_base::failure&) {  // thrown by file buffers when the disk fails
    throw GraphError(concat(name_, ": cannot read: ", std::strerror(errno)));
  }
  std::string_view line = buffer_;
  if (line_ == 1 && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.size() > static_cast<size_t>(limits_.max_bytes))
    fail(concat("is longer than ", limits_.max_bytes, " bytes"));
  if (const size_t bad = find_malformed_utf8(line); bad != std::string_view::npos)
    fail(concat("is not UTF-8 at byte ", bad + 1, " of the line"));
  return line;
}

void LineReader::skip_rest() {
  constexpr int64_t kMost = int64_t{1} << 30;
  constexpr int kEnd = std::char_traits<char>::eof();
  int64_t count = 0;
  for (int c = bytes_->sbumpc(); c != '\n' && c != kEnd; c = bytes_->sbumpc())
    if (++count > kMost)
      throw GraphError(concat(where(), ": does not end within ", kMost, " bytes"));
  in_line_ = false;
}

std::string LineReader::where() const { return concat(name_, ":", line_); }

void LineReader::fail(const std::string& message) const {
  throw LineError(concat(where(), ": ", message));
}

}  // namespace weft::formats
