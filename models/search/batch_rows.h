// models/search/batch_rows.h -- the sentences of a batch as rows of a decoder's executables, with the
// states and caches of their hypotheses.
//
//   BatchRows rows(decoder, store, source, lengths, longest);
//   for (...) {
//     rows.run();                                     // of row r: result("candidate_token")[r], ...
//     rows.continue_with(r, k, token, origin);        // for every row and beam
//     const auto order = rows.keep(live);             // now and then: rows that are done leave
//   }
//
// The first step has one beam of each sentence, all others as many as the decoder has. Executables
// are made for few numbers of rows: up to sixteen, then multiples of 2, 4, 8, ... What stands in the
// rows behind those of the batch nobody reads.
#pragma once
#include "models/search/decoder.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::search {

// Of executables that hold n rows: n, or up to an eighth more.
int64_t padded_rows(int64_t n);

class BatchRows {
 public:
  // source: s32[B,S] (or of another kind), lengths: s32[B]; longest: steps there may be
  BatchRows(Decoder& decoder, ParameterStore& store, const ir::Array& source,
            const ir::Array& lengths, int64_t longest);

  int64_t count() const { return count_; }
  int64_t padded() const { return padded_; }  // rows that a step computes
  int64_t beams() const { return beams_; }    // of the results: 1 in the first step

  bool has_weights() const { return decoder_.weights; }

  void run();  // the next step
  const ir::Array& result(std::string_view name) const { return step_->result(name); }

  // What beam `beam` of a row goes on with: `token`, behind what beam `origin` had.
  void continue_with(int64_t row, int64_t beam, int32_t token, int32_t origin);

  // Rows other than `kept`, in ascending order, leave; of those that stay as few as possible move.
  // Returns for each row which one it was.
  std::vector<int64_t> keep(std::span<const int64_t> kept);

 private:
  using Inputs = ir::NamedArrays;

  void start(const ir::Array& source, const ir::Array& lengths);
  ir::Array zeros(const std::string& name, ir::DType dtype, const ir::Dims& dims);
  ir::Array enlarged(const std::string& name, const ir::Array& x, const ir::Dims& dims);
  void resize();  // to the present beams and capacity, what there is at its place
  void bind(const Inputs& inputs);
  int64_t most_capacity() const;

  Decoder& decoder_;
  ParameterStore& store_;
  int64_t count_, padded_, beams_ = 1, longest_, steps_ = 0;
  int64_t capacity_;                       // steps that the caches have room for
  std::vector<int32_t> tokens_, origins_;  // [B,K] of the next step
  std::optional<RepeatedRun> step_;
};

}  // namespace weft::search
