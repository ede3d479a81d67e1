// backends/onednn/plan/planner.cpp -- a place for every value, and the kernels between them.
#include "backends/onednn/plan/planner.h"

#include "backends/onednn/plan/moves.h"
#include "ir/check.h"

#include <algorithm>
#include <cstring>

namespace weft::onednn {
namespace {

// The same elements at the same addresses; strides of axes of size 1 mean nothing.
bool same_elements(const Tensor& a, const Tensor& b) {
  if (a.at != b.at || a.dims != b.dims) return false;
  for (size_t i = 0; i < a.dims.size(); ++i)
    if (a.dims[i] > 1 && a.strides[i] != b.strides[i]) return false;
  return true;
}

// When values are inspected, every row is computed, and nothing is grouped or written over.
bool inspects(const PlanOptions& options, int depth) {
  return options.check_nan || (options.keep_all && depth == 0);
}

int new_timeline(Plan& plan) {
  plan.timelines.emplace_back();
  return static_cast<int>(plan.timelines.size()) - 1;
}

const std::vector<int64_t>* offsets_of(const Plan& plan, int timeline) {
  return plan.offsets ? &plan.offsets->of[static_cast<size_t>(timeline)] : nullptr;
}

int64_t bytes_of(const Tensor& t) { return std::max<int64_t>(t.span_bytes(), 1); }

}  // namespace

Ref Plan::add_constant(const void* data, int64_t bytes) {
  const int64_t offset = Arena::rounded(static_cast<int64_t>(constants.size()));
  constants.resize(static_cast<size_t>(offset + Arena::rounded(std::max<int64_t>(bytes, 1))));
  if (bytes > 0) std::memcpy(constants.data() + offset, data, static_cast<size_t>(bytes));
  return {kConstantsBase, offset};
}

Planner::Planner(Plan& plan, const ir::Graph& graph, Program& program, int arena_base, int depth,
                 const BodyRows* rows)
    : plan_(plan),
      graph_(graph),
      program_(&program),
      arena_base_(arena_base),
      depth_(depth),
      timeline_(new_timeline(plan)),
      units_(graph, plan.lowerings, plan.options.group && !inspects(plan.options, depth),
             plan.options.pad_rows),
      buffers_(plan.timelines.back(), graph.value_count(), offsets_of(plan, timeline_)),
      places_(static_cast<size_t>(graph.value_count())),
      targets_(graph.outputs().size()),
      claims_(places_.size(), -1),
      first_write_(graph.outputs().size()),
      alias_of_(places_.size(), -1),
      row_reads_(graph, inspects(plan.options, depth)) {
  if (!inspected()) bounds_ = RowBounds(graph, plan.lowerings, rows);
  count_at_.resize(bounds_.counts().size());
}

bool Planner::inspected() const { return inspects(plan_.options, depth_); }

void Planner::place_argument(int argument, Tensor place) {
  set_place(graph_.arguments()[static_cast<size_t>(argument)].value, std::move(place), -1);
}

void Planner::target_output(int output, Tensor place) {
  targets_[static_cast<size_t>(output)] = std::move(place);
}

void Planner::set_place(ir::Value v, Tensor place, int buffer) {
  places_[static_cast<size_t>(v.id)] = std::move(place);
  buffers_.put(v, buffer);
}

// Packing pays from so many steps on.
constexpr int64_t kStepsWorthPacking = 4;

std::optional<Ref> Planner::packed(const Tensor& b, const WeightLayout& layout, Emit& e) {
  if (outer_ != nullptr) {
    if (b.at.base >= arena_base_) return {};  // a step's own: all bases of a loop are made after it
    if (const auto further_out = outer_->packed(b, layout)) return further_out;
    if (steps_ < kStepsWorthPacking) return {};
  } else if (static_cast<size_t>(b.at.base) >= plan_.fixed.size() ||
             !plan_.fixed[static_cast<size_t>(b.at.base)]) {
    return {};
  }
  for (const LaidOut& p : packed_)
    if (p.is(b, layout)) return p.at;
  Ref to;
  if (outer_ != nullptr) {
    to = outer_->workspace(layout.bytes);
    if (!layout.lay_out(*outer_, b, to)) return {};
  } else {
    to = {plan_.new_base(), 0};
    Program make;
    bool made = false;
    e.divert(make, [&] { made = layout.lay_out(e, b, to); });
    if (!made) return {};
    const std::string key =
        ir::concat(b.at.base - kArgumentBase, "+", b.at.offset, " ", str(b), " ", layout.name);
    plan_.packed.push_back(
        {&plan_.shared->made[key], b.at.base, to.base, layout.bytes, std::move(make)});
  }
  packed_.push_back({b, layout.name, to});
  return to;
}

Tensor Planner::take(ir::Value v, Dims strides) {
  const ir::TensorType& type = graph_.type(v);
  Tensor t{type.dtype, dims_of(type), std::move(strides), {arena_base_, 0}};
  t.at.offset = take_bytes(bytes_of(t), v);
  return t;
}

int64_t Planner::take_bytes(int64_t bytes, ir::Value v, int loop) {
  const int node = v.valid() ? graph_.info(v).node : -1;
  const bool bounded = node >= 0 && bounds_.of_node(node) >= 0;
  return buffers_.take(bytes, bounded ? bytes / 4 * 3 : bytes, v, loop);
}

void Planner::materialise_arguments() {
  for (const ir::Argument& a : graph_.arguments()) {
    const Tensor from = place(a.value);
    if (units_.readers(a.value).empty() || units_.readers_accept(a.value, from)) continue;
    const Tensor to = take(a.value, dense_strides(from.dims));
    set_place(a.value, to,
              buffers_.add({to.at.offset, bytes_of(to)}, units_.reader_count(a.value)));
    Kernel k = copy_kernel(from, to);
    k.op = "argument " + graph_.display_name(a.value);
    program_->kernels.push_back(std::move(k));
  }
}

void Planner::lower() {
  claim_targets();
  materialise_arguments();
  for (int i = 0; i < units_.count(); ++i) lower_unit(i);
  copy_outputs();
  find_last_reads();
  Timeline& timeline = plan_.timelines[static_cast<size_t>(timeline_)];
  for (int i = 0; i < units_.count(); ++i) timeline.units.push_back(units_[i].nodes);
  timeline.arena_bytes = buffers_.peak();
}

void Planner::lower_unit(int index) {
  const Unit& u = units_[index];
  const ir::Node& node = units_.node(u);
  buffers_.now = index;
  const size_t first_kernel = program_->kernels.size();
  if (const int count = bounds_.of_node(u.nodes.back()); count >= 0) count_rows(count);
  if (!lower_view(u)) {
    if (!u.lowering->constant) place_results(u);
    {
      Emit e(*this, ir::OpView(graph_, node), u.nodes);
      u.lowering->lower(e);
    }
    count_bytes(u, first_kernel);
    if (plan_.options.check_nan) check_for_nan(u);
  }
  for (const ir::Value v : u.inputs) give_back(buffers_.read(v));
  for (const ir::Value y : node.results)
    if (alias_of_[static_cast<size_t>(y.id)] < 0) give_back(buffers_.unread(buffers_.of(y)));
}

void Planner::give_back(std::optional<Buffers::Room> room) {
  if (!room) return;
  buffers_.give_back(*room);
  if (!plan_.options.poison) return;
  Kernel k;
  k.name = k.op = "poison";
  const Ref at{arena_base_, room->offset};
  const size_t size = static_cast<size_t>(Arena::rounded(room->bytes));
  k.text =
      std::make_shared<const std::string>(place_text(at) + " " + std::to_string(size) + " bytes");
  k.run = [at, size](const Run& run) { std::memset(run(at), 0xFF, size); };
  program_->kernels.push_back(std::move(k));
}

void Planner::copy_outputs() {
  for (size_t j = 0; j < targets_.size(); ++j) {
    const Tensor& from = place(graph_.outputs()[j].value);
    if (from.size() == 0 || same_elements(from, targets_[j])) continue;
    Kernel k = copy_kernel(from, targets_[j]);
    k.op = "output " + graph_.outputs()[j].name;
    k.text = std::make_shared<const std::string>(graph_.display_name(graph_.outputs()[j].value) +
                                                 " " + str(from) + " " + place_text(from.at) +
                                                 " -> " + place_text(targets_[j].at));
    program_->kernels.push_back(std::move(k));
  }
}

// The count has a place of its own, written once: before the first kernel that asks for it.
void Planner::count_rows(int count) {
  Ref& to = count_at_[static_cast<size_t>(count)];
  if (to.base >= 0) return;
  to = {arena_base_, take_bytes(static_cast<int64_t>(sizeof(int64_t)), {})};
  const RowBounds::Count& c = bounds_.counts()[static_cast<size_t>(count)];
  Kernel k;
  k.name = k.op = "count rows";
  if (c.lengths.valid()) {
    k.run = [lengths = place(c.lengths), steps = c.steps, to](const Run& run) {
      int64_t n = 0;
      for (int64_t b = 0; b < lengths.dim(0); ++b)
        n += std::clamp<int64_t>(run.at<int32_t>(lengths.at)[b * lengths.stride(0)], 0, steps);
      *run.at<int64_t>(to) = n;
    };
  } else {
    k.run = [lengths = lengths_, counter = counter_, to](const Run& run) {
      int64_t n = lengths.dim(0);
      while (n > 0 &&
             run.at<int32_t>(lengths.at)[(n - 1) * lengths.stride(0)] <= run.steps[counter])
        --n;
      *run.at<int64_t>(to) = n;
    };
  }
  program_->kernels.push_back(std::move(k));
}

// A view is made after what it views, so its number is the higher one.
void Planner::find_last_reads() {
  const size_t values = places_.size();
  last_read_.assign(values, -1);
  for (size_t v = 0; v < values; ++v)
    for (const int r : units_.readers({static_cast<int>(v)}))
      last_read_[v] = std::max(last_read_[v], r);
  for (size_t j = 0; j < targets_.size(); ++j) {
    int& last = last_read_[static_cast<size_t>(graph_.outputs()[j].value.id)];
    last = std::max(last, units_.count() + static_cast<int>(j));
  }
  for (size_t v = values; v-- > 0;)
    if (const int of = alias_of_[v]; of >= 0) {
      WEFT_CHECK(static_cast<size_t>(of) < v);
      last_read_[static_cast<size_t>(of)] =
          std::max(last_read_[static_cast<size_t>(of)], last_read_[v]);
    }
}

int Planner::last_read(int argument) const {
  return last_read_[static_cast<size_t>(
      graph_.arguments()[static_cast<size_t>(argument)].value.id)];
}

}  // namespace weft::onednn
