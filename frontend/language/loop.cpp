// frontend/language/loop.cpp -- tracing a loop's body into an isolated region.
#include "frontend/language/loop.h"

namespace weft {
namespace {

// The traced frame as a region: arguments in the order carries, scanned, captured, live.
ir::Graph region_of(const Tracer::Frame& frame, ir::Values own, const ir::Value* live,
                    const ir::Values& yielded, size_t carries) {
  for (const Tracer::Capture& c : frame.captures) own.push_back(c.inner);
  if (live != nullptr) own.push_back(*live);
  const ir::Graph& from = frame.graph;
  ir::Graph region;
  region.name = from.name;
  ir::Values map(static_cast<size_t>(from.value_count()));
  for (const ir::Value v : own)
    map[static_cast<size_t>(v.id)] = region.add_argument(from.type(v), from.info(v).name);
  for (const ir::Node& node : from.nodes()) {
    ir::Values operands;
    for (const ir::Value v : node.operands) operands.push_back(map[static_cast<size_t>(v.id)]);
    const ir::Values results = region.add_copy(from, node, operands);
    for (size_t i = 0; i < results.size(); ++i)
      map[static_cast<size_t>(node.results[i].id)] = results[i];
  }
  for (size_t i = 0; i < yielded.size(); ++i)
    region.add_output(
        i < carries ? "carry" + std::to_string(i) : "output" + std::to_string(i - carries),
        map[static_cast<size_t>(yielded[i].id)]);
  return region;
}

class OpenFrame {
 public:
  explicit OpenFrame(Tracer& tracer) : tracer_(tracer), depth_(tracer.depth()) {
    tracer.open_frame();
  }
  OpenFrame(const OpenFrame&) = delete;
  OpenFrame& operator=(const OpenFrame&) = delete;
  ~OpenFrame() { tracer_.unwind(depth_); }

 private:
  Tracer& tracer_;
  int depth_;
};

std::shared_ptr<Tracer> tracer_of(const LoopOptions& o, const SourceLoc& loc) {
  for (const Tensors* list : {&o.carries, &o.scanned})
    for (const Tensor& x : *list) {
      if (!x.valid()) fail(loc, "'scan' is given a tensor that was never made");
      return x.tracer();
    }
  fail(loc, "'scan' needs a carry or a scanned operand");
}

std::vector<Tracer::Place> places(const Tensors& xs, const std::shared_ptr<Tracer>& tracer,
                                  const SourceLoc& loc) {
  std::vector<Tracer::Place> list;
  for (const Tensor& x : xs) {
    if (!x.valid()) fail(loc, "'scan' is given a tensor that was never made");
    if (x.tracer() != tracer) fail(loc, "'scan' mixes tensors of two graphs");
    list.push_back(x.place());
  }
  return list;
}

}  // namespace

LoopResults scan(const LoopOptions& options, const std::function<LoopYield(const LoopStep&)>& body,
                 SourceLoc loc) {
  const std::shared_ptr<Tracer> tracer = tracer_of(options, loc);
  const std::vector<Tracer::Place> carries = places(options.carries, tracer, loc),
                                   scanned = places(options.scanned, tracer, loc);
  std::vector<Tracer::Place> lengths;
  if (options.lengths.valid()) lengths = places({options.lengths}, tracer, loc);
  const OpenFrame open(*tracer);
  Tracer::Frame& frame = tracer->innermost();
  const int frame_id = frame.id;
  ir::Values own;
  const auto argument = [&](const ir::TensorType& type, std::string name) -> Tensor {
    own.push_back(frame.graph.add_argument(type, std::move(name)));
    return {tracer, {frame_id, own.back()}};
  };

  LoopStep at;
  ir::Integers axes;
  for (const Tensor& x : options.carries) at.carries.push_back(argument(x.type(), ""));
  for (const Tensor& x : options.scanned) {
    ir::TensorType type = x.type();
    const int64_t axis = options.axis < 0 ? options.axis + type.rank() : options.axis;
    if (axis < 0 || axis >= type.rank())
      fail(loc, "'scan' runs along axis ", options.axis, " of ", type);
    type.shape.erase(type.shape.begin() + axis);
    axes.push_back(axis);
    at.scanned.push_back(argument(type, ""));
  }
  ir::Value live;
  if (options.lengths.valid()) {
    at.live = argument({pred, options.lengths.shape()}, "live");
    live = own.back();
    own.pop_back();
  }

  const LoopYield yield = body(at);
  if (yield.carries.size() != options.carries.size())
    fail(loc, "'scan' has ", options.carries.size(), " carries, its body yields ",
         yield.carries.size());
  ir::Values yielded;
  ir::Integers out_axes;
  for (const Tensors* list : {&yield.carries, &yield.outputs})
    for (const Tensor& x : *list) {
      if (!x.valid()) fail(loc, "the body of 'scan' yields a tensor that was never made");
      if (x.tracer() != tracer) fail(loc, "the body of 'scan' yields a tensor of another graph");
      yielded.push_back(tracer->import(x.place(), loc));
    }
  for (const Tensor& x : yield.outputs)
    out_axes.push_back(options.out_axis < 0 ? options.out_axis + x.rank() + 1 : options.out_axis);

  const Tracer::Frame traced = tracer->close_frame();
  ir::Graph region =
      region_of(traced, own, live.valid() ? &live : nullptr, yielded, yield.carries.size());
  std::vector<Tracer::Place> captured;
  for (const Tracer::Capture& c : traced.captures)
    captured.push_back({tracer->innermost().id, c.outer});
  ir::Attrs attrs{{"axes", axes}, {"out_axes", out_axes}, {"reverse", options.reverse}};
  if (options.scanned.empty()) attrs.set("steps", options.steps);
  const auto results = tracer->emit(ir::ops::scan, {carries, scanned, captured, lengths},
                                    std::move(attrs), loc, {std::move(region)});
  LoopResults r;
  for (size_t i = 0; i < results.size(); ++i)
    (i < options.carries.size() ? r.carries : r.outputs).emplace_back(tracer, results[i]);
  return r;
}

}  // namespace weft
