// backends/onednn/memory_plan.cpp -- a place for every value, and the kernels between them.
#include "backends/onednn/memory_plan.h"

#include "backends/onednn/kernels/packed_gemm.h"
#include "backends/onednn/lower/copy.h"
#include "backends/onednn/lower/table.h"
#include "ir/check.h"
#include "ir/ops/gather.h"
#include "ir/ops/shape.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace weft::onednn {
namespace {

// Live rows are counted in eights: what a product of fewer rows computes may differ in the last
// bits from what it computes of the same rows among others.
constexpr int64_t kRowsAtOnce = 8;

bool keeps_elements(const ir::Node& node) {
  return node.op == &ir::ops::reshape || node.op == &ir::ops::same_dim ||
         node.op == &ir::ops::stop_gradient;
}

// The same elements at the same addresses; strides of axes of size 1 mean nothing.
bool same_elements(const Tensor& a, const Tensor& b) {
  if (a.at != b.at || a.dims != b.dims) return false;
  for (size_t i = 0; i < a.dims.size(); ++i)
    if (a.dims[i] > 1 && a.strides[i] != b.strides[i]) return false;
  return true;
}

int64_t bytes_of(const Tensor& t) { return std::max<int64_t>(t.span_bytes(), 1); }

bool holds_nan(const Tensor& t, const char* data, int axis = 0) {
  if (axis == t.rank()) return std::isnan(*reinterpret_cast<const float*>(data));
  for (int64_t i = 0; i < t.dim(axis); ++i)
    if (holds_nan(t, data + i * t.stride(axis) * 4, axis + 1)) return true;
  return false;
}

std::string place_text(Ref at) {
  if (at.base == kArenaBase) return "arena+" + std::to_string(at.offset);
  if (at.base == kConstantsBase) return "constants+" + std::to_string(at.offset);
  return "b" + std::to_string(at.base) + (at.offset == 0 ? "" : "+" + std::to_string(at.offset));
}

}  // namespace

Ref Plan::add_constant(const void* data, int64_t bytes) {
  const int64_t offset = Arena::rounded(static_cast<int64_t>(constants.size()));
  constants.resize(static_cast<size_t>(offset + Arena::rounded(std::max<int64_t>(bytes, 1))));
  if (bytes > 0) std::memcpy(constants.data() + offset, data, static_cast<size_t>(bytes));
  return {kConstantsBase, offset};
}

Block::Block(Plan& plan, const ir::Graph& graph, Program& program, int arena_base, int depth,
             const BodyRows* rows)
    : plan_(plan), graph_(graph), program_(&program), arena_base_(arena_base), depth_(depth) {
  const size_t values = static_cast<size_t>(graph.value_count());
  readers_.resize(values);
  places_.resize(values);
  buffer_.assign(values, -1);
  claims_.assign(values, -1);
  alias_of_.assign(values, -1);
  unit_of_.resize(graph.nodes().size());
  targets_.resize(graph.outputs().size());
  first_write_.resize(graph.outputs().size());
  // Where values are looked at all of their rows are there.
  if (!plan.options.check_nan && !(plan.options.keep_all && depth == 0))
    bounds_ = RowBounds(graph, rows);
  count_at_.resize(bounds_.counts().size());
  const bool group =
      plan.options.group && !plan.options.check_nan && !(plan.options.keep_all && depth == 0);
  for (std::vector<int>& nodes : group_elementwise(graph, group)) {
    Unit u{std::move(nodes), nullptr, {}};
    u.lowering = find_lowering(node_of(u).op);
    WEFT_CHECK(u.lowering != nullptr && u.lowering->lower != nullptr);
    const int index = static_cast<int>(units_.size());
    for (const int n : u.nodes) unit_of_[static_cast<size_t>(n)] = index;
    units_.push_back(std::move(u));
  }
  timeline_ = static_cast<int>(plan.timelines.size());
  plan.timelines.emplace_back();
  for (size_t i = 0; i < units_.size(); ++i)
    for (const int n : units_[i].nodes)
      for (const ir::Value v : graph.nodes()[static_cast<size_t>(n)].operands) {
        const int made_by = graph.info(v).node;
        if (made_by >= 0 && unit_of_[static_cast<size_t>(made_by)] == static_cast<int>(i)) continue;
        ir::Values& inputs = units_[i].inputs;
        if (std::find(inputs.begin(), inputs.end(), v) != inputs.end()) continue;
        inputs.push_back(v);
        readers_[static_cast<size_t>(v.id)].push_back(static_cast<int>(i));
      }
  for (const ir::Output& o : graph.outputs())
    readers_[static_cast<size_t>(o.value.id)].push_back(-1);
}

