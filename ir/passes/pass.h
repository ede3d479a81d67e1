// ir/passes/pass.h -- what a pass is: a function from graph to graph, with a name.
#pragma once
#include "ir/graph.h"
#include "ir/host/array.h"

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::ir {

// What a pass tells of its work, for --explain: in the user's names and lines.
struct Note {
  enum class Kind : uint8_t { done, near_miss };
  Kind kind = Kind::done;
  std::string pass;
  std::string
      text;  // "decoder.cpp:30 decoder/attention: softmax and 6 more became attention (additive)"
  bool operator==(const Note&) const = default;
};

// What passes need besides the graph, and where they report.
struct PassContext {
  // Evaluates a node of constants (a backend's job, ir knows none); null: no folding.
  std::function<std::vector<Array>(const Graph&)> evaluate;
  std::vector<Note> notes;
  int passes_run = 0;  // so far, over all pipelines with this context: numbers the files of a dump

  void done(std::string_view pass, std::string text) {
    notes.push_back({Note::Kind::done, std::string(pass), std::move(text)});
  }
  // Once, however often the pass runs.
  void near_miss(std::string_view pass, std::string text) {
    Note note{Note::Kind::near_miss, std::string(pass), std::move(text)};
    if (std::find(notes.begin(), notes.end(), note) == notes.end())
      notes.push_back(std::move(note));
  }
};

struct Pass {
  std::string_view name;
  Graph (*run)(const Graph&, PassContext&) = nullptr;
  std::string_view doc;
  bool rounds = false;  // values are others than before: products read less precise ones
};

// "decoder.cpp:30 decoder/attention", for notes.
std::string where(const Node& node);

}  // namespace weft::ir
