// frontend/language/tracer.h -- a graph being written: what tensors, scopes and loops append to.
//
// Frame 0 is the graph itself; every loop body being traced is one more frame on top. A node goes
// to the innermost frame; what it reads from further out becomes an argument of each frame between
// (a loop's region is isolated: its captured values are the loop's invariants).
#pragma once
#include "ir/rewrite/builder.h"
#include "ir/source_loc.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

// While it lives, nodes and errors of this thread name this line, whatever line they are given: the
// one on which the user called a function of a library, not those within it. Of several that live,
// the outermost counts.
class CalledFrom {
 public:
  explicit CalledFrom(const ir::SourceLoc& loc);
  CalledFrom(const CalledFrom&) = delete;
  CalledFrom& operator=(const CalledFrom&) = delete;
  ~CalledFrom();

  // That line; `loc` where there is none.
  static const ir::SourceLoc& or_else(const ir::SourceLoc& loc);

 private:
  ir::SourceLoc loc_;
  bool outermost_;
};

// GraphError "file:line: error: message".
template <typename... Parts>
[[noreturn]] void fail(const ir::SourceLoc& loc, const Parts&... parts) {
  const ir::SourceLoc& line = CalledFrom::or_else(loc);
  throw ir::GraphError(ir::concat(line.known() ? line.str() + ": " : "", "error: ", parts...));
}

class Tracer {
 public:
  // A value in the frame of that id (ids are never used twice).
  struct Place {
    int frame = 0;
    ir::Value value;
  };
  struct Capture {
    ir::Value outer, inner;  // in the frame below, and the argument that stands for it here
  };
  struct Frame {
    int id = 0;
    ir::Graph graph;
    std::vector<Capture> captures;
    std::vector<Capture> constants;  // scalars made again here instead
  };

  explicit Tracer(std::string name);

  Frame& innermost() { return frames_.back(); }
  ir::Graph& root() { return frames_.front().graph; }
  int depth() const { return static_cast<int>(frames_.size()); }

  const ir::TensorType& type(Place place) const;
  // The value as the innermost frame sees it; captures it if it was made further out.
  ir::Value import(Place place, const ir::SourceLoc& loc);
  std::vector<Place> emit(const ir::OpDef& op, const std::vector<std::vector<Place>>& operands,
                          ir::Attrs attrs, const ir::SourceLoc& loc,
                          std::vector<ir::Graph> regions = {});

  Frame& open_frame();
  Frame close_frame();
  // Leaves frames above `depth` behind, after an exception.
  void unwind(int depth);

  Place input(std::string name, const ir::TensorType& type, const ir::SourceLoc& loc);
  Place parameter(const std::string& path, const ir::TensorType& type,
                  const std::string& initializer, bool trainable, const ir::SourceLoc& loc);
  Place state(const std::string& path, const ir::TensorType& type, const std::string& initializer,
              const ir::SourceLoc& loc);
  void output(std::string name, Place place, const ir::SourceLoc& loc);

  const std::string& scope() const { return scope_; }
  void set_scope(std::string path) { scope_ = std::move(path); }

  // How often this was asked with this path before: tells apart random streams of one scope.
  int next_use(const std::string& path) { return uses_[path]++; }

 private:
  struct Declared {
    ir::Value value;
    ir::TensorType type;
    std::string what, initializer;
    bool trainable = true;
    ir::SourceLoc loc;
  };
  int level(const Place& place) const;  // -1: its frame is closed
  Place declare(const std::string& name, Declared declared, ir::ArgumentKind kind, bool shared);

  std::vector<Frame> frames_;
  std::map<std::string, Declared, std::less<>> declared_;  // by path, inputs by name
  std::map<std::string, int, std::less<>> uses_;
  std::map<std::string, ir::SourceLoc, std::less<>> outputs_;
  std::string scope_;
  int next_frame_ = 0;
  int next_origin_ = 0;
};

}  // namespace weft