void Block::place_argument(int argument, Tensor place) {
  set_place(graph_.arguments()[static_cast<size_t>(argument)].value, std::move(place), -1);
}

void Block::target_output(int output, Tensor place) {
  targets_[static_cast<size_t>(output)] = std::move(place);
}

void Block::set_place(ir::Value v, Tensor place, int buffer) {
  places_[static_cast<size_t>(v.id)] = std::move(place);
  buffer_[static_cast<size_t>(v.id)] = buffer;
}

Layout Block::layout_of(const Unit& u, ir::Value operand) const {
  if (u.nodes.size() > 1) return Layout::any;
  const ir::Node& node = node_of(u);
  const ir::OpView op(graph_, node);
  Layout strictest = Layout::any;
  for (size_t i = 0; i < node.operands.size(); ++i)
    if (node.operands[i] == operand)
      strictest = std::max(strictest, operand_layout(*u.lowering, op, static_cast<int>(i)));
  return strictest;
}

// A reader that makes a view decides for itself whether to copy.
bool Block::all_readers_accept(ir::Value v, const Tensor& place) const {
  for (const int r : readers_[static_cast<size_t>(v.id)]) {
    if (r < 0) continue;
    const Unit& u = units_[static_cast<size_t>(r)];
    if (u.lowering->view == nullptr && !fits(layout_of(u, v), place)) return false;
  }
  return true;
}

bool Block::argument_fits(int argument, const Tensor& place) const {
  return all_readers_accept(graph_.arguments()[static_cast<size_t>(argument)].value, place);
}

bool Block::wants_padding(ir::Value v) const {
  bool matrix = false;
  const Dims dims = dims_of(graph_.type(v));
  const Tensor padded{graph_.type(v).dtype, dims, padded_strides(dims, graph_.type(v).dtype), {}};
  if (is_dense(padded)) return false;
  for (const int r : readers_[static_cast<size_t>(v.id)]) {
    if (r < 0) continue;
    const Unit& u = units_[static_cast<size_t>(r)];
    if (u.lowering->view != nullptr && !u.lowering->view(ir::OpView(graph_, node_of(u)), padded))
      return false;
    matrix |= u.lowering->view == nullptr && layout_of(u, v) == Layout::matrix;
  }
  return matrix && all_readers_accept(v, padded);
}

// Packing pays from so many steps on.
constexpr int64_t kStepsWorthPacking = 4;

std::optional<Ref> Block::packed(const Tensor& b, Emit& e) {
  if (outer_ != nullptr) {
    if (b.at.base >= arena_base_) return {};  // a step's own: all bases of a loop are made after it
    if (const auto further_out = outer_->packed(b)) return further_out;
    if (steps_ < kStepsWorthPacking) return {};
  } else if (static_cast<size_t>(b.at.base) >= plan_.fixed.size() ||
             !plan_.fixed[static_cast<size_t>(b.at.base)]) {
    return {};
  }
  for (const auto& [from, at] : packed_)
    if (from.at == b.at && from.dims == b.dims && from.strides == b.strides) return at;
  const auto bytes = static_cast<int64_t>(kernels::packed_weights_bytes(b.dim(0), b.dim(1)));
  Ref to;
  if (outer_ != nullptr) {
    to = outer_->workspace(bytes);
    emit_packing(*outer_, b, to);
  } else {
    const std::string key = ir::concat(b.at.base - kArgumentBase, "+", b.at.offset, " ", str(b));
    to = {plan_.new_base(), 0};
    Plan::Packed& kept = plan_.packed.emplace_back(
        Plan::Packed{&plan_.shared->made[key], b.at.base, to.base, bytes, {}});
    e.divert(kept.make, [&] { emit_packing(e, b, to); });
  }
  packed_.emplace_back(b, to);
  return to;
}

