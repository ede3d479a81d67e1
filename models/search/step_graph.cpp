// models/search/step_graph.cpp -- inputs, states and candidates.
#include "models/search/step_graph.h"

#include <algorithm>
#include <set>

namespace weft::search {
namespace {

Shape joined(std::initializer_list<Dim> front, const Shape& back) {
  Shape shape(front);
  shape.insert(shape.end(), back.begin(), back.end());
  return shape;
}

}  // namespace

StepGraph::StepGraph(std::string name, const StepOptions& options)
    : model_(std::move(name)),
      options_(options),
      sentences_(dim("B")),
      beams_(options.beam == 1 ? Dim(1) : dim("K")) {
  if (beam() < 1 || beam() > 1024)
    throw ir::GraphError(ir::concat("beam is ", beam(), ", needed is 1 to 1024"));
  if (beam() > 1 && !options.scores)
    throw ir::GraphError(ir::concat("a beam of ", beam(), " needs scores to compare hypotheses"));
  token_ = by_row(model_.input("token", s32, {sentences_, beams_}));
  if (beam() > 1) origin_ = model_.input("origin", s32, {sentences_, beams_});
}

Tensor StepGraph::by_sentence(const Tensor& x) const {
  const Shape shape = x.shape();
  return reshape(x, joined({sentences_, beams_}, {shape.begin() + 1, shape.end()}));
}

Tensor StepGraph::by_row(const Tensor& x) const {
  const Shape shape = x.shape();
  return reshape(x, joined({rows()}, {shape.begin() + 2, shape.end()}));
}

Tensor StepGraph::reordered(const Tensor& x) {
  return beam() == 1 ? x : gather(x, origin_, {.axis = 1, .batch = 1});
}

Tensor StepGraph::position() {
  if (!position_.valid()) position_ = model_.input("position", s32, {});
  return position_;
}

Tensor StepGraph::memory(const std::string& name, DType dtype, const Shape& shape) {
  return model_.input(name, dtype, joined({sentences_}, shape));
}

Tensor StepGraph::state(const std::string& name, const Shape& shape) {
  carried_.push_back(name);
  return by_row(reordered(model_.input(name, f32, joined({sentences_, beams_}, shape))));
}

void StepGraph::next(const std::string& name, const Tensor& x) {
  model_.output(name, by_sentence(x));
}

Tensor StepGraph::size_of(const Dim& dim) { return dim_size(iota(token_, dim), 0, s32); }

Tensor StepGraph::slot() {
  if (!ring_) return position();
  const Tensor ring = size_of(dim("C"));
  if (!slot_.valid()) slot_ = position() - position() / ring * ring;
  return slot_;
}

// In a ring the entry `ago` steps behind this one's is of the step so many ago.
Tensor StepGraph::entry_steps() {
  Tensor entries = iota(token_, dim("C") * beams_);
  if (beam() > 1) entries = entries / size_of(beams_);
  if (!ring_) return entries;
  const Tensor ring = size_of(dim("C"));
  const Tensor since = position() - entries + ring;  // above 0: entries are below C
  const Tensor ago = since - since / ring * ring;
  return position() - ago;
}

Tensor StepGraph::cached(const std::string& name, const Tensor& x) {
  const Dim width = x.dim(-1), capacity = dim("C");
  carried_.push_back(name);
  const Tensor before = model_.input(name, f32, {sentences_, capacity, beams_, width});
  const Tensor after = update_slice(before, expand(by_sentence(x), 1), slot(), 1);
  model_.output(name, after);
  return reshape(after, {sentences_, capacity * beams_, width});
}

// With one beam, what was written so far: in a ring that has gone round, everything. With more, entry (j, k') is row k's own if the hypothesis
// that row k' held at step j is the beginning of the one it holds now: a table that follows the
// beams as states do, and gets the rows themselves in every step.
Tensor StepGraph::visible() {
  if (visible_.valid()) return visible_;
  const Dim capacity = dim("C"), k = beams_;
  if (beam() == 1) {
    const Tensor written = iota(token_, capacity) <= position();
    return visible_ = broadcast(reshape(written, {1, 1, capacity}), {sentences_, 1, capacity});
  }
  carried_.emplace_back("ancestors");
  const Tensor before = model_.input("ancestors", pred, {sentences_, k, capacity, k});
  const Tensor beams = iota(token_, k);
  const Tensor own = reshape(expand(beams, 1) == expand(beams, 0), {1, k, 1, k});
  const Tensor after =
      update_slice(reordered(before), broadcast(own, {sentences_, k, 1, k}), slot(), 2);
  model_.output("ancestors", after);
  return visible_ = reshape(after, {sentences_, k, capacity * k});
}

ir::Graph StepGraph::finish(const Tensor& logits, const Tensor& weights) {
  const Scope here = scope() / "search";
  const auto in = here.enter();
  if (options_.log_probabilities) {
    const Tensor log_probability = log_softmax(logits);
    model_.output("log_probability", by_sentence(log_probability));
    if (options_.normalizer)
      model_.output("log_normalizer",
                    by_sentence(pick(logits, -1, 0) - pick(log_probability, -1, 0)));
  } else {
    int64_t wanted = 2 * beam();
    for (const int32_t id : std::set{options_.ids.pad, options_.ids.begin})
      if (id != data::SpecialIds::kNone && options_.ids.is_never_produced(id)) ++wanted;
    wanted = std::min(wanted, logits.dim(-1).constant().value_or(INT64_MAX));
    const TopK best = top_k(options_.scores ? log_softmax(logits) : logits, wanted);
    model_.output(options_.scores ? "candidate_score" : "candidate_logit",
                  by_sentence(best.values));
    model_.output("candidate_token", by_sentence(best.indices));
  }
  if (options_.weights && weights.valid())
    model_.output("weights", weights.rank() == 2 ? by_sentence(weights) : weights);
  ir::Graph graph = model_.graph();
  for (size_t i = 0; i < graph.arguments().size(); ++i) {
    const std::string& name = graph.info(graph.arguments()[i].value).name;
    if (std::find(carried_.begin(), carried_.end(), name) != carried_.end())
      graph.set_donated(static_cast<int>(i), true);
  }
  return graph;
}

}  // namespace weft::search
