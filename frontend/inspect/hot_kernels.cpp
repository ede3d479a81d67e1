// frontend/inspect/hot_kernels.cpp -- kernels of reports, added up by name and scope.
#include "frontend/inspect/hot_kernels.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace weft::inspect {
namespace {

using Rows = std::map<std::pair<std::string, std::string>, HotKernel>;

// Kernels that multiply bf16 have it in their names, ours and oneDNN's; two such products take the
// time of one of f32.
bool multiplies_bf16(const backends::KernelReport& k) {
  return k.kernel.find("bf16") != std::string::npos ||
         k.implementation.find("bf16") != std::string::npos;
}

void collect(const std::vector<backends::KernelReport>& kernels, double runs,
             const Hardware& hardware, bool by_scope, Rows& rows) {
  for (const backends::KernelReport& k : kernels) {
    double own = k.seconds;
    for (const backends::KernelReport& inner : k.body) own -= inner.seconds;
    const std::string name =
        k.implementation.empty() ? k.kernel : k.kernel + " " + k.implementation;
    HotKernel& row = rows[{name, by_scope ? k.scope : ""}];
    row.kernel = name;
    if (by_scope) row.scope = k.scope;
    const double calls = static_cast<double>(k.calls) / runs, ms = own / runs * 1e3;
    const double gflops = hardware.gflops * (multiplies_bf16(k) ? 2 : 1);
    const double by_flops = k.flops * calls / gflops * 1e-6,
                 by_bytes = k.bytes * calls / hardware.gigabytes_second * 1e-6;
    const double limit = std::min(ms, std::max(by_flops, by_bytes));
    row.calls += calls, row.milliseconds += ms, row.flops += k.flops * calls;
    row.limit_milliseconds += limit;
    if (by_bytes > by_flops) row.memory_milliseconds += limit;
    collect(k.body, runs, hardware, by_scope, rows);
  }
}

void add_shares(const std::vector<backends::KernelReport>& kernels, EngineShares& shares) {
  for (const backends::KernelReport& k : kernels) {
    double own = k.seconds;
    for (const backends::KernelReport& inner : k.body) own -= inner.seconds;
    const bool onednn = !k.implementation.empty();
    (onednn ? shares.onednn_seconds : shares.weft_seconds) += own;
    (onednn ? shares.onednn_flops : shares.weft_flops) += k.flops * static_cast<double>(k.calls);
    add_shares(k.body, shares);
  }
}

double above(const HotKernel& k) { return k.milliseconds - k.limit_milliseconds; }

std::string of_limit(const HotKernel& k) {
  if (!(k.limit_milliseconds > 0 && k.milliseconds > 0)) return "-";
  return fmt::format("{:.0f}% {}", k.limit_milliseconds / k.milliseconds * 100,
                     k.memory_milliseconds * 2 > k.limit_milliseconds ? "memory" : "FMA");
}

std::string table(const std::vector<HotKernel>& kernels, double total, size_t most) {
  const auto share = [&](double ms) { return total > 0 ? ms / total * 100 : 0; };
  std::string text =
      fmt::format("\n{:>9} {:>6} {:>9} {:>8} {:>9} {:>14}  {:<30} {}\n", "ms", "share", "above",
                  "calls", "GFLOP/s", "of its limit", "kernel", "scope");
  double shown = 0;
  for (size_t i = 0; i < kernels.size() && i < most; ++i) {
    const HotKernel& k = kernels[i];
    const double ms = k.milliseconds;
    shown += ms;
    text += fmt::format("{:>9.3f} {:>5.1f}% {:>9.3f} {:>8.0f} {:>9} {:>14}  {:<30} {}\n", ms,
                        share(ms), above(k), k.calls,
                        k.flops > 0 && ms > 0 ? fmt::format("{:.1f}", k.flops / ms * 1e-6) : "-",
                        of_limit(k), k.kernel, k.scope);
  }
  if (kernels.size() > most)
    text += fmt::format("{:>9.3f} {:>5.1f}% in {} more\n", total - shown, share(total - shown),
                        kernels.size() - most);
  return text;
}

}  // namespace

std::string EngineShares::text() const {
  const auto share = [](double a, double b) { return fmt::format("{:.0f}%", a / (a + b) * 100); };
  const bool arithmetic = onednn_flops + weft_flops > 0, time = onednn_seconds + weft_seconds > 0;
  std::string text;
  if (arithmetic)
    text = fmt::format("oneDNN {} of the arithmetic", share(onednn_flops, weft_flops));
  if (time)
    text += fmt::format("{}{} of the time", arithmetic ? ", " : "oneDNN ",
                        share(onednn_seconds, weft_seconds));
  if (arithmetic) text += fmt::format("; Weft {}", share(weft_flops, onednn_flops));
  if (time)
    text +=
        fmt::format("{} {}", arithmetic ? " and" : "; Weft", share(weft_seconds, onednn_seconds));
  return text;
}

EngineShares engine_shares(std::span<const backends::Report> reports) {
  EngineShares shares;
  for (const backends::Report& report : reports) add_shares(report.kernels, shares);
  return shares;
}

std::vector<HotKernel> hot_kernels(std::span<const backends::Report> reports, double runs,
                                   const Hardware& hardware, bool by_scope) {
  Rows rows;
  for (const backends::Report& report : reports)
    collect(report.kernels, std::max(runs, 1.0), hardware, by_scope, rows);
  std::vector<HotKernel> order;
  for (auto& [name, row] : rows) order.push_back(std::move(row));
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return above(a) > above(b); });
  return order;
}

std::string hot_kernels_text(std::span<const backends::Report> reports, double runs,
                             const Hardware& hardware, size_t most) {
  const std::vector<HotKernel> kernels = hot_kernels(reports, runs, hardware, false);
  double total = 0, lost = 0;
  for (const HotKernel& k : kernels) total += k.milliseconds, lost += above(k);
  return fmt::format(
             "where the time goes, timed kernel by kernel: {:.1f} ms a run, of which {:.1f} ms "
             "above the\n"
             "hardware's limit (multiply-adds at {:.0f} GFLOP/s, operands at {:.0f} GB/s); the "
             "most to gain first\n",
             total, lost, hardware.gflops, hardware.gigabytes_second) +
         "by engine: " + engine_shares(reports).text() + "\n" + table(kernels, total, most) +
         table(hot_kernels(reports, runs, hardware, true), total, most);
}

}  // namespace weft::inspect