// An output may be a reshape of the value that is computed: that is written to the target then.
void Block::claim_targets() {
  for (size_t j = 0; j < targets_.size(); ++j) {
    first_write_[j] = static_cast<int>(units_.size() + j);
    ir::Value v = graph_.outputs()[j].value;
    while (graph_.producer(v) != nullptr && keeps_elements(*graph_.producer(v)))
      v = graph_.producer(v)->operands[0];
    const int node = graph_.info(v).node;
    if (node < 0 || claims_[static_cast<size_t>(v.id)] >= 0) continue;
    const Unit& u = units_[static_cast<size_t>(unit_of_[static_cast<size_t>(node)])];
    if (u.lowering->view != nullptr || u.lowering->constant) continue;
    const auto place = reshaped(targets_[j], dims_of(graph_.type(v)));
    if (!place || !fits(u.lowering->results, *place) || !all_readers_accept(v, *place)) continue;
    claims_[static_cast<size_t>(v.id)] = static_cast<int>(j);
    first_write_[j] = unit_of_[static_cast<size_t>(node)];
  }
}

Tensor Block::take(ir::Value v, Dims strides) {
  const ir::TensorType& type = graph_.type(v);
  Tensor t{type.dtype, dims_of(type), std::move(strides), {arena_base_, 0}};
  t.at.offset = take_bytes(bytes_of(t), v);
  return t;
}

int64_t Block::take_bytes(int64_t bytes, ir::Value v, int loop) {
  const int64_t offset = arena_.take(bytes);
  std::vector<Timeline::Tenancy>& list = plan_.timelines[static_cast<size_t>(timeline_)].tenancies;
  open_[offset] = static_cast<int>(list.size());
  list.push_back({offset, Arena::rounded(bytes), now_, -1, {}, loop});
  if (v.valid()) list.back().values.push_back(v);
  return offset;
}

int Block::add_buffer(const Tensor& place, int readers) {
  buffers_.push_back({place.at.offset, bytes_of(place), readers, open_.at(place.at.offset)});
  return static_cast<int>(buffers_.size()) - 1;
}

void Block::materialise_arguments() {
  for (const ir::Argument& a : graph_.arguments()) {
    const Tensor from = place(a.value);
    if (readers_[static_cast<size_t>(a.value.id)].empty() || all_readers_accept(a.value, from))
      continue;
    const Tensor to = take(a.value, dense_strides(from.dims));
    set_place(a.value, to,
              add_buffer(to, static_cast<int>(readers_[static_cast<size_t>(a.value.id)].size())));
    Kernel k = copy_kernel(from, to);
    k.op = "argument " + graph_.display_name(a.value);
    program_->kernels.push_back(std::move(k));
  }
}

void Block::lower() {
  claim_targets();
  materialise_arguments();
  for (size_t i = 0; i < units_.size(); ++i) lower_unit(static_cast<int>(i));
  copy_outputs();
  find_last_reads();
  Timeline& timeline = plan_.timelines[static_cast<size_t>(timeline_)];
  for (const Unit& u : units_) timeline.units.push_back(u.nodes);
  timeline.arena_bytes = arena_.peak();
}

