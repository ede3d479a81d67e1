// backends/onednn/plan/row_reads.cpp -- which readers see rows that have ended.
#include "backends/onednn/plan/row_reads.h"

#include "ir/ops/pack.h"
#include "ir/ops/scan.h"
#include "ir/passes/padding/ended_rows.h"
#include "ir/rules/distinct_axes.h"

#include <algorithm>

namespace weft::onednn {
namespace {

size_t at(int i) { return static_cast<size_t>(i); }

ir::Value lengths_of(const ir::OpView& scan) {
  return scan.has("lengths") ? scan.node().operands[at(scan.position("lengths"))] : ir::Value{};
}

// An index made of what is in a row might be out of range.
bool makes_indices(const ir::Graph& body) {
  const auto is_float = [&](ir::Value v) { return ir::is_float(body.type(v).dtype); };
  const auto is_index = [&](ir::Value v) {
    return !is_float(v) && body.type(v).dtype != ir::DType::pred;
  };
  const auto any = [](const ir::Values& values, const auto& is) {
    return std::any_of(values.begin(), values.end(), is);
  };
  return std::any_of(body.nodes().begin(), body.nodes().end(), [&](const ir::Node& node) {
    return any(node.operands, is_float) && any(node.results, is_index);
  });
}

// By argument of the body: do ended rows of it reach anything that counts?
std::vector<bool> arguments_that_count(const ir::OpView& scan) {
  const ir::Graph& body = scan.region();
  const ir::ops::ScanParts parts(scan);
  const std::vector<bool> values = ir::counted_rows(
      body, parts.row_carry, scan.operand("lengths").dim(0), ir::row_arguments(scan));
  const bool all = makes_indices(body);
  std::vector<bool> counts;
  for (const ir::Argument& a : body.arguments())
    counts.push_back(all || body.type(a.value).dtype != ir::DType::f32 || values[at(a.value.id)]);
  return counts;
}

}  // namespace

RowReads::RowReads(const ir::Graph& graph, bool all_read)
    : graph_(&graph), readers_(ir::uses(graph)), all_read_(all_read) {}

bool RowReads::stacked_are_read(const ir::Node& scan, int result) {
  const ir::OpView op(*graph_, scan);
  const ir::ops::ScanParts parts(op);
  return all_read_ || !parts.has_lengths || parts.out_axes[at(result - parts.carries)] != 0 ||
         op.result(result).dtype != ir::DType::f32 ||
         are_read(scan.results[at(result)], lengths_of(op));
}

bool RowReads::counts(const ir::Node& scan, size_t argument) {
  const auto [known, is_new] = counts_.try_emplace(&scan);
  if (is_new) known->second = arguments_that_count(ir::OpView(*graph_, scan));
  return known->second[argument];
}

bool RowReads::are_read(ir::Value v, ir::Value lengths) {
  if (const auto known = read_.find({v.id, lengths.id}); known != read_.end()) return known->second;
  return read_[{v.id, lengths.id}] = find_reader(v, lengths);
}

bool RowReads::find_reader(ir::Value v, ir::Value lengths) {
  for (const ir::Output& o : graph_->outputs())
    if (o.value == v) return true;
  const auto ignores = [&](int n) {
    const ir::Node& reader = graph_->nodes()[at(n)];
    const ir::OpView op(*graph_, reader);
    if (reader.op == &ir::ops::pack)
      return reader.operands[0] == v && reader.operands[1] == lengths && !op.has("places") &&
             !op.flag("by_sequence");
    if (reader.op->elementwise)
      return op.result().shape == graph_->type(v).shape && ir::is_float(op.result().dtype) &&
             !are_read(reader.results[0], lengths);
    return scans_live_rows(reader, v, lengths);
  };
  const std::vector<int>& readers = readers_[at(v.id)];
  return !std::all_of(readers.begin(), readers.end(), ignores);
}

bool RowReads::scans_live_rows(const ir::Node& loop, ir::Value v, ir::Value lengths) {
  const ir::OpView op(*graph_, loop);
  if (all_read_ || loop.op != &ir::ops::scan || lengths_of(op) != lengths) return false;
  const ir::ops::ScanParts parts(op);
  for (size_t i = 0; i < loop.operands.size(); ++i) {
    const int scanned = static_cast<int>(i) - parts.carries;
    if (loop.operands[i] != v) continue;
    if (scanned < 0 || scanned >= parts.scanned || parts.axes[at(scanned)] != 0 || counts(loop, i))
      return false;
  }
  return true;
}

bool RowReads::carried_are_read(const ir::Node& scan, int carry) {
  return all_read_ || counts(scan, at(carry));
}

RowReads::States RowReads::states_of(const ir::Node& scan, int carry) {
  const ir::OpView op(*graph_, scan);
  const ir::ops::ScanParts parts(op);
  const ir::Graph& body = scan.regions[0];
  const ir::Value before = body.arguments()[at(carry)].value,
                  after = body.outputs()[at(carry)].value;
  States states;
  if (before == after || !parts.row_carry[at(carry)] || carried_are_read(scan, carry))
    return states;
  for (int i = parts.carries; i < parts.carries + parts.stacked; ++i) {
    const ir::Value v = body.outputs()[at(i)].value;
    if ((v != before && v != after) || readers_[at(scan.results[at(i)].id)].empty() ||
        stacked_are_read(scan, i))
      continue;
    int& found = v == before ? states.before : states.after;
    if (found < 0) found = i;
  }
  // Another carry's state, or the next one of two, is written for one of them.
  bool taken = body.info(after).node < 0;
  for (int i = 0; i < carry; ++i) taken |= body.outputs()[at(i)].value == after;
  if (taken) states.after = -1;
  return states;
}

}  // namespace weft::onednn
