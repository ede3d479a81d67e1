// frontend/language/tracer.cpp -- appending nodes to the innermost frame, capturing what they read.
#include "frontend/language/tracer.h"

#include "ir/check.h"

namespace weft {
namespace {

thread_local const ir::SourceLoc* called_from = nullptr;

}  // namespace

CalledFrom::CalledFrom(const ir::SourceLoc& loc) : loc_(loc), outermost_(called_from == nullptr) {
  if (outermost_) called_from = &loc_;
}

CalledFrom::~CalledFrom() {
  if (outermost_) called_from = nullptr;
}

const ir::SourceLoc& CalledFrom::or_else(const ir::SourceLoc& loc) {
  return called_from != nullptr ? *called_from : loc;
}

Tracer::Tracer(std::string name) {
  frames_.push_back({next_frame_++, {}, {}, {}});
  root().name = std::move(name);
}

int Tracer::level(const Place& place) const {
  for (size_t i = 0; i < frames_.size(); ++i)
    if (frames_[i].id == place.frame) return static_cast<int>(i);
  return -1;
}

const ir::TensorType& Tracer::type(Place place) const {
  const int at = level(place);
  if (at < 0)
    throw ir::GraphError(
        "error: a tensor made in a loop's body is used after the loop; yield it instead");
  return frames_[static_cast<size_t>(at)].graph.type(place.value);
}

namespace {

const ir::Value* find(const std::vector<Tracer::Capture>& list, ir::Value outer) {
  for (const Tracer::Capture& c : list)
    if (c.outer == outer) return &c.inner;
  return nullptr;
}

// What stands in `frame` for a value of the graph around it.
ir::Value capture(const ir::Graph& outer, Tracer::Frame& frame, ir::Value value) {
  if (const ir::Value* known = find(frame.captures, value)) return *known;
  if (const ir::Value* known = find(frame.constants, value)) return *known;
  const ir::Node* producer = outer.producer(value);
  if (producer != nullptr && producer->op == &ir::ops::constant && outer.type(value).rank() == 0) {
    frame.constants.push_back({value, frame.graph.add_copy(outer, *producer, {}).front()});
    return frame.constants.back().inner;
  }
  frame.captures.push_back(
      {value, frame.graph.add_argument(outer.type(value), outer.info(value).name)});
  return frame.captures.back().inner;
}

}  // namespace

ir::Value Tracer::import(Place place, const ir::SourceLoc& loc) {
  const int at = level(place);
  if (at < 0) fail(loc, "a tensor made in a loop's body is used after the loop; yield it instead");
  ir::Value value = place.value;
  for (size_t i = static_cast<size_t>(at) + 1; i < frames_.size(); ++i)
    value = capture(frames_[i - 1].graph, frames_[i], value);
  return value;
}

std::vector<Tracer::Place> Tracer::emit(const ir::OpDef& op,
                                        const std::vector<std::vector<Place>>& operands,
                                        ir::Attrs attrs, const ir::SourceLoc& given,
                                        std::vector<ir::Graph> regions) {
  const ir::SourceLoc& loc = CalledFrom::or_else(given);
  ir::OperandGroups groups;
  for (const auto& group : operands) {
    groups.emplace_back();
    for (const Place& place : group) groups.back().push_back(import(place, loc));
  }
  ir::Provenance from{scope_, loc, {}, ir::Part::forward};
  from.origins = {
      std::make_shared<ir::Origin>(ir::Origin{next_origin_++, std::string(op.name), scope_, loc})};
  Frame& frame = innermost();
  std::vector<Place> places;
  for (const ir::Value v :
       frame.graph.add(op, groups, std::move(attrs), std::move(from), std::move(regions)))
    places.push_back({frame.id, v});
  return places;
}

Tracer::Frame& Tracer::open_frame() {
  frames_.push_back({next_frame_++, {}, {}, {}});
  frames_.back().graph.name = "body";
  return frames_.back();
}

Tracer::Frame Tracer::close_frame() {
  WEFT_CHECK(frames_.size() > 1);
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  return frame;
}

void Tracer::unwind(int depth) {
  while (this->depth() > depth) frames_.pop_back();
}

Tracer::Place Tracer::declare(const std::string& name, Declared d, ir::ArgumentKind kind,
                              bool shared) {
  d.loc = CalledFrom::or_else(d.loc);
  const auto found = declared_.find(name);
  if (found != declared_.end()) {
    const Declared& first = found->second;
    const bool same = shared && first.what == d.what && first.type == d.type &&
                      first.initializer == d.initializer && first.trainable == d.trainable;
    if (same) return {frames_.front().id, first.value};
    const auto told = [](const Declared& x) {
      return ir::concat(x.type, x.initializer.empty() ? "" : ", " + x.initializer,
                        x.trainable ? "" : ", not trainable");
    };
    fail(d.loc, d.what, " '", name, "' (", told(d), ") was made before as ", first.what, " (",
         told(first), ") at ", first.loc);
  }
  const bool by_path = kind != ir::ArgumentKind::input;
  const size_t slash = name.rfind('/');
  d.value =
      root().add_argument(d.type, by_path && slash != name.npos ? name.substr(slash + 1) : name,
                          kind, by_path ? name : std::string(), d.initializer, d.trainable);
  declared_.emplace(name, d);
  return {frames_.front().id, d.value};
}

Tracer::Place Tracer::input(std::string name, const ir::TensorType& type,
                            const ir::SourceLoc& loc) {
  return declare(name, {{}, type, "input", "", true, loc}, ir::ArgumentKind::input, false);
}

Tracer::Place Tracer::parameter(const std::string& path, const ir::TensorType& type,
                                const std::string& initializer, bool trainable,
                                const ir::SourceLoc& loc) {
  return declare(path, {{}, type, "parameter", initializer, trainable, loc},
                 ir::ArgumentKind::parameter, true);
}

Tracer::Place Tracer::state(const std::string& path, const ir::TensorType& type,
                            const std::string& initializer, const ir::SourceLoc& loc) {
  return declare(path, {{}, type, "state", initializer, true, loc}, ir::ArgumentKind::state, true);
}

void Tracer::output(std::string name, Place place, const ir::SourceLoc& loc) {
  if (depth() > 1) fail(loc, "output '", name, "' is declared inside a loop's body");
  const ir::Value value = import(place, loc);
  const auto [at, added] = outputs_.emplace(name, loc);
  if (!added) fail(loc, "output '", name, "' was made before at ", at->second);
  root().add_output(std::move(name), value);
}

}  // namespace weft