// What the unit reads and writes at least; it stands with the kernel that does the work.
void Block::count_bytes(const Unit& u, size_t first_kernel) {
  std::vector<Kernel>& kernels = program_->kernels;
  if (kernels.size() == first_kernel || !node_of(u).regions.empty()) return;
  const ir::Node& node = node_of(u);
  double read = 0, written = 0;
  for (const ir::Value v : u.inputs) read += static_cast<double>(place(v).span_bytes());
  for (const ir::Value v : node.results) written += static_cast<double>(place(v).span_bytes());
  // Of a table only the rows that are looked up.
  if (node.op == &ir::ops::gather || node.op == &ir::ops::dynamic_slice) read = written;
  if (node.op == &ir::ops::update_slice) read = written = 0;
  size_t best = kernels.size() - 1;
  for (size_t k = first_kernel; k < kernels.size(); ++k)
    if (kernels[k].flops > kernels[best].flops) best = k;
  kernels[best].bytes = read + written;
}

bool Block::lower_view(const Unit& u) {
  const ir::Node& node = node_of(u);
  const ir::Value x = node.operands[0], y = node.results[0];
  const auto view = u.lowering->view(ir::OpView(graph_, node), place(x));
  if (!view || !all_readers_accept(y, *view)) return false;
  const int buffer = buffer_[static_cast<size_t>(x.id)];
  set_place(y, *view, buffer);
  alias_of_[static_cast<size_t>(y.id)] = x.id;
  if (buffer >= 0)
    buffers_[static_cast<size_t>(buffer)].readers +=
        static_cast<int>(readers_[static_cast<size_t>(y.id)].size());
  return true;
}

bool Block::place_over_operand(const Unit& u, int result) {
  if (plan_.options.check_nan || (plan_.options.keep_all && depth_ == 0)) return false;
  const ir::Node& node = node_of(u);
  const ir::Value y = node.results[static_cast<size_t>(result)];
  const ir::OpView op(graph_, node);
  const Dims dims = dims_of(graph_.type(y));
  if (readers_[static_cast<size_t>(y.id)].empty()) return false;
  for (const ir::Value x : u.inputs) {
    const int b = buffer_[static_cast<size_t>(x.id)];
    if (b < 0 || buffers_[static_cast<size_t>(b)].readers != 1) continue;
    const Tensor& t = place(x);
    const bool same = t.dims == dims && ir::bytes(t.dtype) == ir::bytes(graph_.type(y).dtype) &&
                      fits(Layout::rows, t) && fits(u.lowering->results, t);
    if (!same || !all_readers_accept(y, t)) continue;
    bool may = u.nodes.size() > 1;
    if (!may && u.lowering->in_place != nullptr) {
      const auto at =
          std::find(node.operands.begin(), node.operands.end(), x) - node.operands.begin();
      may = std::count(node.operands.begin(), node.operands.end(), x) == 1 || node.op->elementwise;
      may = may && u.lowering->in_place(op, result, static_cast<int>(at));
    }
    if (!may) continue;
    Tensor over = t;
    over.dtype = graph_.type(y).dtype;
    set_place(y, over, b);
    plan_.timelines[static_cast<size_t>(timeline_)]
        .tenancies[static_cast<size_t>(buffers_[static_cast<size_t>(b)].tenancy)]
        .values.push_back(y);
    buffers_[static_cast<size_t>(b)].readers +=
        static_cast<int>(readers_[static_cast<size_t>(y.id)].size());
    return true;
  }
  return false;
}

Dims Block::result_strides(const Unit& u, ir::Value y) const {
  const Dims dims = dims_of(graph_.type(y));
  if (u.lowering->results == Layout::dense) return dense_strides(dims);
  if (wants_padding(y)) return padded_strides(dims, graph_.type(y).dtype);
  if (u.lowering->results != Layout::inner) return dense_strides(dims);
  const ir::Integers* perm = nullptr;
  for (const int r : readers_[static_cast<size_t>(y.id)]) {
    if (r < 0) return dense_strides(dims);
    const ir::Node& reader = node_of(units_[static_cast<size_t>(r)]);
    if (reader.op != &ir::ops::transpose) continue;
    const ir::Integers& p = ir::OpView(graph_, reader).integers("perm");
    if (perm != nullptr && *perm != p) return dense_strides(dims);
    perm = &p;
  }
  if (perm == nullptr || perm->back() + 1 != static_cast<int64_t>(dims.size()))
    return dense_strides(dims);
  Dims moved;
  for (const int64_t axis : *perm) moved.push_back(dims[static_cast<size_t>(axis)]);
  const Dims dense = dense_strides(moved);
  Tensor turned{graph_.type(y).dtype, dims, Dims(dims.size()), {}};
  for (size_t i = 0; i < perm->size(); ++i)
    turned.strides[static_cast<size_t>((*perm)[i])] = dense[i];
  return all_readers_accept(y, turned) ? turned.strides : dense_strides(dims);
}

