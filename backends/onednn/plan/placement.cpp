// backends/onednn/plan/placement.cpp -- where the results of a unit lie: the ways of planner.h, in
// their order.
#include "backends/onednn/plan/planner.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/gather.h"
#include "ir/ops/pack.h"
#include "ir/ops/scan.h"
#include "ir/ops/shape.h"

#include <algorithm>

namespace weft::onednn {
namespace {

int64_t bytes_of(const Tensor& t) { return std::max<int64_t>(t.span_bytes(), 1); }

// Groups of elementwise nodes may be written over any operand, others where their lowering allows.
bool may_write_over(const Unit& u, const ir::OpView& op, int result, ir::Value x) {
  if (u.nodes.size() > 1) return true;
  if (u.lowering->in_place == nullptr) return false;
  const ir::Values& operands = op.node().operands;
  if (std::count(operands.begin(), operands.end(), x) != 1 && !op.def().elementwise) return false;
  const auto at = std::find(operands.begin(), operands.end(), x) - operands.begin();
  return u.lowering->in_place(op, result, static_cast<int>(at));
}

bool keeps_elements(const ir::Node& node) {
  return node.op == &ir::ops::reshape || node.op == &ir::ops::same_dim ||
         node.op == &ir::ops::stop_gradient;
}

}  // namespace

const Planner::PlaceResult Planner::kPlaces[] = {
    place_at_target, placed_with_others, place_in_concat, place_over_operand, place_alone,
};

void Planner::place_results(const Unit& u) {
  const ir::Node& node = units_.node(u);
  if (node.op == &ir::ops::scan)
    for (int i = 0; i < ir::ops::ScanParts(ir::OpView(graph_, node)).carries; ++i)
      place_states(node, i);
  for (int r = 0; r < static_cast<int>(node.results.size()); ++r)
    for (const PlaceResult place_so : kPlaces)
      if (place_so(*this, u, r)) break;
}

// An output may be a reshape of the value that is computed: that is written to the target then.
void Planner::claim_targets() {
  for (size_t j = 0; j < targets_.size(); ++j) {
    first_write_[j] = units_.count() + static_cast<int>(j);
    ir::Value v = graph_.outputs()[j].value;
    while (graph_.producer(v) != nullptr && keeps_elements(*graph_.producer(v)))
      v = graph_.producer(v)->operands[0];
    const int node = graph_.info(v).node;
    if (node < 0 || claims_[static_cast<size_t>(v.id)] >= 0) continue;
    const Unit& u = units_[units_.of_node(node)];
    if (u.lowering->view != nullptr || u.lowering->constant) continue;
    const auto place = reshaped(targets_[j], dims_of(graph_.type(v)));
    if (!place || !fits(u.lowering->results, *place) || !units_.readers_accept(v, *place)) continue;
    claims_[static_cast<size_t>(v.id)] = static_cast<int>(j);
    first_write_[j] = units_.of_node(node);
  }
}

// The rows of a step that live are a run of packed ones if the longest sequences stand first.
// The rows that follow belong to the next step; readers treat them as ended.
std::optional<Tensor> Planner::view_of_packed(const ir::Node& node) {
  const ir::OpView op(graph_, node);
  const ir::Value y = node.results[0], lengths = node.operands[1];
  const ir::Node* sorted = graph_.producer(lengths);
  if (op.has("places") || op.flag("by_sequence") || sorted == nullptr ||
      sorted->op != &ir::ops::gather)
    return {};
  const ir::Node* order = graph_.producer(sorted->operands[1]);
  if (order == nullptr || order->op != &ir::ops::length_order ||
      order->operands[0] != sorted->operands[0] || order->results[0] != sorted->operands[1])
    return {};
  for (const int r : units_.readers(y))
    if (r < 0 || !row_reads_.scans_live_rows(units_.node(units_[r]), y, lengths)) return {};
  const Tensor& rows = place(node.operands[0]);
  if (rows.stride(0) <= 0) return {};
  Tensor view{rows.dtype, dims_of(graph_.type(y)), {0}, rows.at};
  view.strides.insert(view.strides.end(), rows.strides.begin(), rows.strides.end());
  view.steps_packed = true;
  if (view.size() == 0 || !units_.bodies_accept(y, view)) return {};
  return view;
}

// What lies there anyway, a parameter, and is read by products that lay it out, which round it then;
// bf16 that kernels read in place of f32.
std::optional<Tensor> Planner::view_of_cast(const ir::Node& node) const {
  const ir::Value x = node.operands[0];
  const ir::DType from = graph_.type(x).dtype, to = graph_.type(node.results[0]).dtype;
  const bool rounds = from == ir::DType::f32 && to == ir::DType::bf16 && buffers_.of(x) < 0,
             widens = from == ir::DType::bf16 && to == ir::DType::f32;
  Tensor view = place(x);
  if (inspected() || !(rounds || widens) || view.wide || view.narrow) return {};
  view.dtype = to;
  view.wide = rounds, view.narrow = widens;
  return view;
}

bool Planner::lower_view(const Unit& u) {
  const ir::Node& node = units_.node(u);
  const bool casts = node.op == &ir::ops::cast && u.nodes.size() == 1;
  if (u.lowering->view == nullptr && node.op != &ir::ops::unpack && !casts) return false;
  const ir::Value x = node.operands[0], y = node.results[0];
  const auto view = casts ? view_of_cast(node)
                    : node.op == &ir::ops::unpack
                        ? view_of_packed(node)
                        : u.lowering->view(ir::OpView(graph_, node), place(x));
  if (!view || !units_.readers_accept(y, *view)) return false;
  const int buffer = buffers_.of(x);
  set_place(y, *view, buffer);
  alias_of_[static_cast<size_t>(y.id)] = x.id;
  if (buffer >= 0) buffers_.add_readers(buffer, units_.reader_count(y));
  return true;
}

bool Planner::place_at_target(Planner& p, const Unit& u, int result) {
  const ir::Value y = p.units_.node(u).results[static_cast<size_t>(result)];
  const int claim = p.claims_[static_cast<size_t>(y.id)];
  if (claim < 0) return false;
  p.set_place(y, *reshaped(p.targets_[static_cast<size_t>(claim)], dims_of(p.graph_.type(y))), -1);
  return true;
}

// With the other states of a carry, or with a concat.
bool Planner::placed_with_others(Planner& p, const Unit& u, int result) {
  return p.has_place(p.units_.node(u).results[static_cast<size_t>(result)]);
}

// A carry's states before and after each step are the same but for the first and the last one.
void Planner::place_states(const ir::Node& scan, int carry) {
  const ir::ops::ScanParts parts(ir::OpView(graph_, scan));
  const RowReads::States states = row_reads_.states_of(scan, carry);
  ir::Values stacked;  // in the order of time
  for (const int result : {states.before, states.after})
    if (result >= 0) stacked.push_back(scan.results[static_cast<size_t>(result)]);
  if (stacked.empty() || graph_.type(stacked[0]).shape[0].is(0)) return;
  if (parts.reverse) std::reverse(stacked.begin(), stacked.end());
  const ir::DType dtype = graph_.type(stacked[0]).dtype;
  const Dims dims = dims_of(graph_.type(stacked[0]));
  const auto suits = [&](const Tensor& t) {
    return std::all_of(stacked.begin(), stacked.end(), [&](ir::Value v) {
      return units_.readers_accept(v, t) && units_.bodies_accept(v, t);
    });
  };
  // Products in the body read it.
  Tensor place{dtype,
               dims,
               plan_.options.pad_rows ? padded_strides(dims, dtype) : dense_strides(dims),
               {arena_base_, 0}};
  if (!suits(place)) place.strides = dense_strides(dims);
  if (place.size() == 0 || !suits(place)) return;
  const int64_t step = place.stride(0) * place.element_bytes();
  const int64_t bytes = place.span_bytes() + step * static_cast<int64_t>(stacked.size() - 1);
  place.at.offset = take_bytes(bytes, stacked[0]);
  const int buffer = buffers_.add({place.at.offset, bytes}, 0);
  buffers_.set_tenants(buffer, stacked);
  for (const ir::Value v : stacked) {
    set_place(v, place, buffer);
    buffers_.add_readers(buffer, units_.reader_count(v));
    place.at.offset += step;
  }
}

bool Planner::place_over_operand(Planner& p, const Unit& u, int result) {
  if (p.inspected()) return false;
  const ir::Node& node = p.units_.node(u);
  const ir::Value y = node.results[static_cast<size_t>(result)];
  const ir::OpView op(p.graph_, node);
  const ir::TensorType& type = p.graph_.type(y);
  const Dims dims = dims_of(type);
  if (p.units_.readers(y).empty()) return false;
  for (const ir::Value x : u.inputs) {
    const int buffer = p.buffers_.of(x);
    if (buffer < 0 || p.buffers_.readers(buffer) != 1) continue;
    const Tensor& t = p.place(x);
    const bool same = t.dims == dims && ir::bytes(t.dtype) == ir::bytes(type.dtype) &&
                      fits(Layout::rows, t) && fits(u.lowering->results, t) && !t.narrow;
    if (!same || !p.units_.readers_accept(y, t) || !may_write_over(u, op, result, x)) continue;
    Tensor over = t;
    over.dtype = type.dtype;
    p.set_place(y, over, buffer);
    p.buffers_.add_tenant(buffer, y);
    p.buffers_.add_readers(buffer, p.units_.reader_count(y));
    return true;
  }
  return false;
}

bool Planner::place_alone(Planner& p, const Unit& u, int result) {
  p.place_in_arena(u, p.units_.node(u).results[static_cast<size_t>(result)]);
  return true;
}

void Planner::place_in_arena(const Unit& u, ir::Value y) {
  const Tensor t = take(y, units_.result_strides(u, y));
  const int keep = plan_.options.keep_all && depth_ == 0 ? 1 : 0;
  set_place(y, t, buffers_.add({t.at.offset, bytes_of(t)}, keep + units_.reader_count(y)));
}

// What only a concat reads is written where the concat wants it, whose place is taken then.
bool Planner::place_in_concat(Planner& p, const Unit& u, int result) {
  const ir::Graph& graph = p.graph_;
  const ir::Value y = p.units_.node(u).results[static_cast<size_t>(result)];
  const std::vector<int>& readers = p.units_.readers(y);
  if (p.plan_.options.keep_all || readers.size() != 1 || readers[0] < 0) return false;
  const Unit& reader = p.units_[readers[0]];
  const ir::Node& node = p.units_.node(reader);
  if (node.op != &ir::ops::concat || reader.nodes.size() != 1 ||
      std::count(node.operands.begin(), node.operands.end(), y) != 1)
    return false;
  const ir::Value whole = node.results[0];
  if (p.claims_[static_cast<size_t>(whole.id)] >= 0) return false;
  const int axis = static_cast<int>(ir::OpView(graph, node).axis());
  Tensor part{graph.type(whole).dtype,
              dims_of(graph.type(whole)),
              p.units_.result_strides(reader, whole),
              {}};
  if (p.has_place(whole)) part = p.place(whole);
  int64_t before = 0;
  for (const ir::Value v : node.operands) {
    if (v == y) break;
    before += *graph.type(v).dim(axis).constant();
  }
  const int64_t size = *graph.type(y).dim(axis).constant();
  if (!fits(u.lowering->results, sliced(part, axis, before, size))) return false;
  if (!p.has_place(whole)) p.place_in_arena(reader, whole);
  p.set_place(y, sliced(p.place(whole), axis, before, size), -1);
  return true;
}

bool Planner::updates_in_place(int argument, int output) const {
  const ir::Value x = graph_.arguments()[static_cast<size_t>(argument)].value;
  const ir::Value y = graph_.outputs()[static_cast<size_t>(output)].value;
  if (y == x) return true;  // copied onto itself
  if (graph_.type(x).shape != graph_.type(y).shape) return false;
  const int index = first_write(output);
  if (index >= units_.count() || last_read(argument) != index) return false;
  const Unit& u = units_[index];
  const ir::Node& node = units_.node(u);
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
    return may_write_over(u, ir::OpView(graph_, node), static_cast<int>(r), x);
  }
  return false;
}

}  // namespace weft::onednn
