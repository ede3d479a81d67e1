// backends/onednn/plan/kernel_notes.cpp -- what a plan's kernels say of themselves: op, line, operands
// and their places, bytes; and which of them makes a NaN.
#include "backends/onednn/plan/planner.h"
#include "ir/ops/gather.h"

#include <algorithm>
#include <cmath>

namespace weft::onednn {
namespace {

bool holds_nan(const Tensor& t, const char* data, int axis = 0) {
  if (axis == t.rank()) return std::isnan(*reinterpret_cast<const float*>(data));
  for (int64_t i = 0; i < t.dim(axis); ++i)
    if (holds_nan(t, data + i * t.stride(axis) * 4, axis + 1)) return true;
  return false;
}

}  // namespace

std::string place_text(Ref at) {
  if (at.base == kArenaBase) return "arena+" + std::to_string(at.offset);
  if (at.base == kConstantsBase) return "constants+" + std::to_string(at.offset);
  return "b" + std::to_string(at.base) + (at.offset == 0 ? "" : "+" + std::to_string(at.offset));
}

// What the unit reads and writes at least; it stands with the kernel that does the work.
void Planner::count_bytes(const Unit& u, size_t first_kernel) {
  std::vector<Kernel>& kernels = program_->kernels;
  if (kernels.size() == first_kernel || !units_.node(u).regions.empty()) return;
  const ir::Node& node = units_.node(u);
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

void Planner::check_for_nan(const Unit& u) {
  const ir::Node& node = units_.node(u);
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

void Planner::describe(Kernel& kernel, Emit& e) const {
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
  if (e.text_ == nullptr) e.text_ = std::make_shared<const std::string>(operands_and_results(e));
  kernel.text = e.text_;
}

std::string Planner::operands_and_results(const Emit& e) const {
  const ir::Node& node = e.op.node();
  std::string text;
  for (size_t r = 0; r < node.results.size(); ++r) {
    const Tensor& t = place(node.results[r]);
    text += (r > 0 ? ", " : "") + graph_.display_name(node.results[r]) + " " + str(t) + " " +
            place_text(t.at);
  }
  text += " <-";
  const Unit& u = units_[units_.of_node(e.nodes.back())];
  for (const ir::Value v : u.inputs)
    text += " " + graph_.display_name(v) + " " + place_text(place(v).at);
  return text;
}

}  // namespace weft::onednn
