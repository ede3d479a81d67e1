// models/translator/task_filter.cpp
#include "models/translator/task_filter.h"

#include "ir/error.h"

namespace weft {
namespace {

data::FilterSettings filter_settings(const Task& task, bool whole) {
  data::FilterSettings s = task.recipe.filters;
  if (!whole || task.recipe.data.source != data::SourceKind::tokens) s.max_ratio = 0;
  if (!whole) s.drop_duplicates = false;
  return s;
}

}  // namespace

TaskFilter::TaskFilter(const Task& task, const data::ParallelCorpus& text, bool whole)
    : task_(task),
      text_(text),
      filter_(filter_settings(task, whole)),
      counts_(text.files().size()) {}

template <typename F>
bool TaskFilter::at_line(const data::Example& e, const F& keeps) const {
  try {
    return keeps();
  } catch (const ir::GraphError& error) {
    const std::string what = error.what();
    throw ir::GraphError(ir::concat(place(e, !what.starts_with("the target")), ": error: ", what));
  }
}

std::optional<data::Example> TaskFilter::next(const data::NextExample& next) {
  while (auto e = next()) {
    const bool kept = at_line(*e, [&] { return filter_.keeps(*e, counts(*e)); });
    if (kept) return e;
  }
  return std::nullopt;
}

bool TaskFilter::keeps(const data::Example& line, const data::EncodedExample& e) {
  const training::Recipe& recipe = task_.recipe;
  const int64_t positions = recipe.batch.widest, target = std::ssize(e.target);
  const int64_t of_target = seq2seq::most_target_positions(task_.config);
  if ((positions > 0 && e.source_length() > positions) ||
      (of_target > 0 && target + 1 > of_target)) {
    const bool source = positions > 0 && e.source_length() > positions;
    if (recipe.filters.long_lines == data::Misfit::refuse)
      throw ir::GraphError(
          ir::concat(place(line, source), ": error: the ", source ? "source" : "target", " has ",
                     source ? e.source_length() : target, source ? " tokens" : " tokens and </s>",
                     ", model.max_positions is ", source ? positions : of_target, " (",
                     recipe.where("model.max_positions"), ")"));
    ++counts(line).too_long;
    return false;
  }
  // Frames and patches are no tokens.
  return at_line(line, [&] { return filter_.keeps(std::ssize(e.source), target, counts(line)); });
}

std::string TaskFilter::remarks() const {
  std::string lines;
  for (size_t i = 0; i < counts_.size(); ++i)
    if (counts_[i].dropped() > 0)
      lines += ir::concat(text_.files()[i].name(), ": ", counts_[i].str(), "\n");
  return lines;
}

}  // namespace weft
