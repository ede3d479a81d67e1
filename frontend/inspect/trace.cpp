// frontend/inspect/trace.cpp -- events of a run in the Trace Event Format.
#include "frontend/inspect/trace.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace weft::inspect {
namespace {

using backends::KernelReport;
using nlohmann::json;

void count(const std::vector<KernelReport>& kernels, std::vector<const KernelReport*>& all) {
  for (const KernelReport& k : kernels) {
    all.push_back(&k);
    count(k.body, all);
  }
}

json arguments(const KernelReport& k, double seconds, double peak_gflops) {
  json a{{"kernel", k.kernel}};
  if (!k.implementation.empty()) a["implementation"] = k.implementation;
  if (!k.scope.empty()) a["scope"] = k.scope;
  if (k.loc.known()) a["line"] = k.loc.str();
  if (!k.places.empty()) a["operands"] = k.places;
  if (k.flops > 0 && seconds > 0) {
    a["GFLOP/s"] = k.flops / seconds * 1e-9;
    if (peak_gflops > 0) a["share of peak"] = k.flops / seconds * 1e-9 / peak_gflops;
  }
  if (k.bytes > 0 && seconds > 0) a["GB/s"] = k.bytes / seconds * 1e-9;
  return a;
}

// Bytes in use when each kernel of the top level starts.
void add_memory(const backends::Report& report, const std::vector<const KernelReport*>& all,
                json& events) {
  std::map<int, int64_t> live;  // by node
  for (const auto& step : report.memory.steps)
    for (const int n : step.nodes) live[n] = step.live;
  std::vector<bool> top(all.size());
  for (size_t i = 0, k = 0; k < report.kernels.size(); ++k) {
    top[i] = true;
    std::vector<const KernelReport*> inner;
    count(report.kernels[k].body, inner);
    i += 1 + inner.size();
  }
  for (const backends::TraceEvent& e : report.trace) {
    const auto kernel = static_cast<size_t>(e.kernel);
    if (e.step >= 0 || !top[kernel] || all[kernel]->nodes.empty()) continue;
    const auto at = live.find(all[kernel]->nodes.back());
    if (at == live.end()) continue;
    events.push_back({{"name", "arena"},
                      {"ph", "C"},
                      {"pid", 1},
                      {"ts", e.start * 1e6},
                      {"args", {{"bytes in use", at->second}}}});
  }
}

}  // namespace

std::string chrome_trace(const backends::Report& report, double peak_gflops) {
  std::vector<const KernelReport*> all;
  count(report.kernels, all);
  json events = json::array();
  events.push_back({{"name", "process_name"},
                    {"ph", "M"},
                    {"pid", 1},
                    {"args", {{"name", "weft @" + report.graph.name}}}});
  // Outer events first: readers nest by time, and by order where times are equal.
  std::vector<backends::TraceEvent> order = report.trace;
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.start != b.start ? a.start < b.start : a.seconds > b.seconds;
  });
  for (const backends::TraceEvent& e : order) {
    const KernelReport& k = *all[static_cast<size_t>(e.kernel)];
    json event{
        {"ph", "X"}, {"pid", 1}, {"tid", 1}, {"ts", e.start * 1e6}, {"dur", e.seconds * 1e6}};
    if (e.step >= 0) {
      event["name"] = "t = " + std::to_string(e.step);
      event["cat"] = "step";
    } else {
      event["name"] = k.op.empty() ? k.kernel : k.op;
      event["cat"] = k.body.empty() ? "kernel" : "loop";
      event["args"] = arguments(k, e.seconds, peak_gflops);
    }
    events.push_back(std::move(event));
  }
  add_memory(report, all, events);
  json trace{{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
  if (report.events_dropped > 0) trace["otherData"] = {{"events left out", report.events_dropped}};
  return trace.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace weft::inspect
