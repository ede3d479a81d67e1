// models/data/alignments.h -- which target tokens say which source tokens, as files have it.
//
// A line for each example, in the order of the file of examples: pairs "i-j" of the places of a
// source token and a target token, from 0 (the format of Pharaoh, fast_align and eflomal). Places
// count the tokens that the model sees.
#pragma once
#include "ir/host/array.h"
#include "models/data/example_store.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace weft::data {

class Alignments {
 public:
  // GraphError at "path:line" where a line is anything else.
  static Alignments read(const std::string& path);

  // f32[B,T,S]: of each target token the share of each source token it is aligned to; zeros for one
  // that is aligned to none. row_ids: s64[B], the numbers of the examples' lines, from 1. Throws
  // GraphError at the line where there is none for an example, or it leaves the sentences of
  // source_lengths, target_lengths: s32[B] (the end of a target is a token nothing is aligned to).
  ir::Array of(const ir::Array& row_ids, const ir::Array& source_lengths,
               const ir::Array& target_lengths, int64_t source_width, int64_t target_width) const;

  // Throws likewise where one of the examples does not fit.
  void check(const ExampleStore& examples) const;

  int64_t lines() const { return static_cast<int64_t>(lines_.size()); }
  const std::string& path() const { return path_; }
  std::string digest() const;

 private:
  using Points = std::vector<std::pair<int32_t, int32_t>>;  // source, target
  // Of an example with so many tokens.
  const Points& points_of(int64_t line, int64_t source, int64_t target) const;

  std::string path_;
  std::vector<Points> lines_;
};

}  // namespace weft::data