void Block::place_results(int index) {
  const Unit& u = units_[static_cast<size_t>(index)];
  const ir::Node& node = node_of(u);
  for (size_t r = 0; r < node.results.size(); ++r) {
    const ir::Value y = node.results[r];
    const int claim = claims_[static_cast<size_t>(y.id)];
    if (claim >= 0) {
      set_place(y, *reshaped(targets_[static_cast<size_t>(claim)], dims_of(graph_.type(y))), -1);
      continue;
    }
    if (has_place(y) || place_in_concat(u, y) || place_over_operand(u, static_cast<int>(r)))
      continue;
    place_alone(u, y);
  }
}

void Block::place_alone(const Unit& u, ir::Value y) {
  const Tensor t = take(y, result_strides(u, y));
  const int keep = plan_.options.keep_all && depth_ == 0 ? 1 : 0;
  set_place(y, t,
            add_buffer(t, keep + static_cast<int>(readers_[static_cast<size_t>(y.id)].size())));
}

// What only a concat reads is written where the concat wants it, whose place is taken then.
bool Block::place_in_concat(const Unit& u, ir::Value y) {
  const std::vector<int>& readers = readers_[static_cast<size_t>(y.id)];
  if (plan_.options.keep_all || readers.size() != 1 || readers[0] < 0) return false;
  const Unit& reader = units_[static_cast<size_t>(readers[0])];
  const ir::Node& node = node_of(reader);
  if (node.op != &ir::ops::concat || reader.nodes.size() != 1 ||
      std::count(node.operands.begin(), node.operands.end(), y) != 1)
    return false;
  const ir::Value whole = node.results[0];
  if (claims_[static_cast<size_t>(whole.id)] >= 0) return false;
  const int axis = static_cast<int>(ir::OpView(graph_, node).axis());
  Tensor part{
      graph_.type(whole).dtype, dims_of(graph_.type(whole)), result_strides(reader, whole), {}};
  if (has_place(whole)) part = place(whole);
  int64_t before = 0;
  for (const ir::Value v : node.operands) {
    if (v == y) break;
    before += *graph_.type(v).dim(axis).constant();
  }
  const int64_t size = *graph_.type(y).dim(axis).constant();
  if (!fits(u.lowering->results, sliced(part, axis, before, size))) return false;
  if (!has_place(whole)) place_alone(reader, whole);
  set_place(y, sliced(place(whole), axis, before, size), -1);
  return true;
}

void Block::lower_unit(int index) {
  const Unit& u = units_[static_cast<size_t>(index)];
  const ir::Node& node = node_of(u);
  now_ = index;
  const size_t first_kernel = program_->kernels.size();
  if (const int count = bounds_.of_node(u.nodes.back()); count >= 0) count_rows(count);
  if (u.lowering->view == nullptr || !lower_view(u)) {
    if (!u.lowering->constant) place_results(index);
    {
      Emit e(*this, ir::OpView(graph_, node), u.nodes);
      u.lowering->lower(e);
    }
    count_bytes(u, first_kernel);
    if (plan_.options.check_nan) check_for_nan(u);
  }
  for (const ir::Value v : u.inputs) release(v);
  for (const ir::Value y : node.results) {
    const int b = buffer_[static_cast<size_t>(y.id)];
    if (b >= 0 && buffers_[static_cast<size_t>(b)].readers == 0 &&
        alias_of_[static_cast<size_t>(y.id)] < 0) {
      buffers_[static_cast<size_t>(b)].readers = -1;
      free_buffer(buffers_[static_cast<size_t>(b)].offset, buffers_[static_cast<size_t>(b)].bytes);
    }
  }
}

