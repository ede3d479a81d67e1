// frontend/formats/text.h -- lines of UTF-8 text, one at a time, within limits.
//
//   LineReader lines("train.tsv");
//   while (const auto line = lines.next()) use(*line);
//
// The path may name a pipe or a device; "-" is standard input.
// A byte order mark at the start and a carriage return at the end of a line are not part of it. A
// line that is not UTF-8 (overlong forms and surrogates included) or longer than the limit is a
// LineError at "path:line", behind which one may read on. The last line needs no newline.
// What gzip or Zstandard has packed is read as it was before (frontend/formats/decompression.h).
#pragma once
#include "ir/error.h"

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weft::formats {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

struct LineLimits {
  int64_t max_bytes = int64_t{1} << 20;  // of one line, its end not counted
};

// Something is wrong with this line alone.
struct LineError : ir::GraphError {
  using ir::GraphError::GraphError;
};

class LineReader {
 public:
  explicit LineReader(const std::string& path, LineLimits limits = {});
  LineReader(std::istream& in, std::string name, LineLimits limits = {});  // `in` must outlive this
  LineReader(LineReader&&) noexcept;
  ~LineReader();

  // The view holds until the next call; nullopt after the last line. After a LineError the next call
  // returns the line behind; GraphError where the bad one goes on for more than a gigabyte.
  std::optional<std::string_view> next();

  int64_t line() const { return line_; }  // of the line last returned, counted from 1
  std::string where() const;              // "path:line"

  // Throws LineError "path:line: message".
  [[noreturn]] void fail(const std::string& message) const;

 private:
  void skip_rest();

  std::unique_ptr<std::streambuf> file_;
  std::streambuf* bytes_;
  std::string name_, buffer_;
  LineLimits limits_;
  int64_t line_ = 0;
  bool in_line_ = false;  // what is left of the last line was not read
};

// Offset of the first byte that does not belong to well-formed UTF-8; npos when there is none.
size_t find_malformed_utf8(std::string_view text);

}  // namespace weft::formats
