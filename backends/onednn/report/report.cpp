// backends/onednn/report/report.cpp -- the plan, its times and its memory as data.
#include "backends/onednn/run/executable.h"

namespace weft::onednn {
namespace {

using backends::Allocation;
using backends::KernelReport;
using backends::MemoryReport;

std::vector<KernelReport> kernels_of(const Program& program) {
  std::vector<KernelReport> list;
  for (const Kernel& k : program.kernels)
    list.push_back({.kernel = k.name,
                    .implementation = k.implementation,
                    .op = k.op,
                    .places = k.text == nullptr ? "" : *k.text,
                    .scope = k.scope,
                    .loc = k.loc,
                    .nodes = k.nodes,
                    .flops = k.flops * k.share(),
                    .bytes = k.bytes * k.share(),
                    .calls = k.calls,
                    .seconds = k.seconds,
                    .body = k.body != nullptr ? kernels_of(*k.body) : std::vector<KernelReport>()});
  return list;
}

MemoryReport memory_report(const Timeline& timeline, const std::deque<Timeline>& all) {
  MemoryReport r;
  r.arena_bytes = timeline.arena_bytes;
  for (const std::vector<int>& nodes : timeline.units) r.steps.push_back({nodes, 0});
  // What is taken before the first unit or given back behind the last one belongs to them.
  const int end = static_cast<int>(timeline.units.size()) - 1;
  if (end < 0) return r;
  for (const Timeline::Tenancy& t : timeline.tenancies) {
    Allocation a{.kind = t.loop >= 0        ? Allocation::Kind::loop
                         : t.values.empty() ? Allocation::Kind::workspace
                                            : Allocation::Kind::value,
                 .offset = t.offset,
                 .bytes = t.bytes,
                 .first = std::min(t.first, end),
                 .last = t.last < 0 ? end : std::min(t.last, end),
                 .values = t.values};
    for (int s = a.first; s <= a.last; ++s) r.steps[static_cast<size_t>(s)].live += a.bytes;
    if (t.loop >= 0)
      r.loops.push_back({r.steps[static_cast<size_t>(a.first)].nodes.back(),
                         memory_report(all[static_cast<size_t>(t.loop)], all)});
    r.allocations.push_back(std::move(a));
  }
  return r;
}

}  // namespace

backends::Report Executable::report() const {
  backends::Report r;
  r.graph = graph_;
  r.kernels = kernels_of(plan_.programs.front());
  r.memory = memory_report(plan_.timelines.front(), plan_.timelines);
  r.trace = trace_.events;
  r.events_dropped = trace_.dropped;
  r.runs = runs_;
  r.seconds = seconds_;
  return r;
}

}  // namespace weft::onednn
