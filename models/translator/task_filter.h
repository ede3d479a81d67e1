// models/translator/task_filter.h -- which lines of a recipe's files are kept.
#pragma once
#include "models/data/filters.h"
#include "models/translator/task.h"

#include <optional>
#include <string>
#include <vector>

namespace weft {

// What is asked of the pairs of a recipe's files, as text and by their tokens. The task and the text
// outlive it.
class TaskFilter {
 public:
  // `whole`: of data to train on; what is validated on is neither filtered by ratio nor by what was
  // there before.
  TaskFilter(const Task& task, const data::ParallelCorpus& text, bool whole);

  // The next pair that is kept as text; nothing at the end. Throws GraphError that names the line.
  std::optional<data::Example> next(const data::NextExample& next);
  // Whether its tokens are kept too. Throws GraphError that names the line where the recipe refuses
  // long ones.
  bool keeps(const data::Example& line, const data::EncodedExample& e);
  // "train.tsv: 3 of 100 lines dropped: ...", a line for each file that lost some
  std::string remarks() const;

 private:
  // What keeps() returns; its errors name the line.
  template <typename F>
  bool at_line(const data::Example& e, const F& keeps) const;
  data::FilterCounts& counts(const data::Example& e) { return counts_[text_.file_of(e.id)]; }
  std::string place(const data::Example& e, bool source) const {
    return source ? text_.source_place(e.id) : text_.target_place(e.id);
  }

  const Task& task_;
  const data::ParallelCorpus& text_;
  data::PairFilter filter_;
  std::vector<data::FilterCounts> counts_;  // by file
};

}  // namespace weft
