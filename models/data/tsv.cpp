// models/data/tsv.cpp -- examples from lines of text.
#include "models/data/tsv.h"

#include "frontend/formats/text.h"
#include "ir/error.h"

#include <algorithm>

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

}  // namespace

Examples read_tsv(const std::string& path, const TsvOptions& options) {
  formats::LineReader lines(path, {.max_bytes = options.max_line_bytes});
  Examples examples;
  while (const auto line = lines.next()) examples.push_back(parse_line(*line, lines));
  if (examples.empty())
    throw ir::GraphError(path + ": has no lines, at least one source<TAB>target is needed");
  return examples;
}

}  // namespace weft::data
