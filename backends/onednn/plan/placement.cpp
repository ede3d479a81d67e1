// backends/onednn/plan/placement.cpp -- where the results of a unit lie: as a view, over an operand, in
// a concat, where the graph wants them, or in a place of their own.
#include "backends/onednn/lower/table.h"
#include "backends/onednn/plan/planner.h"
#include "ir/ops/gather.h"
#include "ir/ops/pack.h"
#include "ir/ops/scan.h"
#include "ir/ops/shape.h"

#include <algorithm>

namespace weft::onednn {
namespace {

bool keeps_elements(const ir::Node& node) {
  return node.op == &ir::ops::reshape || node.op == &ir::ops::same_dim ||
         node.op == &ir::ops::stop_gradient;
}

}  // namespace

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

// The rows of a step that live are a run of packed ones if the longest sequences stand first.
// Behind them are those of the next step, which readers take for ended ones.
std::optional<Tensor> Block::view_of_packed(const ir::Node& node) {
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
  for (const int r : readers_[static_cast<size_t>(y.id)])
    if (r < 0 || !ended_rows_.scans_live_rows(node_of(units_[static_cast<size_t>(r)]), y, lengths))
      return {};
  const Tensor& rows = place(node.operands[0]);
  if (rows.stride(0) <= 0) return {};
  Tensor view{rows.dtype, dims_of(graph_.type(y)), {0}, rows.at};
  view.strides.insert(view.strides.end(), rows.strides.begin(), rows.strides.end());
  view.steps_packed = true;
  if (view.size() == 0 || !bodies_accept(y, view)) return {};
  return view;
}

bool Block::lower_view(const Unit& u) {
  const ir::Node& node = node_of(u);
  if (u.lowering->view == nullptr && node.op != &ir::ops::unpack) return false;
  const ir::Value x = node.operands[0], y = node.results[0];
  const auto view = node.op == &ir::ops::unpack
                        ? view_of_packed(node)
                        : u.lowering->view(ir::OpView(graph_, node), place(x));
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
  if (node.op == &ir::ops::scan) place_states(node);
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

// Can the loops that are given this value a step at a time read it as it lies?
bool Block::bodies_accept(ir::Value v, const Tensor& place) const {
  for (const int r : readers_[static_cast<size_t>(v.id)]) {
    if (r < 0) continue;
    const ir::Node& node = node_of(units_[static_cast<size_t>(r)]);
    if (node.op != &ir::ops::scan) continue;
    const ir::Graph& body = node.regions[0];
    const Tensor slice = without_axis(place, 0);
    for (size_t i = 0; i < node.operands.size(); ++i) {
      if (node.operands[i] != v) continue;
      const ir::Value x = body.arguments()[i].value;
      for (const ir::Node& reader : body.nodes())
        for (size_t k = 0; k < reader.operands.size(); ++k)
          if (reader.operands[k] == x &&
              !fits(operand_layout(*find_lowering(reader.op), ir::OpView(body, reader),
                                   static_cast<int>(k)),
                    slice))
            return false;
    }
  }
  return true;
}

// A carry's states before and after each step are the same but for the first and the last one.
void Block::place_states(const ir::Node& scan) {
  const ir::ops::ScanParts parts(ir::OpView(graph_, scan));
  for (int i = 0; i < parts.carries; ++i) {
    const EndedRows::States states = ended_rows_.states_of(scan, i);
    ir::Values stacked;  // in the order of time
    for (const int result : {states.before, states.after})
      if (result >= 0) stacked.push_back(scan.results[static_cast<size_t>(result)]);
    if (stacked.empty() || graph_.type(stacked[0]).shape[0].is(0)) continue;
    if (parts.reverse) std::reverse(stacked.begin(), stacked.end());
    const ir::DType dtype = graph_.type(stacked[0]).dtype;
    const Dims dims = dims_of(graph_.type(stacked[0]));
    const auto suits = [&](const Tensor& t) {
      return std::all_of(stacked.begin(), stacked.end(), [&](ir::Value v) {
        return all_readers_accept(v, t) && bodies_accept(v, t);
      });
    };
    // Products in the body read it.
    Tensor place{dtype, dims, padded_strides(dims, dtype), {arena_base_, 0}};
    if (!suits(place)) place.strides = dense_strides(dims);
    if (place.size() == 0 || !suits(place)) continue;
    const int64_t step = place.stride(0) * place.element_bytes();
    const int64_t bytes = place.span_bytes() + step * static_cast<int64_t>(stacked.size() - 1);
    place.at.offset = take_bytes(bytes, stacked[0]);
    const int buffer = static_cast<int>(buffers_.size());
    buffers_.push_back({place.at.offset, bytes, 0, open_.at(place.at.offset)});
    Timeline::Tenancy& tenancy = plan_.timelines[static_cast<size_t>(timeline_)]
                                     .tenancies[static_cast<size_t>(buffers_.back().tenancy)];
    tenancy.values = stacked;
    for (const ir::Value v : stacked) {
      set_place(v, place, buffer);
      buffers_.back().readers += static_cast<int>(readers_[static_cast<size_t>(v.id)].size());
      place.at.offset += step;
    }
  }
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

}  // namespace weft::onednn