void Block::release(ir::Value v) {
  const int b = buffer_[static_cast<size_t>(v.id)];
  if (b < 0) return;
  Buffer& buffer = buffers_[static_cast<size_t>(b)];
  WEFT_CHECK(buffer.readers > 0);
  if (--buffer.readers > 0) return;
  buffer.readers = -1;
  free_buffer(buffer.offset, buffer.bytes);
}

void Block::free_buffer(int64_t offset, int64_t bytes) {
  arena_.give_back(offset, bytes);
  if (const auto tenancy = open_.find(offset); tenancy != open_.end()) {
    plan_.timelines[static_cast<size_t>(timeline_)]
        .tenancies[static_cast<size_t>(tenancy->second)]
        .last = now_;
    open_.erase(tenancy);
  }
  if (!plan_.options.poison) return;
  Kernel k;
  k.name = k.op = "poison";
  const Ref at{arena_base_, offset};
  const size_t size = static_cast<size_t>(Arena::rounded(bytes));
  k.text = place_text(at) + " " + std::to_string(size) + " bytes";
  k.run = [at, size](const Run& run) { std::memset(run(at), 0xFF, size); };
  program_->kernels.push_back(std::move(k));
}

void Block::copy_outputs() {
  for (size_t j = 0; j < targets_.size(); ++j) {
    const Tensor& from = place(graph_.outputs()[j].value);
    if (from.size() == 0 || same_elements(from, targets_[j])) continue;
    Kernel k = copy_kernel(from, targets_[j]);
    k.op = "output " + graph_.outputs()[j].name;
    k.text = graph_.display_name(graph_.outputs()[j].value) + " " + str(from) + " " +
             place_text(from.at) + " -> " + place_text(targets_[j].at);
    program_->kernels.push_back(std::move(k));
  }
}

// The count has a place of its own, written once: before the first kernel that asks for it.
void Block::count_rows(int count) {
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
      *run.at<int64_t>(to) =
          std::min(lengths.dim(0), (n + kRowsAtOnce - 1) / kRowsAtOnce * kRowsAtOnce);
    };
  }
  program_->kernels.push_back(std::move(k));
}

// A view is made after what it views, so its number is the higher one.
void Block::find_last_reads() {
  const size_t values = places_.size();
  last_read_.assign(values, -1);
  for (size_t v = 0; v < values; ++v)
    for (const int r : readers_[v]) last_read_[v] = std::max(last_read_[v], r);
  for (size_t j = 0; j < targets_.size(); ++j) {
    int& last = last_read_[static_cast<size_t>(graph_.outputs()[j].value.id)];
    last = std::max(last, static_cast<int>(units_.size() + j));
  }
  for (size_t v = values; v-- > 0;)
    if (const int of = alias_of_[v]; of >= 0) {
      WEFT_CHECK(static_cast<size_t>(of) < v);
      last_read_[static_cast<size_t>(of)] =
          std::max(last_read_[static_cast<size_t>(of)], last_read_[v]);
    }
}

int Block::last_read(int argument) const {
  return last_read_[static_cast<size_t>(
      graph_.arguments()[static_cast<size_t>(argument)].value.id)];
}

