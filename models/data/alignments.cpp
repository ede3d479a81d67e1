// models/data/alignments.cpp -- reading pairs, and matrices of them.
#include "models/data/alignments.h"

#include "frontend/formats/digest.h"
#include "frontend/formats/text.h"
#include "ir/error.h"
#include "models/data/tokens/tokenizer.h"

#include <algorithm>
#include <charconv>

namespace weft::data {
namespace {

using ir::Array;
using ir::concat;
using ir::GraphError;

// "3-12"; false for anything else
bool read_point(std::string_view text, std::pair<int32_t, int32_t>& point) {
  const char *at = text.data(), *const end = at + text.size();
  const auto number = [&](int32_t& n) {
    const auto [stop, error] = std::from_chars(at, end, n);
    const bool read = error == std::errc() && stop != at && n >= 0;
    at = stop;
    return read;
  };
  if (!number(point.first) || at == end || *at++ != '-') return false;
  return number(point.second) && at == end;
}

}  // namespace

Alignments Alignments::read(const std::string& path) {
  Alignments a;
  a.path_ = path;
  formats::LineReader lines(path);
  while (const auto line = lines.next()) {
    Points points;
    for (const std::string& word : split_tokens(*line)) {
      points.emplace_back();
      if (!read_point(word, points.back()))
        throw GraphError(
            concat(lines.where(), ": error: '", word, "' is no pair of places as in 0-2"));
    }
    // Each pair once, those of a target token together.
    std::sort(points.begin(), points.end(), [](const auto& x, const auto& y) {
      return std::pair(x.second, x.first) < std::pair(y.second, y.first);
    });
    points.erase(std::unique(points.begin(), points.end()), points.end());
    a.lines_.push_back(std::move(points));
  }
  return a;
}

const Alignments::Points& Alignments::points_of(int64_t line, int64_t source,
                                                int64_t target) const {
  if (line < 1 || line > lines())
    throw GraphError(concat(path_, ": error: has ", lines(), " lines, none for example ", line));
  const Points& points = lines_[static_cast<size_t>(line - 1)];
  for (const auto& [s, t] : points)
    if (s >= source || t >= target)
      throw GraphError(concat(path_, ":", line, ": error: aligns ", s, "-", t, ", the example has ",
                              source, " and ", target, " tokens"));
  return points;
}

void Alignments::check(const ExampleStore& examples) const {
  for (int64_t i = 0; i < examples.size(); ++i)
    points_of(examples.id(i), examples.lengths(i).source, examples.lengths(i).target);
}

Array Alignments::of(const Array& row_ids, const Array& source_lengths, const Array& target_lengths,
                     int64_t source_width, int64_t target_width) const {
  const int64_t rows = row_ids.size();
  Array all(ir::DType::f32, {rows, target_width, source_width});
  auto* const to = all.data<float>();
  std::fill_n(to, all.size(), 0.0F);
  for (int64_t b = 0; b < rows; ++b) {
    const Points& points = points_of(row_ids.integer_at(b), source_lengths.integer_at(b),
                                     target_lengths.integer_at(b) - 1);
    for (size_t i = 0; i < points.size();) {
      size_t end = i;
      while (end < points.size() && points[end].second == points[i].second) ++end;
      const float share = 1 / static_cast<float>(end - i);
      for (; i < end; ++i) {
        const auto [s, t] = points[i];
        to[(b * target_width + t) * source_width + s] = share;
      }
    }
  }
  return all;
}

std::string Alignments::digest() const {
  formats::Digest digest;
  for (const Points& line : lines_) {
    const size_t count = line.size();
    digest.add(&count, sizeof count);
    if (count > 0) digest.add(line.data(), count * sizeof(line[0]));
  }
  return digest.str();
}

}  // namespace weft::data
