// backends/onednn/report/profile.cpp -- the plan and its times as tables.
#include "backends/onednn/kernels/peak.h"
#include "backends/onednn/run/executable.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <tuple>

namespace weft::onednn {
namespace {

template <typename... Parts>
std::string row(const char* format, Parts... parts) {
  char buffer[512];
  std::snprintf(buffer, sizeof buffer, format, parts...);
  return buffer;
}

void list(const Program& program, int depth, std::string& text) {
  const std::string indent(static_cast<size_t>(depth) * 2, ' ');
  for (size_t i = 0; i < program.kernels.size(); ++i) {
    const Kernel& k = program.kernels[i];
    text += indent + std::to_string(i) + "  " + k.op + ": " + k.name +
            (k.implementation.empty() ? "" : " " + k.implementation);
    if (k.text != nullptr) text += "   " + *k.text;
    if (!k.scope.empty()) text += "   // " + k.scope;
    text += "\n";
    if (k.body != nullptr) list(*k.body, depth + 1, text);
  }
}

struct Entry {
  std::string op, where, name;
  int64_t calls = 0;
  double seconds = 0, flops = 0;
};

// A loop's own time is what its body's kernels do not account for.
double body_seconds(const Program& program) {
  double sum = 0;
  for (const Kernel& k : program.kernels) sum += k.seconds;
  return sum;
}

}  // namespace

std::string Executable::plan_text() const {
  std::string text = "plan of @" + graph_.name + ": arena " + std::to_string(plan_.arena_bytes) +
                     " bytes, constants " + std::to_string(plan_.constants.size()) + " bytes, " +
                     std::to_string(plan_.programs.size() - 1) + " loop bodies\n";
  for (size_t i = 0; i < graph_.arguments().size(); ++i)
    text += "  b" + std::to_string(kArgumentBase + i) + " = argument " +
            graph_.display_name(graph_.arguments()[i].value) + ": " +
            graph_.type(graph_.arguments()[i].value).str() +
            (graph_.arguments()[i].donated ? ", donated" : "") + "\n";
  for (size_t j = 0; j < graph_.outputs().size(); ++j)
    text += "  b" + std::to_string(kArgumentBase + graph_.arguments().size() + j) + " = result " +
            graph_.outputs()[j].name + ": " + graph_.type(graph_.outputs()[j].value).str() + "\n";
  for (const Plan::Packed& p : plan_.packed)
    text += "  b" + std::to_string(p.base) + " = packed, once for all runs: b" +
            std::to_string(p.argument_base) + ", " + std::to_string(p.bytes) + " bytes\n";
  list(plan_.programs.front(), 0, text);
  for (const auto& [kind, what] : plan_.refused) text += "  " + what + "\n";
  return text;
}

std::string Executable::profile_text() const {
  std::map<std::tuple<std::string, std::string, std::string>, Entry> entries;
  double total = 0;
  for (const Program& p : plan_.programs)
    for (const Kernel& k : p.kernels) {
      const std::string where =
          k.scope + (k.loc.known() ? (k.scope.empty() ? "" : " ") + k.loc.str() : "");
      Entry& e = entries[{k.op, where, k.name + k.implementation}];
      const double own = k.seconds - (k.body != nullptr ? body_seconds(*k.body) : 0);
      e.op = k.op, e.where = where,
      e.name = k.name + (k.implementation.empty() ? "" : " " + k.implementation);
      e.calls += k.calls, e.seconds += own;
      e.flops += k.flops * k.share() * static_cast<double>(k.calls);
      total += own;
    }
  std::vector<Entry> order;
  for (auto& [key, entry] : entries) order.push_back(entry);
  std::sort(order.begin(), order.end(),
            [](const Entry& a, const Entry& b) { return a.seconds > b.seconds; });
  const double peak = kernels::measure_peak(0.05).gflops;
  const double runs = static_cast<double>(std::max<int64_t>(runs_, 1));
  std::string text =
      row("%lld runs, %.3f ms each, %.3f ms in kernels; FMA peak %.0f GFLOP/s\n",
          static_cast<long long>(runs_), seconds_ / runs * 1e3, total / runs * 1e3, peak);
  text += row("%9s %6s %9s %9s %6s  %-28s %-30s %s\n", "ms/run", "share", "calls/run", "GFLOP/s",
              "peak", "kernel", "op", "where");
  double flops = 0;
  for (const Entry& e : order) {
    flops += e.flops;
    const double rate = e.seconds > 0 ? e.flops / e.seconds * 1e-9 : 0;
    std::string op = e.op.size() > 30 ? e.op.substr(0, 27) + "..." : e.op;
    text += row("%9.3f %5.1f%% %9.1f ", e.seconds / runs * 1e3,
                total > 0 ? e.seconds / total * 100 : 0, static_cast<double>(e.calls) / runs);
    text += e.flops > 0 ? row("%9.1f %5.1f%%", rate, rate / peak * 100) : row("%9s %6s", "-", "-");
    text += row("  %-28s %-30s %s\n", e.name.c_str(), op.c_str(), e.where.c_str());
  }
  text +=
      row("all: %.2f GFLOP a run, %.1f GFLOP/s, %.1f%% of the peak\n", flops / runs * 1e-9,
          total > 0 ? flops / total * 1e-9 : 0, total > 0 ? flops / total * 1e-9 / peak * 100 : 0);
  return text;
}

}  // namespace weft::onednn