bool Block::updates_in_place(int argument, int output) const {
  const ir::Value x = graph_.arguments()[static_cast<size_t>(argument)].value;
  const ir::Value y = graph_.outputs()[static_cast<size_t>(output)].value;
  if (y == x) return true;  // copied onto itself
  if (graph_.type(x).shape != graph_.type(y).shape) return false;
  const int index = first_write(output);
  if (index >= static_cast<int>(units_.size()) || last_read(argument) != index) return false;
  const Unit& u = units_[static_cast<size_t>(index)];
  const ir::Node& node = node_of(u);
  for (const ir::Value v : u.inputs)
    if (v != x)
      for (int id = v.id; id >= 0; id = alias_of_[static_cast<size_t>(id)])
        if (id == x.id) return false;  // read through a view as well
  for (size_t r = 0; r < node.results.size(); ++r) {
    if (claims_[static_cast<size_t>(node.results[r].id)] != output) continue;
    const Tensor &in = place(x), &out = place(node.results[r]);
    if (std::find(u.inputs.begin(), u.inputs.end(), x) == u.inputs.end()) return false;
    if (in.dims != out.dims || ir::bytes(in.dtype) != ir::bytes(out.dtype) || !is_dense(in) ||
        !is_dense(out))
      return false;
    if (u.nodes.size() > 1) return true;
    if (u.lowering->in_place == nullptr) return false;
    if (std::count(node.operands.begin(), node.operands.end(), x) != 1 && !node.op->elementwise)
      return false;
    const auto at =
        std::find(node.operands.begin(), node.operands.end(), x) - node.operands.begin();
    return u.lowering->in_place(ir::OpView(graph_, node), static_cast<int>(r),
                                static_cast<int>(at));
  }
  return false;
}

void Block::check_for_nan(const Unit& u) {
  const ir::Node& node = node_of(u);
  std::vector<Tensor> ins, outs;
  for (const ir::Value v : u.inputs)
    if (graph_.type(v).dtype == ir::DType::f32) ins.push_back(place(v));
  for (const ir::Value v : node.results)
    if (graph_.type(v).dtype == ir::DType::f32) outs.push_back(place(v));
  if (outs.empty()) return;
  std::string message = (node.from.loc.known() ? node.from.loc.str() + ": " : "") + "error: '" +
                        std::string(node.op->name) +
                        "' makes a NaN where its operands have none [nan.1]";
  for (const ir::Value v : node.operands)
    message += "\n    " + graph_.display_name(v) + ": " + graph_.type(v).str();
  message +=
      "\n    = " + graph_.display_name(node.results[0]) + ": " + graph_.type(node.results[0]).str();
  if (!node.from.scope.empty()) message += "\n    in " + node.from.scope;
  Kernel k;
  k.name = k.op = "check_nan";
  k.run = [ins, outs, message](const Run& run) {
    const auto any = [&](const std::vector<Tensor>& list) {
      return std::any_of(list.begin(), list.end(),
                         [&](const Tensor& t) { return holds_nan(t, run(t.at)); });
    };
    if (any(outs) && !any(ins)) throw ir::GraphError(message);
  };
  program_->kernels.push_back(std::move(k));
}

void Block::describe(Kernel& kernel, Emit& e) const {
  const ir::Node& node = e.op.node();
  kernel.op = node.op->name;
  kernel.scope = node.from.scope;
  kernel.loc = node.from.loc;
  kernel.nodes = e.nodes;
  if (e.nodes.size() > 1) {
    kernel.op.clear();
    for (const int n : e.nodes)
      kernel.op += (kernel.op.empty() ? "" : "+") +
                   std::string(graph_.nodes()[static_cast<size_t>(n)].op->name);
  }
  if (e.text_.empty()) e.text_ = operands_and_results(e);
  kernel.text = e.text_;
}

std::string Block::operands_and_results(const Emit& e) const {
  const ir::Node& node = e.op.node();
  std::string text;
  for (size_t r = 0; r < node.results.size(); ++r) {
    const Tensor& t = place(node.results[r]);
    text += (r > 0 ? ", " : "") + graph_.display_name(node.results[r]) + " " + str(t) + " " +
            place_text(t.at);
  }
  text += " <-";
  const Unit& u = units_[static_cast<size_t>(unit_of_[static_cast<size_t>(e.nodes.back())])];
  for (const ir::Value v : u.inputs)
    text += " " + graph_.display_name(v) + " " + place_text(place(v).at);
  return text;
}

}  // namespace weft::onednn
