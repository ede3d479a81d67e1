// models/data/tsv.cpp -- examples from lines of text.
#include "models/data/tsv.h"

#include "frontend/formats/byte_source.h"
#include "frontend/formats/digest.h"
#include "frontend/formats/text.h"
#include "ir/error.h"

#include <algorithm>
#include <filesystem>

namespace weft::data {
namespace {

using ir::concat;

std::string parse_side(std::string_view text, std::string_view side,
                       const formats::LineReader& lines) {
  const size_t first = text.find_first_not_of(' ');
  if (first == text.npos) lines.fail(concat("the ", side, " is empty"));
  return std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
}

Example parse_line(std::string_view line, const formats::LineReader& lines) {
  const auto tabs = std::count(line.begin(), line.end(), '\t');
  if (tabs != 1) lines.fail(concat("has ", tabs, " tabs, source<TAB>target needs one"));
  const auto is_control = [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7F; };
  if (const auto bad = std::find_if(line.begin(), line.end(), is_control); bad != line.end())
    lines.fail(concat("has the control character ", static_cast<int>(*bad), " at byte ",
                      bad - line.begin() + 1));
  const size_t tab = line.find('\t');
  return {parse_side(line.substr(0, tab), "source", lines),
          parse_side(line.substr(tab + 1), "target", lines), lines.line()};
}

// A file without lines is told at its end.
NextExample lines_of(const std::string& path, const TsvOptions& options) {
  const auto lines =
      std::make_shared<formats::LineReader>(path, formats::LineLimits{options.max_line_bytes});
  return [lines, path]() -> std::optional<Example> {
    if (const auto line = lines->next()) return parse_line(*line, *lines);
    if (lines->line() > 0) return std::nullopt;
    throw ir::GraphError(path + ": has no lines, at least one source<TAB>target is needed");
  };
}

}  // namespace

Examples read_tsv(const std::string& path, const TsvOptions& options) {
  Examples examples;
  const NextExample next = lines_of(path, options);
  while (auto example = next()) examples.push_back(std::move(*example));
  return examples;
}

TsvFile::TsvFile(std::string path, const TsvOptions& options)
    : path_(std::move(path)), options_(options) {
  if (std::filesystem::exists(path_) && !std::filesystem::is_regular_file(path_))
    kept_ = std::make_shared<const Examples>(read_tsv(path_, options_));
}

NextExample TsvFile::examples() const {
  if (kept_ == nullptr) return lines_of(path_, options_);
  return [kept = kept_, i = size_t{0}]() mutable {
    return i < kept->size() ? std::optional((*kept)[i++]) : std::nullopt;
  };
}

std::optional<std::string> TsvFile::digest() const {
  return kept_ == nullptr ? std::optional(file_digest(path_)) : std::nullopt;
}

std::string file_digest(const std::string& path) {
  formats::ByteSource file(path);
  formats::Digest digest;
  std::vector<char> bytes(1 << 20);
  while (const size_t count = file.read(bytes.data(), bytes.size()))
    digest.add(bytes.data(), count);
  return digest.str();
}

}  // namespace weft::data
