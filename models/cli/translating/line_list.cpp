// models/cli/translating/line_list.cpp -- a list that stays readable, however many lines it holds.
#include "models/cli/translating/line_list.h"

namespace weft::cli {

constexpr int64_t kMostShown = 20;

void LineList::add(int64_t line, const std::string& detail) {
  if (++count_ > kMostShown) return;
  shown_ += (shown_.empty() ? "" : ", ") + std::to_string(line);
  if (!detail.empty()) shown_ += " (" + detail + ")";
}

std::string LineList::str() const {
  std::string text = (count_ == 1 ? "line " : "lines ") + shown_;
  if (count_ > kMostShown) text += " and " + std::to_string(count_ - kMostShown) + " more";
  return text;
}

}  // namespace weft::cli
